"""Positions of a segment in columns, with all that fences need to know of them worked out once."""

from functools import cached_property

import numpy as np

from engine.sense.arithmetic import Floats, ecef, scales
from engine.sense.mass import SIGMA_PER_ACCURACY


class Fixes:
    """Columns over fixes: degrees, accuracy in metres (0 or more), sigma, scale of the local plane, place in space."""

    def __init__(self, lon: Floats, lat: Floats, accuracy: Floats) -> None:
        self.lon, self.lat, self.accuracy = lon, lat, accuracy
        self.sigma = accuracy * SIGMA_PER_ACCURACY
        self.east, self.north = scales(lat)

    @classmethod
    def one(cls, lat: float, lon: float, accuracy: float = 0.0) -> "Fixes":
        """A single fix."""
        return cls(np.array([float(lon)]), np.array([float(lat)]), np.array([float(accuracy)]))

    def __len__(self) -> int:
        return len(self.lon)

    @cached_property
    def space(self) -> tuple[Floats, Floats, Floats]:
        """Earth-centred metres; only circles ask for them."""
        return ecef(self.lat, self.lon)
