"""One-time codes over the whole pipeline: what messages say, failures, restarts, releases."""

from engine.author.project import Bundle
from engine.model.moment import Effects
from engine.model.record import Attempt, Frame, Genesis, ProfileChange, Record, ReleaseChange
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline.changes import changes
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.state import Checkpoint, decode_checkpoint, encode_checkpoint

START = 1_795_505_000.0
RULES = b"""
rules:
  gift:
    offer: cake
    when:
      event: hello
    message:
      body: "Say {{ offer.code }}"
"""
OFFERS = b"offers:\n  cake:\n    codes: codes/cake.txt\n"


def bundle(codes: str = "A1\nB2\n") -> Bundle:
    decide = DecidePolicy(quiet_hours=None, caps=(), cooldown=0.0)
    files = {"rules/a.yaml": RULES, "rules/offers.yaml": OFFERS, "rules/codes/cake.txt": codes.encode()}
    return Bundle(files, Policy(decide=decide))


class Line:
    """A core, and the records it was given one by one."""

    def __init__(self) -> None:
        self.core, self.now, self.frames = Core({}), START, list[Frame]()
        self.give(Genesis("p", "salt", 1))
        self.release(bundle())

    def release(self, files: Bundle) -> None:
        self.core.versions = {**self.core.versions, files.hash: compile_all(files)[0]}
        self.give(ReleaseChange(files.hash))

    def give(self, record: Record) -> Effects:
        self.now += 1.0
        self.frames.append(Frame(self.core.state.offset, self.now, [record]))
        return self.core.step(self.frames[-1:])

    def hello(self, device: str) -> Effects:
        return self.give(Signal(device, self.now, len(self.frames), id=str(self.now), event="hello"))

    def says(self, device: str) -> str:
        """What the device is told, or the reason why nothing."""
        (moment,) = self.hello(device).moments
        return moment.message.body if moment.message is not None else str(moment.decision.reason)

    def fail(self, fx: Effects) -> None:
        n = fx.notifications[0]
        self.give(Attempt(n.id, n.moment, n.person, n.channel, 1, "failed", self.now))


def test_messages_say_the_code_of_the_person() -> None:
    line = Line()
    assert [line.says(d) for d in ("d1", "d2", "d1", "d3")] == ["Say A1", "Say B2", "Say A1", "OUT_OF_STOCK"]


def test_a_failed_send_gives_the_code_back() -> None:
    line = Line()
    line.fail(line.hello("d1"))
    assert [line.says(d) for d in ("d2", "d3", "d4")] == ["Say B2", "Say A1", "OUT_OF_STOCK"]


def test_the_same_journal_gives_the_same_codes_however_it_is_cut_and_over_a_restart() -> None:
    line = Line()
    line.fail(line.hello("d1"))
    told = [line.says(d) for d in ("d2", "d3")]
    again = Core(line.core.versions)
    moments = again.step(line.frames).moments
    assert [m.message.body for m in moments if m.message is not None][-2:] == told
    blob = encode_checkpoint(Checkpoint(line.core.state, b""))
    assert encode_checkpoint(Checkpoint(again.state, b"")) == blob
    line.core = Core(line.core.versions, decode_checkpoint(blob).state)
    assert [line.says(d) for d in ("d2", "d3", "d4")] == [*told, "OUT_OF_STOCK"]


def test_a_release_with_another_file_keeps_who_has_which() -> None:
    line = Line()
    assert line.says("d1") == "Say A1"
    line.release(bundle("C3\nA1\n"))
    assert [line.says(d) for d in ("d1", "d2", "d3")] == ["Say A1", "Say C3", "OUT_OF_STOCK"]


def test_a_device_that_turns_out_to_be_somebodys_brings_its_code() -> None:
    line = Line()
    assert line.says("d1") == "Say A1"
    line.give(ProfileChange("anna", False, devices=("d1",)))
    assert line.says("d1") == "Say A1"
    assert line.says("d2") == "Say B2"


def test_changed_codes_are_told_by_number() -> None:
    old, new = (compile_all(bundle(codes))[0].release for codes in ("A1\nB2\n", "A1\nC3\nD4\n"))
    (change,) = changes(old, new)
    assert change.lines == ("codes: 3 instead of 2 (2 new, 1 gone)",)
