"""Elementary functions from + − × ÷ √ alone, in a fixed order.

On the way from a fix to a transition nothing else is used: a library's ``sin`` or ``exp`` may round differently for a
vector of one and a vector of many, or on another machine, and then how signals are batched would show.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SEMI_MAJOR = 6378137.0  # WGS 84
FLATTENING = 1 / 298.257223563
ECCENTRICITY2 = FLATTENING * (2 - FLATTENING)
MEAN_RADIUS = 6371008.8
RADIANS = 0.017453292519943295  # per degree

_SIN = [1.0]
_COS = [1.0]
for _k in range(1, 9):
    _SIN.append(-_SIN[-1] / ((2 * _k) * (2 * _k + 1)))
    _COS.append(-_COS[-1] / ((2 * _k - 1) * (2 * _k)))
_EXP = [1.0]
for _k in range(1, 14):
    _EXP.append(-_EXP[-1] / _k)
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_ASIN = (1.0, 1 / 6, 3 / 40, 15 / 336, 105 / 3456, 945 / 42240, 10395 / 599040)


def polynomial(coefficients: list[float] | tuple[float, ...], x: Floats) -> Floats:
    """Horner's rule, lowest coefficient first."""
    total = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        total += coefficient
        total *= x
    total += coefficients[0]
    return total


def sin_cos(degrees: Floats) -> tuple[Floats, Floats]:
    """Sine and cosine of angles in degrees (|angle| up to some thousands), to about 2e-16."""
    turns = np.rint(degrees / 90.0)
    r = (degrees - 90.0 * turns) * RADIANS
    r2 = r * r
    s, c = polynomial(_SIN, r2) * r, polynomial(_COS, r2)
    quadrant = turns.astype(np.int64) & 3
    odd = (quadrant & 1).astype(np.bool_)
    sine, cosine = np.where(odd, c, s), np.where(odd, s, c)
    return np.where(quadrant >= 2, -sine, sine), np.where((quadrant == 1) | (quadrant == 2), -cosine, cosine)


def exp_negative(x: Floats) -> Floats:
    """``e**-x`` for x >= 0, to about 1e-15; 0 beyond 700."""
    x = np.minimum(x, 700.0)
    halvings = np.rint(x * 1.4426950408889634)
    r = (x - halvings * _LN2_HIGH) - halvings * _LN2_LOW
    return np.ldexp(polynomial(_EXP, r), -halvings.astype(np.int32))


def erf_positive(x: Floats) -> Floats:
    """The error function for x >= 0, to 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * x)
    series = polynomial((0.0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429), t)
    return 1.0 - series * exp_negative(x * x)


def ecef(lat: Floats, lon: Floats) -> tuple[Floats, Floats, Floats]:
    """Earth-centred metres of points on the WGS 84 ellipsoid."""
    sin_lat, cos_lat = sin_cos(lat)
    sin_lon, cos_lon = sin_cos(lon)
    normal = SEMI_MAJOR / np.sqrt(1.0 - ECCENTRICITY2 * sin_lat * sin_lat)
    return normal * cos_lat * cos_lon, normal * cos_lat * sin_lon, normal * (1.0 - ECCENTRICITY2) * sin_lat


def metres_per_degree(lat: Floats) -> tuple[Floats, Floats]:
    """Metres per degree of longitude and of latitude, at these latitudes."""
    sin_lat, cos_lat = sin_cos(lat)
    w2 = 1.0 - ECCENTRICITY2 * sin_lat * sin_lat
    normal = SEMI_MAJOR / np.sqrt(w2)
    return normal * cos_lat * RADIANS, normal * (1.0 - ECCENTRICITY2) / w2 * RADIANS


_SCALE_STEPS = 20  # rows per degree of latitude


@cache
def scale_table() -> Floats:
    """Rows every 1/20 degree of latitude from the south pole: metres per degree east, what is added to it until the
    next row, and the same for north."""
    rows = 180 * _SCALE_STEPS
    east, north = metres_per_degree(np.arange(rows + 1) / float(_SCALE_STEPS) - 90.0)
    return np.column_stack([east[:-1], np.diff(east), north[:-1], np.diff(north)])


def scales(lat: Floats) -> tuple[Floats, Floats]:
    """``metres_per_degree`` from a table, within 5e-7 of it up to 80 degrees of latitude."""
    table = scale_table()
    x = (lat + 90.0) * float(_SCALE_STEPS)
    row = np.minimum(np.maximum(x.astype(np.int64), 0), len(table) - 1)
    share = x - row
    found = table.take(row, axis=0)
    return found[:, 0] + share * found[:, 1], found[:, 2] + share * found[:, 3]


def arc(chord2: Floats) -> Floats:
    """Metres along the Earth between points whose straight distance squared is ``chord2``; within 0.1 % anywhere."""
    u2 = np.minimum(chord2 * (0.25 / (MEAN_RADIUS * MEAN_RADIUS)), 1.0)
    # asin u = 2 asin(u / sqrt(2 + 2 sqrt(1 - u²))), twice: the series is then only asked for u <= 0.39
    v2 = u2 / (2.0 + 2.0 * np.sqrt(1.0 - u2))
    w2 = v2 / (2.0 + 2.0 * np.sqrt(1.0 - v2))
    return (8.0 * MEAN_RADIUS) * (np.sqrt(w2) * polynomial(_ASIN, w2))


def wrap(degrees: Floats) -> Floats:
    """A difference of longitudes brought into ±180."""
    return degrees - 360.0 * np.rint(degrees / 360.0)
