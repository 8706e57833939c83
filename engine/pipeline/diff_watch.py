"""What nobody may see in the new run, counted again, simply: nobody above a cap, nothing in quiet hours."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from engine.decide import cap_text, is_quiet, load_zone, localtime
from engine.model.moment import Moment
from engine.model.rule import Cap
from engine.pipeline.core import Core

UTC = ZoneInfo("UTC")


class Watch:
    """``alarms``: what happened that must not, and to whom (sorted ids)."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.alarms: dict[str, list[str]] = {}

    def sent(self, moment: Moment) -> None:
        """A message that goes, now or held till later."""
        if moment.test or moment.purpose == "transactional":
            return
        at = moment.decision.until or moment.at
        policy = self._core.compiled.release.policy.decide
        zone = load_zone(moment.decision.time_zone) or UTC
        if is_quiet(at, zone, policy.quiet_hours):
            self._alarm("in quiet hours", moment.person)
        person = self._core.state.people.get(moment.person)
        if moment.purpose != "marketing" or person is None:
            return
        times = [sent.at for sent in person.sent if sent.capped]
        for cap in policy.caps:
            if _most(times, cap, at, zone) > cap.count:
                self._alarm(f"above {cap_text(cap)}", moment.person)

    def _alarm(self, what: str, person: str) -> None:
        people = self.alarms.setdefault(what, [])
        if person not in people:
            people.append(person)


def _most(times: Sequence[float], cap: Cap, at: float, zone: ZoneInfo) -> int:
    """The most that any of the cap's windows around ``at`` holds."""
    if isinstance(cap.per, str):
        day, days = localtime.day(at, zone), 1
        if cap.per == "week":
            day, days = localtime.monday(day), 7
        start, end = localtime.day_start(day, zone), localtime.day_start(day + days, zone)
        return sum(1 for t in times if start <= t < end)
    length = cap.per
    ends = [t for t in times if at <= t < at + length]
    return max((sum(1 for t in times if end - length < t <= end) for end in ends), default=0)
