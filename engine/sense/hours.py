"""When a fence is open: by its schedule and validity, in its own time zone. All else here is in device time."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import tzfpy

from engine.model.fence import Fence, Shape, first
from engine.model.rule import DayTime

_DAY = 1440  # minutes
_YEARS = 2  # how far ahead a change is looked for
_KEPT = 8  # stretches remembered per fence


class Hours:
    """Opening hours. Spans of a day that begin on it; one that ends before it starts goes on into the next day."""

    def __init__(
        self,
        spans: Iterable[DayTime],
        but: Iterable[DayTime],
        valid: tuple[str | None, str | None],
        zone: ZoneInfo,
    ) -> None:
        self._spans, self._but, self.zone = tuple(spans), tuple(but), zone
        self._first, self._last = (None if day is None else date.fromisoformat(day) for day in valid)
        self._kept: list[tuple[float, float, bool]] = []  # from, until, open; the latest asked for first

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hours) and self._terms() == other._terms()

    def __hash__(self) -> int:
        return hash(self._terms())

    def _terms(self) -> tuple[object, ...]:
        return self._spans, self._but, self._first, self._last, self.zone.key

    @classmethod
    def of(cls, fence: Fence) -> "Hours":
        """The hours of a fence; one that says nothing of them is always open."""
        return cls(fence.open, fence.but, fence.valid, zone_of(*middle(fence.shape)))

    def open(self, at: float) -> bool:
        """Whether it is open at that instant."""
        return self._stretch(at)[2]

    def change(self, at: float) -> float:
        """The first instant after ``at`` at which it opens or closes; infinite where none is near."""
        return self._stretch(at)[1]

    def _stretch(self, at: float) -> tuple[float, float, bool]:
        for stretch in self._kept:
            if stretch[0] <= at < stretch[1]:
                return stretch
        self._kept = [self._find(at), *self._kept[: _KEPT - 1]]
        return self._kept[0]

    def _find(self, at: float) -> tuple[float, float, bool]:
        """The stretch of time around ``at`` in which nothing changes (its beginning is looked for a day back only)."""
        here = datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        now, start = self._open(here), at
        day = here.date() - timedelta(days=1)
        for _ in range(366 * _YEARS):
            for edge in self._edges(day):
                if edge <= at:
                    start = edge if start == at or edge > start else start
                elif self._open(datetime.fromtimestamp(edge, UTC).astimezone(self.zone)) != now:
                    return start, edge, now
            day = self._next(day, here.date())
        return start, float("inf"), now

    def _next(self, day: date, today: date) -> date:
        """The following day; days before a validity that is still to come are passed over."""
        if self._first is not None and today < day < self._first - timedelta(days=2):
            return self._first - timedelta(days=2)
        return day + timedelta(days=1)

    def _edges(self, day: date) -> list[float]:
        """The instants of a local day at which the answer may change, in order."""
        minutes = {0, *(edge % _DAY for span in (*self._spans, *self._but) for edge in (span.start, span.end))}
        midnight = datetime.combine(day, time())
        locals_ = [midnight + timedelta(minutes=minute) for minute in minutes]
        # an hour that comes twice opens and closes twice
        found = {local.replace(tzinfo=self.zone, fold=fold).timestamp() for local in locals_ for fold in (0, 1)}
        start, end = ((midnight + timedelta(days=n)).replace(tzinfo=self.zone, fold=n).timestamp() for n in (0, 1))
        return sorted(found | _turn(start, end, self.zone))

    def _open(self, local: datetime) -> bool:
        today = local.date()
        if (self._first is not None and today < self._first) or (self._last is not None and today > self._last):
            return False
        if self._but and _within(self._but, local):
            return False
        return not self._spans or _within(self._spans, local)


def _within(spans: tuple[DayTime, ...], local: datetime) -> bool:
    minute, today, yesterday = local.hour * 60 + local.minute, local.date(), local.date() - timedelta(days=1)
    for span in spans:
        wraps = span.end <= span.start
        if _on(span, today) and span.start <= minute and (wraps or minute < span.end):
            return True
        if wraps and minute < span.end and _on(span, yesterday):
            return True
    return False


def _on(span: DayTime, day: date) -> bool:
    return day.weekday() in span.days and (span.dates is None or span.dates[0] <= day.isoformat() <= span.dates[1])


def _turn(low: float, high: float, zone: ZoneInfo) -> set[float]:
    """The second at which the clocks change between two instants, if they do."""

    def offset(at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()

    before = offset(low)
    if offset(high) == before:
        return set()
    while high - low > 1.0:
        middle = float(int((low + high) / 2.0))
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    return {high}


@lru_cache(maxsize=4096)
def zone_of(lon: float, lat: float) -> ZoneInfo:
    """The time zone of a place."""
    return ZoneInfo(tzfpy.get_tz(lon, lat) or "UTC")


def middle(shape: Shape) -> tuple[float, float]:
    """A place (lon, lat) that tells the time zone of a fence: of a circle its centre, else the first vertex."""
    lon, lat = first(shape)
    return (lon + 180.0) % 360.0 - 180.0, lat
