"""Rules as data: what an authored file says, parsed and checked, with nothing left to look up."""

from typing import Any, Literal

from msgspec import Struct, field

Status = Literal["live", "draft", "paused", "ended"]
Purpose = Literal["marketing", "service", "transactional"]

# ------------------------------------------------------------------ expressions


class Name(Struct, frozen=True, tag="name"):
    """A dotted name: ("profile", "first_name"). The first part is one of profile context fence device person event
    global."""

    path: tuple[str, ...]


class Literal_(Struct, frozen=True, tag="literal"):  # noqa: N801  typing has the plain name
    """A constant: text, number, true/false, or a tuple of them (for ``in`` and ``between``)."""

    value: Any


class Compare(Struct, frozen=True, tag="compare"):
    """``op`` is one of = != < <= > >= in not-in contains between exists (``right`` is None for exists)."""

    op: str
    left: "Expr"
    right: "Expr | None"


class Arith(Struct, frozen=True, tag="arith"):
    """``op`` is one of + - * /, on numbers."""

    op: str
    left: "Expr"
    right: "Expr"


class Logic(Struct, frozen=True, tag="logic"):
    """``op`` is and / or, over two or more items."""

    op: Literal["and", "or"]
    items: "tuple[Expr, ...]"


class Not(Struct, frozen=True, tag="not"):
    """The negation of an expression; of unknown it is unknown."""

    item: "Expr"


Expr = Name | Literal_ | Compare | Arith | Logic | Not

# ------------------------------------------------------------------ targets and conditions


class Target(Struct, frozen=True):
    """``cafe-mitte or tag bakery``: fence ids and tags, any of which fits."""

    fences: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Authored(Struct, frozen=True, kw_only=True):
    """Where a condition stands in its file, and its text, for traces."""

    text: str = ""
    where: str = ""  # file:line


class Expression(Authored, frozen=True, tag="expression"):
    """A line such as ``fence.weather.temp_c < 12``."""

    expr: Expr


class DayTime(Struct, frozen=True):
    """``mon-fri 08:00-10:15``: weekdays (0 = Monday), minutes of the local day; an end before the start wraps.

    ``dates``: only from the first to the last of these ISO local dates; ``holidays``: only on public holidays of that
    country (``DE``, or a part of it: ``DE-BE``)."""

    days: tuple[int, ...]
    start: int
    end: int
    dates: tuple[str, str] | None = None
    holidays: str = ""


class LocalTime(Authored, frozen=True, tag="local_time"):
    """Any of ``spans`` and none of ``but``, in the person's local time."""

    spans: tuple[DayTime, ...]
    but: tuple[DayTime, ...] = ()


class InSegment(Authored, frozen=True, tag="in_segment"):
    """The person is in any of these segments."""

    segments: tuple[str, ...]


class Inside(Authored, frozen=True, tag="inside"):
    """A device of the person is inside the target now."""

    target: Target


class Near(Authored, frozen=True, tag="near"):
    """The triggering device is within ``metres`` of the target's border (or inside)."""

    target: Target
    metres: float


class Visited(Authored, frozen=True, tag="visited"):
    """Finished and earlier visits to the target, at least ``times``, that were under way in the last ``seconds``."""

    target: Target
    times: int
    seconds: float


class Did(Authored, frozen=True, tag="did"):
    """The event happened at least ``times`` in the last ``seconds``, where the expression (over ``event.``) holds."""

    event: str
    times: int
    seconds: float
    filter: Expr | None = None


class Step(Struct, frozen=True):
    """One thing of a sequence: ``kind`` enter, exit or dwell (of ``target``, for ``seconds``) or event (``event``,
    where ``filter`` holds), at most ``within`` seconds after the step before."""

    kind: Literal["enter", "exit", "dwell", "event"]
    within: float = 0.0
    target: Target | None = None
    seconds: float = 0.0
    event: str = ""
    filter: Expr | None = None


class InOrder(Authored, frozen=True, tag="sequence"):
    """The person went through the steps in this order, beginning in the last ``seconds``."""

    steps: tuple[Step, ...]
    seconds: float


class AnyOf(Authored, frozen=True, tag="any_of"):
    """At least one holds."""

    items: "tuple[Condition, ...]"


class AllOf(Authored, frozen=True, tag="all_of"):
    """Every one holds."""

    items: "tuple[Condition, ...]"


class NoneOf(Authored, frozen=True, tag="none_of"):
    """None holds; unknown stays unknown."""

    items: "tuple[Condition, ...]"


Condition = Expression | LocalTime | InSegment | Inside | Near | Visited | Did | InOrder | AnyOf | AllOf | NoneOf

# ------------------------------------------------------------------ triggers


class OnTransition(Struct, frozen=True, tag="transition"):
    """``enters``, ``exits``, ``dwells``, ``crosses`` or ``approaches``: wakes on that transition of any fence in the
    target."""

    kind: Literal["enter", "exit", "dwell", "cross", "approach"]
    target: Target
    seconds: float = 0.0  # dwell; approach: to arrival, or
    initial: Literal["fire", "ignore"] = "fire"
    where: str = ""
    metres: float = 0.0  # to the border (approach)


class OnEvent(Struct, frozen=True, tag="event"):
    """``event: app_open``."""

    event: str
    where: str = ""


class Recurrence(Struct, frozen=True):
    """Local times that come again: ``times`` (minutes of the day, sorted) of every day that fits ``months`` (1-12),
    ``days`` of the month (1-31) and ``weekdays`` (0 = Monday); empty means any. ``either``: a day of the month or a
    weekday is enough, as cron has it where both are given."""

    times: tuple[int, ...]
    weekdays: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    either: bool = False


class Audience(Struct, frozen=True):
    """Whom a schedule is for: those inside ``target``, those in any of ``segments``; with neither, everyone."""

    target: Target | None = None
    segments: tuple[str, ...] = ()


class OnSchedule(Struct, frozen=True, tag="schedule"):
    """``schedule: every weekday at 11:30``, by the clock of each person or of the project."""

    recurrence: Recurrence
    audience: Audience = Audience()
    clock: Literal["person", "project"] = "person"
    text: str = ""
    where: str = ""


Outcome = Literal["delivered", "opened", "clicked", "dismissed", "useful", "not_useful", "converted"]


class OnAfter(Struct, frozen=True, tag="after"):
    """``after: hello clicked, within 2 hours``: what became of another rule's message, counted from its delivery.
    ``missing``: it did not become that (``not converted``) in all that time. ``within`` None: of the other rule."""

    rule: str
    outcome: Outcome
    missing: bool = False
    within: float | None = None
    where: str = ""


Trigger = OnTransition | OnEvent | OnSchedule | OnAfter

# ------------------------------------------------------------------ the rest of a rule


class Cap(Struct, frozen=True):
    """At most ``count`` per window: a rolling number of seconds, or the local calendar ``day`` / ``week`` (Monday)."""

    count: int
    per: float | Literal["day", "week"]


class MessageText(Struct, frozen=True):
    """Templates (Liquid). Empty: not given."""

    title: str = ""
    body: str = ""
    link: str = ""
    data: dict[str, str] = field(default_factory=dict)


class MessageSpec(Struct, frozen=True):
    """The message of a rule: channels in the order they are tried, texts, and texts by language."""

    text: MessageText
    channels: tuple[str, ...] = ()  # empty: the first channel of config.toml
    languages: dict[str, MessageText] = field(default_factory=dict)
    send_within: float | None = None
    where: str = ""


class Limits(Struct, frozen=True):
    """Caps of one rule: for each person and for all together."""

    per_person: tuple[Cap, ...] = ()
    total: tuple[Cap, ...] = ()


class Conversion(Struct, frozen=True):
    """The event a rule is for, and how long after the moment it counts (seconds)."""

    event: str
    within: float = 259200.0


class Rule(Struct, frozen=True):
    """One authored rule. Durations are seconds; ``runs`` are local dates (ISO), both ends included."""

    id: str
    when: tuple[Trigger, ...]
    message: MessageSpec
    only_if: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    about: str = ""
    owner: str = ""
    status: Status = "live"
    purpose: Purpose = "marketing"
    runs: tuple[str | None, str | None] = (None, None)
    priority: float = 50.0
    journey: str | None = None
    stage: str | None = None
    offer: str | None = None
    limits: Limits = Limits()
    cooldown: float | None = None  # None: the project's
    conversion: Conversion | None = None
    control_group: float = 0.0  # share of people, 0-1
    where: str = ""
    canary: float = 1.0  # share of people whom it reaches at all, 0-1
    estimate: Cap | None = None  # how much it is expected to send, to everybody together


class Offer(Struct, frozen=True):
    """An offer of ``rules/offers.yaml``. ``stock`` None: endless; ``valid_until`` an ISO local date or instant;
    ``codes``: one for each person, in the order in which they are given."""

    id: str
    title: str = ""
    code: str = ""
    stock: int | None = None
    valid_until: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


class Segment(Struct, frozen=True):
    """A named group of people: every line must hold."""

    id: str
    only_if: tuple[Condition, ...]
    where: str = ""


class Stage(Struct, frozen=True):
    """One stage of a journey: what the person expects there, the response intended, what it is for, and on what
    channels."""

    id: str
    expectation: str = ""
    response: str = ""
    goal: str = ""
    channels: tuple[str, ...] = ()
    where: str = ""


class Journey(Struct, frozen=True):
    """A journey of ``rules/journeys.yaml``: whose it is, and its stages in order."""

    id: str
    persona: str = ""
    about: str = ""
    owner: str = ""
    stages: tuple[Stage, ...] = ()
    where: str = ""
