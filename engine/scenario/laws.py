"""The promises that no rule file can break, held against what was sent. Plain and slow on purpose, and made without the
rooms that it judges."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.model.moment import Moment
from engine.model.record import Attempt, Frame, ProfileChange
from engine.model.release import Release
from engine.model.rule import Cap, Rule


class Violation(Struct, frozen=True):
    """One broken promise: which, when (journal time), of whom, by which rule, and in words."""

    law: str
    at: float
    person: str
    rule: str
    words: str


class Send(Struct, frozen=True):
    """One message that left, ``at`` journal time. Limits count it at the instant for which it was decided: a second
    attempt that comes later does not move it."""

    at: float
    channel: str
    moment: Moment
    consent: dict[str, bool]

    @property
    def counts(self) -> float:
        """The decision, or the end of its hold."""
        until = self.moment.decision.until
        return self.moment.at if until is None else until


def violations(release: Release, journal: Sequence[Frame], moments: Iterable[Moment]) -> list[Violation]:
    """Every broken promise, in order of time."""
    by_id = {moment.id: moment for moment in moments}
    sends = list(_sends(journal, by_id))
    rules = {rule.id: rule for rule in release.rules}
    counted = [send for send in sends if not send.moment.test]
    found = [*_once(sends), *_in_time(sends), *_consent(sends), *_quiet(release, counted)]
    found += [*_caps(release, counted), *_limits(release, rules, counted), *_cooldown(release, rules, counted)]
    return sorted(found, key=lambda violation: (violation.at, violation.law))


def _sends(journal: Sequence[Frame], moments: Mapping[str, Moment]) -> Iterator[Send]:
    """The attempts that were sent, each with the consent of that instant as profiles tell it."""
    consent: dict[str, dict[str, bool]] = {}
    for frame in journal:
        for record in frame.records:
            if isinstance(record, ProfileChange):
                held = {} if record.replace else dict(consent.get(record.person, {}))
                held.update({key: told for key, told in record.consent.items() if told is not None})
                gone = [key for key, told in record.consent.items() if told is None]
                consent[record.person] = {key: told for key, told in held.items() if key not in gone}
            elif isinstance(record, Attempt) and record.outcome == "sent" and record.moment in moments:
                moment = moments[record.moment]
                yield Send(frame.received, record.channel, moment, consent.get(moment.person, {}))


# ------------------------------------------------------------------ each message


def _once(sends: Sequence[Send]) -> Iterator[Violation]:
    seen: set[str] = set()
    for send in sends:
        if send.moment.id in seen:
            yield _broken("once", send, "it was sent twice")
        seen.add(send.moment.id)


def _in_time(sends: Sequence[Send]) -> Iterator[Violation]:
    for send in sends:
        if send.at >= send.moment.expires:
            yield _broken("in time", send, f"it was sent {send.at - send.moment.expires:.0f} s after its time")


def _consent(sends: Sequence[Send]) -> Iterator[Violation]:
    for send in sends:
        purpose = send.moment.purpose
        against = [
            key for key in (purpose, send.channel, f"{purpose}.{send.channel}") if send.consent.get(key) is False
        ]
        if against and purpose != "transactional":
            yield _broken("consent", send, f"the person said no to {' and '.join(against)}")


def _quiet(release: Release, sends: Sequence[Send]) -> Iterator[Violation]:
    quiet = release.policy.decide.quiet_hours
    if quiet is None:
        return
    start, end = quiet
    for send in sends:
        local = _local(send.at, send.moment.decision.time_zone)
        minute = local.hour * 60 + local.minute
        silent = start <= minute < end if start < end else minute >= start or minute < end
        if silent and send.moment.purpose != "transactional":
            yield _broken("quiet hours", send, f"it was {local:%H:%M} there")


# ------------------------------------------------------------------ many messages


def _caps(release: Release, sends: Sequence[Send]) -> Iterator[Violation]:
    for sent in _by([send for send in sends if send.moment.purpose == "marketing"], lambda s: s.moment.person):
        for cap in release.policy.decide.caps:
            yield from _overfull("cap", cap, sent, None)


def _limits(release: Release, rules: Mapping[str, Rule], sends: Sequence[Send]) -> Iterator[Violation]:
    project = release.policy.decide.time_zone
    for sent in _by(sends, lambda s: s.moment.rule):
        limits = rules[sent[0].moment.rule].limits
        for cap in limits.total:
            yield from _overfull("limit in total", cap, sent, project)
        for own in _by(sent, lambda s: s.moment.person):
            for cap in limits.per_person:
                yield from _overfull("limit per person", cap, own, None)


def _cooldown(release: Release, rules: Mapping[str, Rule], sends: Sequence[Send]) -> Iterator[Violation]:
    for sent in _by(sends, lambda s: f"{s.moment.rule}\n{s.moment.person}\n{s.moment.cause.fence}"):
        rule = rules[sent[0].moment.rule]
        cooldown = release.policy.decide.cooldown if rule.cooldown is None else rule.cooldown
        for before, send in pairwise(sent):
            if send.counts - before.counts < cooldown:
                yield _broken(
                    "cooldown", send, f"the last one was {send.counts - before.counts:.0f} s before ({cooldown:g})"
                )


def _overfull(law: str, cap: Cap, sent: Sequence[Send], zone: str | None) -> Iterator[Violation]:
    """Sends (in order of time) that are one too many in the window that ends with them."""
    for number, send in enumerate(sent):
        where = zone or send.moment.decision.time_zone
        begins = _window(cap, send.counts, where)
        inside = sum(1 for other in sent[: number + 1] if _since(cap, other.counts, begins))
        if inside > cap.count:
            per = cap.per if isinstance(cap.per, str) else f"{cap.per:g} s"
            yield _broken(law, send, f"it was number {inside} where {cap.count} per {per} are allowed")


def _window(cap: Cap, at: float, zone: str) -> float:
    """When the window began that ``at`` lies in, or ends with."""
    if not isinstance(cap.per, str):
        return at - cap.per
    midnight = _local(at, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if cap.per == "week":
        midnight -= timedelta(days=midnight.weekday())
    return midnight.timestamp()


def _since(cap: Cap, at: float, begins: float) -> bool:
    return at >= begins if isinstance(cap.per, str) else at > begins


def _by(sends: Sequence[Send], key: Callable[[Send], str]) -> Iterator[list[Send]]:
    """Groups, in order of their keys; each in order of time."""
    groups: dict[str, list[Send]] = {}
    for send in sends:
        groups.setdefault(key(send), []).append(send)
    yield from (sorted(groups[name], key=lambda send: send.counts) for name in sorted(groups))


def _local(at: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(zone))


def _broken(law: str, send: Send, words: str) -> Violation:
    return Violation(law, send.at, send.moment.person, send.moment.rule, words)
