"""Which local time is a person's: profile, else place, else project, else UTC; the name used goes into the trace.

Zones come from the ``tzdata`` package, not from the machine: rules for local time are part of the build, so a replay on
another machine decides alike.
"""

from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzfpy

from engine.model.fence import Fence, first

Point = tuple[float, float]  # lon, lat


def resolve_zone(
    profile: str | None, fence: Fence | None, project: str | None, at: Point | None = None
) -> tuple[ZoneInfo, str]:
    """The zone and its name. A name that is no zone falls through to the next; ``at`` (lon, lat) is where the device
    is, asked when there is no fence."""
    if profile and (zone := load_zone(profile)) is not None:
        return zone, profile
    point = anchor(fence) if fence is not None else at
    for name in (zone_name_at(*point) if point is not None else "", project):
        if name and (zone := load_zone(name)) is not None:
            return zone, name
    return utc(), "UTC"


def anchor(fence: Fence) -> Point:
    """A point that stands for the fence: a circle's centre, otherwise its first vertex."""
    return first(fence.shape)


@lru_cache(maxsize=4096)
def zone_name_at(lon: float, lat: float) -> str:
    """The zone's name at a point; "" where there is none. The first question reads the tables, which takes a fifth of a
    second and all threads with it; each later one some microseconds."""
    return str(tzfpy.get_tz(lon, lat))


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, or None. Only listed names are opened: a profile's text never becomes a path."""
    if name not in zone_names():
        return None
    *folders, file = name.split("/")
    with resources.files("tzdata").joinpath("zoneinfo", *folders, file).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def zone_names() -> frozenset[str]:
    """Every zone name of the build."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


def utc() -> ZoneInfo:
    """The last resort."""
    zone = load_zone("UTC")
    assert zone is not None, "tzdata has no UTC: the installation is broken"
    return zone
