"""The local times of a scenario."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.author.scenario_parts import Span, TimeOfDay

MIDNIGHT = datetime.min.time()


class Local(Struct, frozen=True):
    """The zone in which a scenario's times are meant, and the instant at which it begins."""

    zone: str
    begins: float

    def at(self, instant: float) -> datetime:
        """The local time, without its zone."""
        return datetime.fromtimestamp(instant, ZoneInfo(self.zone)).replace(tzinfo=None)

    def clock(self, instant: float) -> str:
        """``08:05``, with seconds where there are any."""
        local = self.at(instant)
        return local.strftime("%H:%M:%S" if local.second else "%H:%M")

    def day(self, instant: float) -> str:
        """``Tue 2026-11-24``."""
        return self.at(instant).strftime("%a %Y-%m-%d")

    def within(self, instant: float, span: Span) -> bool:
        """Whether it lies in the span; times without a day are meant of any day."""
        local = self.at(instant)
        first = self._day(span.first, local.date(), back=True)
        last = first if span.last.day is None else self._day(span.last, first, back=False)
        begins = datetime.combine(first, MIDNIGHT) + timedelta(seconds=span.first.seconds)
        ends = datetime.combine(last, MIDNIGHT) + timedelta(seconds=span.last.seconds + span.last.precision)
        return begins <= local < ends

    def _day(self, time: TimeOfDay, near: date, back: bool) -> date:
        """The day that is meant; of weekdays the one before ``near`` (or on it), or the one after."""
        if isinstance(time.day, int):
            ahead = (time.day - near.weekday()) % 7
            return near + timedelta(days=ahead - 7 if back and ahead else ahead)
        if time.day == "next":
            return self.at(self.begins).date() + timedelta(days=1)
        return near if time.day is None else date.fromisoformat(time.day)
