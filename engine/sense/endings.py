"""Visits that are over because their fence is gone: many are taken off the columns at once, and told in portions."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.model.pieces import Column
from engine.model.signal import Transition
from engine.sense.arithmetic import Bools, Ints
from engine.sense.columns import NEVER, NONE, Devices
from engine.sense.machine import INSIDE, LEAVING, UNKNOWN
from engine.sense.shelf import Shelf

_COLUMNS = {"row": np.int64, "fence": np.int32, "at": np.float64, "visit": np.float64}


class Endings:
    """What is yet to be told, by device and fence. ``since``: journal time at which somebody should ask for more."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._told: dict[str, Any] = {name: np.zeros(0, kind) for name, kind in _COLUMNS.items()}
        self.since = 0.0

    def __len__(self) -> int:
        return len(self._told["row"])

    def begin(self, ids: list[str], told: dict[str, Any], since: float) -> None:
        """Another lot (``ids``: of the fences that it numbers). All of the one before must have been taken."""
        self._ids, self._told, self.since = ids, told, since

    def take(self, most: int, devices: Devices) -> list[Transition]:
        """The next ones."""
        wanted = np.zeros(len(self), np.bool_)
        wanted[:most] = True
        return self._take(wanted, devices)

    def of(self, names: Iterable[str], devices: Devices) -> list[Transition]:
        """Those of some devices."""
        rows = np.array(devices.names.find_all(list(names)), np.int64)
        return self._take(np.isin(self._told["row"], rows), devices)

    def _take(self, wanted: Bools, devices: Devices) -> list[Transition]:
        row, fence, at, visit = (self._told[name][wanted].tolist() for name in _COLUMNS)
        self._told = {name: column[~wanted] for name, column in self._told.items()}
        return [
            Transition("ended", devices.names[row[k]], self._ids[fence[k]], at[k], visit[k], -1)
            for k in range(len(row))
        ]

    def dump(self) -> dict[str, Any]:
        """For a checkpoint."""
        columns: dict[str, Column] = {name: column.tobytes for name, column in self._told.items()}
        return {**columns, "ids": self._ids if len(self) else [], "since": self.since}

    def load(self, dump: dict[str, Any]) -> None:
        """The inverse of ``dump``."""
        told = {name: np.frombuffer(dump[name], kind) for name, kind in _COLUMNS.items()}
        self.begin(dump["ids"], told, dump["since"])


def end(shelf: Shelf, rows: Ints, gone: Bools) -> dict[str, Any]:
    """Take the stays in fences that are gone (by position) off these devices; the visits that this ends. As ``Machine.
    ended`` says of one."""
    devices, stays = shelf.devices, shelf.stays
    owner, stay = stays.of(devices.head[rows])
    order = np.lexsort((stays.fence[stay], owner))
    owner, stay = owner[order], stay[order]
    over = gone[stays.fence[stay]]
    told = _told(shelf, rows[owner[over]], stay[over])
    stays.fence[stay[over]] = NONE
    stays.free.extend(stay[over].tolist())
    owner, stay = owner[~over], stay[~over]
    first = np.ones(len(owner), np.bool_)
    first[1:] = owner[1:] != owner[:-1]
    devices.head[rows] = NONE
    devices.head[rows[owner[first]]] = stay[first]
    after = np.full(len(stay), NONE, np.int32)
    after[:-1] = np.where(first[1:], NONE, stay[1:])
    stays.next[stay] = after
    empty = rows[devices.head[rows] == NONE]
    devices.timer[empty], devices.live[empty], devices.queued[empty] = np.inf, False, NEVER
    return told


def _told(shelf: Shelf, row: Ints, stay: Ints) -> dict[str, Any]:
    devices, stays = shelf.devices, shelf.stays
    visits = np.isin(stays.state[stay], (INSIDE, LEAVING, UNKNOWN))
    row, stay = row[visits], stay[visits]
    visit, now = stays.visit[stay], devices.at[row]
    at = np.where(stays.state[stay] == UNKNOWN, stays.since[stay], np.maximum(now, visit))
    late = at > now
    np.maximum.at(devices.told, row[late], at[late])
    return {"row": row, "fence": stays.fence[stay], "at": at, "visit": visit}
