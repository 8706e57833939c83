"""What deciding remembers: it is plain data, it is given back exactly, and it never depends on where it was cut."""

import copy
import os
import subprocess
import sys

import msgspec

from engine.decide import DecideState, apply_control, give_back
from engine.model.person import Person
from engine.model.record import Control
from engine.model.rule import Cap, Offer

T0 = 1_795_600_000.0


def busy(desk):
    rule = desk.rule(offer="o", total=(Cap(9, "day"), Cap(9, 3600.0), Cap(50, "week")), control_group=1e-9)
    return desk(rule, offers=[Offer("o", stock=9)], caps=(Cap(9, "day"),))


def test_state_survives_a_dump_and_goes_on_the_same(desk):
    d = busy(desk)
    for i in range(4):
        d.one(now=T0 + i)
    apply_control(d.state, Control("pause", "channel", "sms", "why", "ann"), T0)
    copied = DecideState.load(d.state.dump())
    assert copied == d.state
    assert copied.dump() == d.state.dump()
    before = [one.decision for one in d.decide([d.candidate(id="t", now=T0 + 9)], T0 + 9, keep=False)]
    d.state.__init__(**{name: getattr(copied, name) for name in copied.__struct_fields__})
    assert [one.decision for one in d.decide([d.candidate(id="t", now=T0 + 9)], T0 + 9)] == before


def test_an_empty_state_is_small():
    assert len(DecideState().dump()) < 100


def test_give_back_undoes_caps_totals_and_stock_exactly(desk):
    d = busy(desk)
    d.one(now=T0)
    guard = copy.deepcopy(d.state.rule_sends)
    before = copy.deepcopy((d.person, d.state))
    moment = d.one(now=T0 + 1).moment
    assert d.state.stock == {"o": 2}
    assert give_back(d.person, d.state, moment)
    assert d.person == before[0]
    assert d.state.rule_sends != guard  # the guard counts what was decided
    d.state.rule_sends = guard
    assert d.state == before[1]


def test_give_back_is_idempotent_and_knows_only_its_own(desk):
    d = busy(desk)
    first, second = d.one(now=T0).moment, d.one(now=T0 + 1).moment
    assert give_back(d.person, d.state, first)
    after = copy.deepcopy((d.person, d.state))
    assert not give_back(d.person, d.state, first)
    assert not give_back(d.person, d.state, "mom_unknown")
    assert not give_back(Person("p2"), d.state, second)
    assert (d.person, d.state) == after


def test_what_was_given_back_can_be_sent_again(desk):
    d = desk(desk.rule(offer="o", per_person=(Cap(1, "day"),)), offers=[Offer("o", stock=1)], cooldown=60.0)
    moment = d.one(now=T0).moment
    assert d.reason(now=T0) == "COOLDOWN"
    give_back(d.person, d.state, moment)
    assert d.reason(now=T0) == "OK"


def test_a_total_that_came_later_is_not_given_what_it_never_took(desk):
    d = desk()
    moment = d.one(now=T0).moment
    later = desk(desk.rule(total=(Cap(1, "day"),)))
    later.person, later.state.rule_totals = d.person, d.state.rule_totals
    later.one(now=T0 + 1, id="later")
    before = copy.deepcopy(later.state.rule_totals)
    give_back(later.person, later.state, moment)
    assert later.state.rule_totals == before


def test_stock_given_back_is_that_of_the_offer_taken_then(desk):
    offers = [Offer("old", stock=5), Offer("new", stock=5)]
    d = desk(desk.rule(offer="old"), offers=offers)
    moment = d.one(now=T0).moment
    later = desk(desk.rule(offer="new"), offers=offers)
    later.person, later.state.stock = d.person, d.state.stock
    later.one(now=T0 + 1, id="later")
    give_back(later.person, later.state, moment)
    assert later.state.stock == {"new": 1}


SCRIPT = """
from engine.decide import *
from engine.model.person import Person
from engine.model.release import *
from engine.model.rule import *
from engine.model.signal import Cause
import hashlib, msgspec
rules = tuple(Rule(f"r{i}", (), MessageSpec(MessageText("x")), priority=float(i % 3), control_group=0.3,
    limits=Limits((Cap(2, "day"),), (Cap(40, "day"), Cap(9, 600.0)))) for i in range(5))
state, zone = DecideState(), load_zone("Europe/Berlin")
decider = Decider(Release("r", rules), state, "salt")
out = hashlib.sha256()
for n in range(120):
    person, now = Person(f"p{n % 7}"), 1795600000.0 + n * 700
    cause = Cause(f"t{n}", "enter", now, fence=f"f{n % 3}")
    decided, holds = decider.decide([Candidate(r, cause, person, "d", None) for r in rules], now, zone, "Europe/Berlin")
    out.update(msgspec.msgpack.encode([decided, holds]))
out.update(state.dump())
print(out.hexdigest())
"""


def test_the_same_bytes_under_every_hash_seed():
    def run(seed):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True
        ).stdout

    assert run("1") == run("2") != ""


def test_a_decision_is_plain_data(desk):
    decision = busy(desk).one(now=T0).decision
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=type(decision)) == decision
