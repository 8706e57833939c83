"""Every key that a scenario file may hold, in one place: the reader, the schema and the documentation go by it."""

from collections.abc import Mapping

FILE = ("about", "places", "given", "others", "scenarios")
SCENARIO = ("about", "given", "steps", "expect", "others")
GIVEN = (
    *("clock", "person", "device", "profile", "people", "context", "facts"),
    *("visited", "did", "control_group", "failing"),
)
PROFILE = ("language", "time_zone", "consent")  # beside these, a profile holds attributes of any name

# ------------------------------------------------------------------ steps

EVERY_STEP = ("at", "person", "device")  # may stand beside any of the actions
_FIX = ("accuracy", "speed", "context", "late")
_MOVE = ("accuracy", "context", "every", "late")
STEPS: Mapping[str, tuple[str, ...]] = {  # an action, and what may stand beside it
    "arrives": _FIX,
    "leaves": _FIX,
    "stays": _MOVE,
    "walks": _MOVE,
    "rides": _MOVE,
    "drives": _MOVE,
    "follows": ("accuracy", "context", "late"),
    "event": ("with", "late"),
    "reports": ("context", "late"),
    "waits": ("silent",),
    "profile": (),
    "facts": ("for",),
    "feedback": (),
    "pauses": (),
    "resumes": ("drop",),
}

# ------------------------------------------------------------------ expectations

_WHO = ("person", "at", "times")
EXPECT: Mapping[str, tuple[str, ...]] = {  # what is expected, and what may be said of it
    "moment": (*_WHO, "channel", "says", "never_says", "link"),
    "held": (*_WHO, "until", "channel", "says", "never_says", "link"),
    "suppressed": (*_WHO, "reason", "because"),
    "none": ("person",),
}
OTHERS = ("refused", "allowed")
SWITCHES = ("rule", "channel", "geofence")  # what can be paused, beside everything
FEEDBACK = ("delivered", "opened", "clicked", "dismissed", "useful", "not_useful")
REPORTS = ("enter", "exit", "dwell")

SPEEDS: Mapping[str, float] = {"walks": 1.4, "rides": 4.6, "drives": 8.5}  # metres per second, where no time is given
