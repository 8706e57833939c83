"""A release: an immutable, content-hashed version of the authored files, parsed."""

from collections.abc import Sequence

from msgspec import Struct, field

from engine.model.fence import Fence
from engine.model.rule import Cap, Journey, Offer, Rule, Segment


class SensePolicy(Struct, frozen=True):
    """``[sense]`` of config.toml; lengths in metres, times in seconds."""

    default_accuracy: float = 25.0
    max_accuracy: float = 1000.0
    enter_probability: float = 0.75
    exit_probability: float = 0.90
    min_inside: float = 0.0
    min_outside: float = 60.0
    silence: float = 1800.0
    resume_within: float = 43200.0
    max_future: float = 300.0


class DecidePolicy(Struct, frozen=True):
    """``[decide]`` of config.toml. ``quiet_hours`` are minutes of the local day (start, end), or None."""

    time_zone: str = "UTC"
    quiet_hours: tuple[int, int] | None = (21 * 60, 8 * 60)
    caps: tuple[Cap, ...] = (Cap(3, "day"), Cap(10, 7 * 86400.0))
    cooldown: float = 21600.0
    send_within: float = 900.0
    window: float = 0.0


class TestPolicy(Struct, frozen=True):
    """``[test]``: who is a test person (exact ids or ``prefix*``) and where their messages go."""

    __test__ = False
    people: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("console",)


class Policy(Struct, frozen=True):
    """The part of config.toml that can change a decision: it travels inside the release."""

    sense: SensePolicy = SensePolicy()
    decide: DecidePolicy = DecidePolicy()
    test: TestPolicy = TestPolicy()
    sends_per_minute: int = 1000
    channels: tuple[str, ...] = ("console",)  # in config order; the first is the default
    matcher: str = "indexed"


class Release(Struct, frozen=True):
    """All that the core needs to know of the authored files. ``hash`` is the content hash of their canonical bundle."""

    hash: str
    rules: tuple[Rule, ...] = ()
    fences: Sequence[Fence] = ()  # by id; as ``Fences`` where they are many
    policy: Policy = Policy()
    segments: dict[str, Segment] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    journeys: dict[str, Journey] = field(default_factory=dict)
