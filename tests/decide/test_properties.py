"""Whatever comes: never above a cap, never in quiet hours, no matter in which order, and given back exactly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decide import give_back, load_zone, next_quiet, quiet_until
from engine.model.person import Person, Profile
from engine.model.reason import Verdict
from engine.model.rule import Cap, Offer

bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham")
# Around the changes of 2026 in all of them, and plain days between.
STARTS = [datetime(2026, month, day, tzinfo=UTC).timestamp() for month, day in
          ((3, 28), (4, 4), (9, 5), (9, 26), (10, 3), (10, 24), (11, 24))]  # fmt: skip
instants = st.builds(lambda start, hours: start + hours * 3600.0, st.sampled_from(STARTS), st.floats(0, 60))
minutes = st.integers(0, 1439)
spans = st.tuples(minutes, minutes)
caps = st.builds(
    Cap, st.integers(0, 4), st.one_of(st.sampled_from(["day", "week"]), st.sampled_from([600.0, 21600.0, 604800.0]))
)


def quiet_oracle(t, zone, quiet):
    """By the book: what the wall clock shows, minute by minute."""
    local = datetime.fromtimestamp(int(t // 1), zone)
    minute, (start, end) = local.hour * 60 + local.minute, quiet
    return start <= minute < end if start <= end else minute >= start or minute < end


def days_of(times, zone, per):
    local = [datetime.fromtimestamp(t, zone).date() for t in times]
    return local if per == "day" else [day - timedelta(day.weekday()) for day in local]


def most_in_window(times, cap, zone):
    """The fullest window of the cap that any of the times ends."""
    if isinstance(cap.per, str):
        days = days_of(times, zone, cap.per)
        return max((days.count(day) for day in days), default=0)
    return max((sum(1 for t in times if end - cap.per < t <= end) for end in times), default=0)


@bounded
@given(instants, st.sampled_from(ZONES), spans)
def test_quiet_until_and_next_quiet_equal_a_walk_over_the_wall_clock(now, name, quiet):
    zone = load_zone(name)
    now = float(int(now))
    walk = range(int(now), int(now) + 50 * 3600, 15)
    inside = quiet_oracle(now, zone, quiet)
    until = quiet_until(now, zone, quiet)
    assert (until is not None) == inside
    if until is not None:
        assert not quiet_oracle(until, zone, quiet)
        assert all(quiet_oracle(t, zone, quiet) for t in walk if t < until)
    start = next_quiet(now, zone, quiet)
    if start is not None:
        assert quiet_oracle(start, zone, quiet)
    assert not any(quiet_oracle(t, zone, quiet) for t in walk if start is None or t < start)


@bounded
@given(
    st.lists(st.tuples(st.floats(0, 20000), st.sampled_from("abc"), st.sampled_from(["f", "g"])), max_size=40),
    st.sampled_from(STARTS),
    st.sampled_from(ZONES),
    st.lists(caps, min_size=1, max_size=2),
    st.one_of(st.none(), spans),
)
def test_never_above_a_cap(desk, steps, start, zone, limits, quiet):
    rules = [desk.rule("a", send_within=86400.0), desk.rule("b", per_person=(limits[0],)), desk.rule("c")]
    d = desk(*rules, zone=zone, caps=tuple(limits), quiet_hours=quiet)
    now, sent = start, []
    for gap, rule, fence in steps:
        now += gap
        decided = d.one(next(r for r in rules if r.id == rule), now, fence=fence)
        if decided.decision.verdict is not Verdict.SUPPRESS:
            sent.append((decided.decision.until or now, rule))
    for cap in limits:
        assert most_in_window([t for t, _ in sent], cap, d.zone) <= cap.count
    assert most_in_window([t for t, rule in sent if rule == "b"], limits[0], d.zone) <= limits[0].count


@bounded
@given(
    st.lists(st.tuples(st.floats(0, 9000), st.booleans()), max_size=40),
    st.sampled_from(STARTS),
    st.sampled_from(ZONES),
    caps,
)
def test_never_above_a_total_nor_out_of_stock(desk, steps, start, zone, total):
    d = desk(desk.rule(total=(total,), offer="o"), offers=[Offer("o", stock=12)], time_zone=zone)
    now, sent = start, {}
    for i, (gap, fails) in enumerate(steps):
        now += gap
        person = Person(f"p{i}")
        decided = d.one(now=now, person=person)
        if decided.decision.verdict is Verdict.SEND and not (fails and give_back(person, d.state, decided.moment)):
            sent[decided.moment] = now
    times = list(sent.values())
    assert most_in_window(times, total, load_zone(zone)) <= total.count
    assert len(times) == d.state.stock.get("o", 0) <= 12


@bounded
@given(instants, st.sampled_from(ZONES), spans, st.floats(1, 200000), st.floats(0, 50000))
def test_never_in_quiet_hours(desk, now, zone, quiet, send_within, late):
    d = desk(desk.rule(send_within=send_within), zone=zone, quiet_hours=quiet)
    decision = d.one(now=now, cause_at=now - late).decision
    if decision.verdict is Verdict.SUPPRESS:
        return
    begins = decision.until or now
    assert (decision.verdict is Verdict.HOLD) == quiet_oracle(now, d.zone, quiet)
    assert now <= begins < decision.deadline <= now - late + send_within
    step = max(20.0, (decision.deadline - begins) / 500)
    walk = [begins + k * step for k in range(500) if begins + k * step < decision.deadline]
    assert not any(quiet_oracle(t, d.zone, quiet) for t in walk)


@bounded
@given(st.data())
def test_arbitration_does_not_depend_on_the_order_of_candidates(desk, data):
    n = data.draw(st.integers(1, 5))
    rules = [
        desk.rule(
            f"r{i}",
            priority=float(data.draw(st.integers(0, 2))),
            status=data.draw(st.sampled_from(["live", "live", "live", "draft"])),
            purpose=data.draw(st.sampled_from(["marketing", "service", "transactional"])),
            control_group=data.draw(st.sampled_from([0.0, 0.5])),
        )
        for i in range(n)
    ]
    scores = [data.draw(st.sampled_from([None, 0.0, 1.0, float("nan")])) for _ in rules]
    order = data.draw(st.permutations(range(n)))
    guard, consent = data.draw(st.integers(0, 1)), {"service": data.draw(st.booleans())}
    results = []
    for indexes in (range(n), order):
        d = desk(*rules, guard=guard, caps=(Cap(1, "day"),))
        d.person.profile = Profile(consent=consent)
        decided = d.decide([d.candidate(rules[i], id=f"t{i}", score=scores[i]) for i in indexes])
        results.append(
            (
                {one.moment: (one.decision, one.channels, one.expires) for one in decided},
                d.person,
                d.state.switches,
                d.state.rule_sends,
            )
        )
    assert results[0] == results[1]
    going = [one for one in results[0][0].values() if one[0].verdict is not Verdict.SUPPRESS]
    assert len(going) <= 1


@bounded
@given(st.lists(st.tuples(st.floats(0, 4000), st.integers(0, 40)), max_size=30))
def test_giving_back_in_any_order_and_twice_leaves_what_is_outstanding(desk, steps):
    d = desk(
        desk.rule(total=(Cap(5, "day"), Cap(5, 7200.0)), offer="o"),
        offers=[Offer("o", stock=6)],
        caps=(Cap(6, "week"),),
    )
    now, moments, returned = STARTS[-1], [], set()
    for gap, back in steps:
        now += gap
        decided = d.one(now=now)
        if decided.decision.verdict is Verdict.SEND:
            moments.append(decided.moment)
        if back < len(moments):
            assert give_back(d.person, d.state, moments[back]) == (moments[back] not in returned)
            returned.add(moments[back])
    outstanding = [moment for moment in moments if moment not in returned]
    assert [sent.moment for sent in d.person.sent] == outstanding
    assert d.state.stock.get("o", 0) == len(outstanding)


@pytest.mark.parametrize("purpose", ["marketing", "service"])
def test_a_week_of_a_busy_person_stays_within_the_default_limits(desk, purpose):
    d = desk(
        desk.rule(purpose=purpose),
        caps=(Cap(3, "day"), Cap(10, 7 * 86400.0)),
        cooldown=21600.0,
        quiet_hours=(1260, 480),
    )
    start = d.at("2026-10-19 00:00")
    times = [
        now
        for now in (start + i * 900.0 for i in range(7 * 96 + 4))
        if d.one(now=now, fence=f"f{int(now) % 5}").decision.verdict is Verdict.SEND
    ]
    per_day = days_of(times, d.zone, "day")
    most = max(per_day.count(day) for day in per_day)
    if purpose == "marketing":
        assert (len(times), most) == (10, 3)
    else:
        assert len(times) > 10
    assert {datetime.fromtimestamp(t, d.zone).hour for t in times} <= set(range(8, 21))
