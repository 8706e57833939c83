"""``local_time``: weekdays and times of the local day."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.match.seen import Node, Seen
from engine.match.situation import Situation
from engine.model.rule import DayTime, LocalTime

DAY_MINUTES = 1440
SEARCH_DAYS = 8
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Week = tuple[tuple[tuple[int, int], ...], ...]


def compile_local_time(condition: LocalTime) -> Node:
    """Judged at journal time in the person's zone; the start belongs to the span, the end does not."""
    week = week_of(condition.spans)
    name = condition.text or "local_time"
    needs = " or ".join(_words(span) for span in condition.spans)

    def holds(s: Situation) -> bool:
        return _within(week, datetime.fromtimestamp(s.now, s.zone))

    def look(s: Situation) -> Seen:
        local = datetime.fromtimestamp(s.now, s.zone)
        saw = f"{_DAYS[local.weekday()]} {local:%H:%M} {s.zone.key}"
        return Seen(name, _within(week, local), saw, needs, where=condition.where, free=_turns(week, s.now, s.zone))

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


def _within(week: Week, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in week[local.weekday()])


def _turns(week: Week, now: float, zone: ZoneInfo) -> float | None:
    """The next instant at which the answer changes."""
    local = datetime.fromtimestamp(now, zone)
    current = _within(week, local)
    instants: set[float] = set()
    for offset in range(SEARCH_DAYS + 1):
        day = local.date() + timedelta(days=offset)
        minutes = {0, *(edge for span in week[day.weekday()] for edge in span)}
        instants.update(_instant(day, minute, zone) for minute in minutes)
    for instant in sorted(instants):
        if instant > now and _within(week, datetime.fromtimestamp(instant, zone)) is not current:
            return instant
    return None


def _instant(day: date, minute: int, zone: ZoneInfo) -> float:
    whole = day + timedelta(days=minute // DAY_MINUTES)
    clock = minute % DAY_MINUTES
    return datetime(whole.year, whole.month, whole.day, clock // 60, clock % 60, tzinfo=zone).timestamp()


def _words(span: DayTime) -> str:
    days = ",".join(_DAYS[day] for day in span.days)
    return f"{days} {_clock(span.start)}-{_clock(span.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
