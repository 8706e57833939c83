"""What is kept of cells never claims more than the border's true distance allows."""

import random

import numpy as np
import pytest

from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense import FenceSet, Sense, fast
from engine.sense.fixes import Fixes
from engine.sense.verdict import OUTSIDE, Fix, Judge, Pairs
from tests.sense.test_roads import fences


def fixes_in(compiled: FenceSet, seed: int, count: int) -> Fixes:
    """Fixes in the boxes of fences, anywhere in them."""
    rng, index = np.random.default_rng(seed), compiled.index
    which = rng.integers(0, len(compiled.ids), count)
    lon = index.lon[which] + rng.uniform(-1, 1, count) * index.half_width[which]
    lat = index.lat[which] + rng.uniform(-1, 1, count) * index.half_height[which]
    return Fixes((lon + 180.0) % 360.0 - 180.0, lat, np.full(count, 5.0))


def by_columns(compiled: FenceSet, fixes: Fixes) -> None:
    at, which, u, v = compiled.index.find(fixes.lon, fixes.lat)
    pairs = Pairs(at, which, np.full(len(at), OUTSIDE), np.zeros(len(at)), u, v)
    Judge(compiled, SensePolicy()).many(fixes, pairs)


def one_by_one(compiled: FenceSet, fixes: Fixes) -> None:
    judge = Judge(compiled, SensePolicy())
    for lon, lat in zip(fixes.lon.tolist(), fixes.lat.tolist(), strict=True):
        for which, u, v in compiled.index.one(lon, lat):
            judge.one(Fix.of(lon, lat, 5.0), which, OUTSIDE, u, v)


def by_kernels(compiled: FenceSet, fixes: Fixes) -> None:
    pytest.importorskip("numba")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "kernels", None)
        patch.setattr(FenceSet, "grounded", False)
        fast.load()
        sense = Sense(SensePolicy())
        sense.use(compiled, sense.policy)
    places = zip(fixes.lat.tolist(), fixes.lon.tolist(), strict=True)
    signals = [Signal(f"d{k}", 0.0, k, lat=lat, lon=lon, accuracy=5.0) for k, (lat, lon) in enumerate(places)]
    sense.advance(signals, [0.0] * len(signals))


@pytest.mark.parametrize("learn", [by_columns, one_by_one, by_kernels])
@pytest.mark.parametrize("seed", range(3))
def test_a_bound_is_never_farther_than_the_border(learn, seed):
    compiled = FenceSet.compile(fences(random.Random(seed)))
    learn(compiled, fixes_in(compiled, seed, 6000))
    fixes = fixes_in(compiled, 100 + seed, 6000)
    at, which, u, v = compiled.index.find(fixes.lon, fixes.lat)
    _, metres = compiled.measure(fixes, at, which)
    bound = compiled.depths.look(which, u, v)
    assert (bound != 0.0).mean() > 0.2
    assert (np.sign(bound) == np.sign(metres))[bound != 0.0].all()
    assert (np.abs(bound) <= np.abs(metres)).all()


def test_a_bound_is_the_same_in_columns_and_one_by_one():
    compiled = FenceSet.compile(fences(random.Random(1)))
    by_columns(compiled, fixes_in(compiled, 1, 6000))
    fixes = fixes_in(compiled, 2, 500)
    _, which, u, v = compiled.index.find(fixes.lon, fixes.lat)
    ones = [compiled.depths.look_one(*pair) for pair in zip(which.tolist(), u.tolist(), v.tolist(), strict=True)]
    assert compiled.depths.look(which, u, v).tolist() == ones
