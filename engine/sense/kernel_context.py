"""What a call of the kernels works on, found by the addresses of its context. Only ``kernels`` imports this."""

from typing import Any, NamedTuple

import numpy as np
from numba.np.numpy_support import carray

from engine.loops import jit_making
from engine.peek import pointer
from engine.sense.columns import Devices, Stays
from engine.sense.context import TOLD
from engine.sense.depths import GRID
from engine.sense.ground import GROUND, ROUND, Ground
from engine.sense.index import SLOT
from engine.sense.verdict import KNOWN

_DEVICE, _STAY, _KNOWNS = Devices.row(), Stays.row(), len(KNOWN)


@jit_making
def _floats(address: int, count: int) -> Any:
    return carray(pointer(address), (count,), np.float64)


@jit_making
def _ints(address: int, rows: int, width: int) -> Any:
    return carray(pointer(address), (rows, width), np.int64)


class World(NamedTuple):
    """What a call is about, by the addresses of its context."""

    devices: Any
    stays: Any
    dwells: Any
    knowns: Any
    limits: Any
    ground: Ground
    tables: tuple[Any, ...]


class Found(NamedTuple):
    """Where what is found is put down: see ``CONTEXT``."""

    before: Any
    pairs: Any
    seen: Any
    spare: Any
    spare_seen: Any
    told: Any
    left: Any
    armed: Any
    armed_due: Any


@jit_making
def world_of(c: Any) -> World:
    return World(
        carray(pointer(c.devices), (c.n_devices,), _DEVICE),
        carray(pointer(c.stays), (c.n_stays,), _STAY),
        carray(pointer(c.dwells), (c.n_dwells, c.width), np.float64),
        carray(pointer(c.knowns), (_KNOWNS,), np.int64),
        c.limits,
        Ground(
            carray(pointer(c.fences), (c.n_fences,), GROUND),
            carray(pointer(c.rounds), (c.n_fences,), ROUND),
            carray(pointer(c.slots), (c.n_slots,), SLOT),
            carray(pointer(c.members), (c.n_members,), np.int32),
            carray(pointer(c.levels), (c.n_levels,), np.int64),
            carray(pointer(c.bounds), (c.n_fences, GRID, GRID), np.int8),
            _floats(c.chains, c.n_chains),
        ),
        (
            carray(pointer(c.scale), (c.n_scale, 4), np.float64),
            _floats(c.edges, c.n_edges),
            _floats(c.wide, c.n_wide),
            _floats(c.small, c.n_small),
        ),
    )


@jit_making
def found_of(c: Any) -> Found:
    return Found(
        carray(pointer(c.before), (c.n_before,), _DEVICE),
        _ints(c.pairs, c.n_pairs, 4),
        carray(pointer(c.seen), (c.n_pairs, 4), np.float64),
        _ints(c.spare, c.n_pairs, 4),
        carray(pointer(c.spare_seen), (c.n_pairs, 4), np.float64),
        carray(pointer(c.told), (c.n_told,), TOLD),
        _ints(c.left, c.n_left, 2),
        _ints(c.armed, c.n_left, 1),
        _floats(c.armed_due, c.n_left),
    )
