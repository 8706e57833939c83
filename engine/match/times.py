"""``local_time``: weekdays, dates, holidays and times of the local day."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from engine.match.holidays import calendar
from engine.match.seen import Node, Seen
from engine.match.situation import Situation
from engine.model.rule import DayTime, LocalTime

DAY_MINUTES = 1440
SEARCH_DAYS = 8
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Week = tuple[tuple[tuple[int, int], ...], ...]
OnDay = Callable[[date], bool]
Dated = tuple[OnDay, DayTime]


class Times:
    """Any of the spans. Those of plain weekdays are looked up; the others ask their calendars."""

    def __init__(self, spans: tuple[DayTime, ...]) -> None:
        self.week = week_of(tuple(span for span in spans if span.dates is None and not span.holidays))
        self.dated: tuple[Dated, ...] = tuple((_on(span), span) for span in spans if span.dates or span.holidays)

    def within(self, local: datetime) -> bool:
        """The start belongs to the span, the end does not; a span belongs to the day on which it starts."""
        minute = local.hour * 60 + local.minute
        for start, end in self.week[local.weekday()]:
            if start <= minute < end:
                return True
        if not self.dated:
            return False
        today = local.date()
        for on, span in self.dated:
            wraps = span.end <= span.start
            if on(today) and span.start <= minute and (wraps or minute < span.end):
                return True
            if wraps and minute < span.end and on(today - timedelta(days=1)):
                return True
        return False

    def edges(self, day: date) -> set[int]:
        """The minutes of that day at which the answer may change."""
        return {0, *(edge for span in self.week[day.weekday()] for edge in span)} | {
            minute % DAY_MINUTES for _, span in self.dated for minute in (span.start, span.end)
        }

    def days(self, today: date) -> set[date]:
        """Days to come, however far, on which dates begin or end."""
        found = {date.fromisoformat(day) for _, span in self.dated for day in span.dates or ()}
        return {day + timedelta(days=n) for day in found if day >= today for n in (0, 1)}


def compile_local_time(condition: LocalTime) -> Node:
    """Judged at journal time in the person's zone."""
    times, but = Times(condition.spans), Times(condition.but)
    name = condition.text or "local_time"
    needs = " or ".join(_words(span) for span in condition.spans)
    needs += f", not {' or '.join(_words(span) for span in condition.but)}" if condition.but else ""

    def without(local: datetime) -> bool:
        return times.within(local) and not but.within(local)

    within = without if condition.but else times.within

    def holds(s: Situation) -> bool:
        return within(datetime.fromtimestamp(s.now, s.zone))

    def look(s: Situation) -> Seen:
        local = datetime.fromtimestamp(s.now, s.zone)
        saw = f"{_DAYS[local.weekday()]} {_clock(local.hour * 60 + local.minute)} {s.zone.key}"
        if times.dated or but.dated:
            saw = f"{local:%Y-%m-%d} {saw}"
        free = partial(_turns, times, but, within, s.now, s.zone)
        return Seen(name, within(local), saw, needs, where=condition.where, free=free)

    return Node(holds, look)


def week_of(spans: tuple[DayTime, ...]) -> Week:
    """For each weekday the spans of minutes; one that ends before it starts goes on into the next day."""
    days: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for span in spans:
        for day in span.days:
            if span.start < span.end:
                days[day].append((span.start, span.end))
                continue
            days[day].append((span.start, DAY_MINUTES))
            if span.end > 0:
                days[(day + 1) % 7].append((0, span.end))
    return tuple(tuple(sorted(day)) for day in days)


def _on(span: DayTime) -> OnDay:
    """Whether a span with dates or holidays starts on a day."""
    days, dates = frozenset(span.days), span.dates
    holiday = calendar(span.holidays) if span.holidays else None

    def on(day: date) -> bool:
        if day.weekday() not in days or (dates is not None and not dates[0] <= day.isoformat() <= dates[1]):
            return False
        return holiday is None or holiday(day)

    return on


def _turns(times: Times, but: Times, within: Callable[[datetime], bool], now: float, zone: ZoneInfo) -> float | None:
    """The next instant at which the answer changes."""
    local = datetime.fromtimestamp(now, zone)
    current, today = within(local), local.date()
    days = {today + timedelta(days=offset) for offset in range(SEARCH_DAYS + 1)} | times.days(today) | but.days(today)
    for day in sorted(days):
        for instant in sorted(_instant(day, minute, zone) for minute in times.edges(day) | but.edges(day)):
            if instant > now and within(datetime.fromtimestamp(instant, zone)) is not current:
                return instant
    return None


def _instant(day: date, minute: int, zone: ZoneInfo) -> float:
    whole = day + timedelta(days=minute // DAY_MINUTES)
    clock = minute % DAY_MINUTES
    return datetime(whole.year, whole.month, whole.day, clock // 60, clock % 60, tzinfo=zone).timestamp()


def _words(span: DayTime) -> str:
    days = ",".join(_DAYS[day] for day in span.days)
    parts = [days] if not (span.dates or span.holidays) or len(span.days) < 7 else []
    if span.dates is not None:
        parts.append(span.dates[0] if span.dates[0] == span.dates[1] else " to ".join(span.dates))
    parts += [f"holidays in {span.holidays}"] if span.holidays else []
    if (span.start, span.end) != (0, DAY_MINUTES) or not (span.dates or span.holidays):
        parts.append(f"{_clock(span.start)}-{_clock(span.end)}")
    return " ".join(parts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
