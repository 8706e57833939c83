"""A local week as a set of its 10,080 minutes, held in one whole number."""

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from engine.model.rule import DayTime, LocalTime

DAY = 1440
WEEK = 7 * DAY
ALL = (1 << WEEK) - 1
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Week(Struct, frozen=True):
    """The minutes that may be. ``said`` are those for which somebody wrote a time of day, and not only a day."""

    mask: int = ALL
    said: int = 0

    @property
    def empty(self) -> bool:
        """No minute is left."""
        return not self.mask

    def meet(self, other: "Week") -> "Week":
        """The minutes of both."""
        mask = self.mask & other.mask
        return Week(mask, (self.said | other.said) & mask)

    def join(self, other: "Week") -> "Week":
        """The minutes of one or the other."""
        return Week(self.mask | other.mask, self.said | other.said)


def week_of(time: LocalTime, holds: bool = True) -> Week:
    """The minutes at which the line may hold (or may surely not). Dates and holidays are taken for any."""
    return _week(time.spans, bool(time.but), holds)


@lru_cache(maxsize=1024)  # rules share few times of day, and a week is more than a kilobyte
def _week(spans: tuple[DayTime, ...], but: bool, holds: bool) -> Week:
    mask = said = always = 0
    for span in spans:
        minutes = minutes_of(span)
        mask |= minutes
        if (span.end - span.start) % DAY:
            said |= minutes
        if span.dates is None and not span.holidays:
            always |= minutes
    if not holds:
        return Week(ALL if but else ALL & ~always)
    return Week(mask, 0 if but else said)


def minutes_of(span: DayTime) -> int:
    """The minutes of one span."""
    minutes = 0
    for day in span.days:
        minutes |= _span(day * DAY + span.start, (span.end - span.start) % DAY or DAY)
    return minutes


def every_day(start: int, length: int) -> int:
    """The same minutes of each day."""
    mask = 0
    for day in range(7):
        mask |= _span(day * DAY + start, length)
    return mask


def _span(start: int, length: int) -> int:
    """Minutes from ``start`` on, going on at the week's beginning where they pass its end."""
    bits = ((1 << length) - 1) << (start % WEEK)
    return (bits & ALL) | (bits >> WEEK)


def told(mask: int) -> str:
    """The minutes in words: ``07:00–08:00``, or with days where they differ."""
    days = {day: tuple(_runs(mask >> (day * DAY) & ((1 << DAY) - 1))) for day in range(7)}
    busy = [day for day in range(7) if days[day]]
    if len({days[day] for day in busy}) == 1:
        return _times(days[busy[0]])
    return "; ".join(f"{_DAYS[day]} {_times(days[day])}" for day in busy)


def _runs(minutes: int) -> Iterator[tuple[int, int]]:
    start = None
    for minute in range(DAY + 1):
        on = minute < DAY and minutes >> minute & 1
        if on and start is None:
            start = minute
        elif not on and start is not None:
            yield start, minute
            start = None


def _times(runs: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{a // 60:02}:{a % 60:02}–{b // 60:02}:{b % 60:02}" for a, b in runs)
