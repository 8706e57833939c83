"""Standing still: for how long a device has stayed within 70 metres of where it first was."""

from typing import Any, NamedTuple

import numpy as np

from engine.sense import plain
from engine.sense.arithmetic import Bools, Floats, scales, wrap

WITHIN = 70.0  # metres
USEFUL = 100.0  # metres of accuracy beyond which a fix says nothing of standing still
_SQUARE = WITHIN * WITHIN
COLUMNS = ("stand_lat", "stand_lon", "stand_since", "still")


class Stand(NamedTuple):
    """Where a device stands, since when (device time), and how many seconds later it was last seen there. The place is
    kept in four bytes; NaN: nowhere yet."""

    lat: float
    lon: float
    since: float
    still: float

    def then(self, lat: float, lon: float, accuracy: float, at: float, silence: float) -> "Stand":
        """After another fix. Silence makes it unknown what was in between, so it begins anew."""
        if accuracy > USEFUL:
            return self
        if at - (self.since + self.still) <= silence:
            east, north = plain.scales(lat)
            dx, dy = plain.wrap(lon - self.lon) * east, (lat - self.lat) * north
            if dx * dx + dy * dy <= _SQUARE:
                return Stand(self.lat, self.lon, self.since, at - self.since)
        return Stand(lat, lon, at, 0.0)

    def kept(self) -> "Stand":
        """As the columns keep it."""
        return Stand(
            float(np.float32(self.lat)), float(np.float32(self.lon)), self.since, float(np.float32(self.still))
        )


def settle(own: Any, fix: Bools, lat: Floats, lon: Floats, accuracy: Floats, at: Floats, silence: float) -> None:
    """``Stand.then`` in columns, for signals of different devices (``own``: their rows); ``fix``: which have one."""
    lat = np.where(fix, lat, 0.0)
    east, north = scales(lat)
    since = own["stand_since"]
    dx = wrap(lon - own["stand_lon"]) * east
    dy = (lat - own["stand_lat"]) * north
    stays = at - (since + own["still"]) <= silence
    stays &= dx * dx + dy * dy <= _SQUARE
    useful = fix & (accuracy <= USEFUL)
    still = at - since
    fresh = useful & ~stays
    if np.count_nonzero(fresh):
        for name, column in (("stand_lat", lat), ("stand_lon", lon), ("stand_since", at)):
            np.copyto(own[name], column, casting="same_kind", where=fresh)
        still[fresh] = 0.0
    np.copyto(own["still"], still, casting="same_kind", where=useful)
