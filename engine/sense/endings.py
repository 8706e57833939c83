"""Visits that are over because their fence is gone: many are taken off the columns at once, and told in portions."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.model.pieces import Column
from engine.model.signal import Transition
from engine.sense.arithmetic import Bools, Ints
from engine.sense.columns import NEVER, NONE, Devices
from engine.sense.machine import INSIDE, LEAVING, OVER, UNKNOWN
from engine.sense.shelf import Shelf

_VISITS = np.array([state in (INSIDE, LEAVING, UNKNOWN) for state in range(OVER + 1)])
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
        return self._take(slice(most), slice(most, None), devices)

    def of(self, names: Iterable[str], devices: Devices) -> list[Transition]:
        """Those of some devices."""
        rows = np.array(devices.names.find_all(list(names)), np.int64)
        wanted = np.isin(self._told["row"], rows)
        return self._take(wanted, ~wanted, devices)

    def _take(self, wanted: "Bools | slice", left: "Bools | slice", devices: Devices) -> list[Transition]:
        row, fence, at, visit = (self._told[name][wanted].tolist() for name in _COLUMNS)
        self._told = {name: column[left] for name, column in self._told.items()}
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


def end(shelf: Shelf, owner: Ints, stay: Ints, over: Bools) -> dict[str, Any]:
    """Take those stays that are ``over`` off these devices (all their stays, as ``Stays.of`` gives them); the visits
    that this ends. As ``Machine.ended`` says of one."""
    devices, stays = shelf.devices, shelf.stays
    row, gone = owner[over], stay[over]
    told = _told(shelf, row, gone)
    stays.release_all(gone)
    devices.head[row] = NONE
    owner, stay = owner[~over], stay[~over]
    first = np.ones(len(owner), np.bool_)
    first[1:] = owner[1:] != owner[:-1]
    devices.head[owner[first]] = stay[first]
    after = np.full(len(stay), NONE, np.int32)
    after[:-1] = np.where(first[1:], NONE, stay[1:])
    stays.next[stay] = after
    empty = row[devices.head[row] == NONE]
    devices.timer[empty], devices.live[empty], devices.queued[empty] = np.inf, False, NEVER
    return told


def _told(shelf: Shelf, row: Ints, stay: Ints) -> dict[str, Any]:
    devices, kept = shelf.devices, shelf.stays.take(stay)
    visits = _VISITS[kept["state"]]
    row, kept = row[visits], kept[visits]
    visit, now = kept["visit"].copy(), devices.at[row]
    at = np.where(kept["state"] == UNKNOWN, kept["since"], np.maximum(now, visit))
    late = at > now
    np.maximum.at(devices.told, row[late], at[late])
    return {"row": row, "fence": kept["fence"].copy(), "at": at, "visit": visit}
