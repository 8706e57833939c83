"""Standing still: for how long a device has stayed within 70 metres of where it first was."""

from typing import NamedTuple

import numpy as np

from engine.sense import plain
from engine.sense.arithmetic import Floats, Ints, scales, wrap
from engine.sense.columns import Devices

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


def settle(
    devices: Devices, rows: Ints, lat: Floats, lon: Floats, accuracy: Floats, at: Floats, silence: float
) -> None:
    """``Stand.then`` in columns, for fixes of different devices."""
    east, north = scales(lat)
    since = devices.stand_since[rows]
    dx = wrap(lon - devices.stand_lon[rows]) * east
    dy = (lat - devices.stand_lat[rows]) * north
    stays = at - (since + devices.still[rows]) <= silence
    stays &= dx * dx + dy * dy <= _SQUARE
    useful = accuracy <= USEFUL
    kept = (stays & useful).nonzero()[0]
    devices.still[rows[kept]] = at[kept] - since[kept]
    fresh = (useful & ~stays).nonzero()[0]
    anew = rows[fresh]
    devices.stand_lat[anew], devices.stand_lon[anew] = lat[fresh], lon[fresh]
    devices.stand_since[anew], devices.still[anew] = at[fresh], 0.0
