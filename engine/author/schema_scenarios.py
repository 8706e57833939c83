"""The JSON Schema of ``*.test.yaml``, made from the table of keys that the reader of scenarios goes by."""

from typing import Any

from engine.author import scenario_keys as keys
from engine.author.schema_shapes import (
    DRAFT,
    DURATION,
    MAP,
    NAME,
    TEXT,
    YES_NO,
    Words,
    choice,
    keyed,
    number,
    one_or_many,
    ref,
)

GIVEN: Words = {
    "clock": (TEXT, "When it begins: 2026-11-24 08:00 Europe/Berlin."),
    "person": (NAME, "Who it is about."),
    "device": (NAME, "The device that the person carries."),
    "profile": (MAP, "What is known of the person: attributes, language, time_zone, consent."),
    "people": (MAP, "Further people, each with a profile."),
    "context": (MAP, "What the device said before."),
    "facts": (MAP, "Facts of a fence or global, as pushed from outside."),
    "visited": (one_or_many(TEXT), "office-park, for 8 hours, 3 days ago"),
    "did": (one_or_many(TEXT), "purchase with category=coffee, 2 hours ago"),
    "control_group": (one_or_many(TEXT), "Rules in whose control group the person is."),
    "failing": (one_or_many(TEXT), "Channels that fail."),
}
STEP: Words = {
    "at": (TEXT, "When: 08:05, next day 08:05, fri 18:00."),
    "person": (NAME, "Who does it."),
    "device": (NAME, "With which device."),
    "arrives": (TEXT, "At a fence, a position, or 300 m from cafe-mitte."),
    "leaves": (TEXT, "Goes away from a place."),
    "stays": (TEXT, "cafe-mitte, for 10 minutes"),
    "walks": (TEXT, "from home to cafe-mitte, in 10 minutes"),
    "rides": (TEXT, "from home to cafe-mitte, in 10 minutes"),
    "drives": (TEXT, "from home to cafe-mitte, in 10 minutes"),
    "follows": (TEXT, "A recorded track (.gpx or .csv) beside this file."),
    "event": (TEXT, "Something the app reports: purchase."),
    "reports": (TEXT, "What the phone's own OS noticed: enter cafe-mitte."),
    "waits": (TEXT, "10 minutes, or until next day 08:05"),
    "profile": (MAP, "What is learnt of the person."),
    "facts": (MAP, "What is learnt of a fence or global."),
    "feedback": (TEXT, "clicked morning-coffee"),
    "pauses": (TEXT, "rule morning-coffee, channel push, geofence cafe-mitte or everything"),
    "resumes": (TEXT, "What was paused."),
    "accuracy": ({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}, "Metres."),
    "speed": (number(0, 500), "Metres per second."),
    "context": (MAP, "What the device says with it."),
    "with": (MAP, "The event's own values."),
    "every": (DURATION, "How often a fix comes."),
    "late": (DURATION, "How much later it is received."),
    "for": (DURATION, "How long it counts."),
    "silent": (YES_NO, "Whether the phone says nothing meanwhile."),
    "drop": (YES_NO, "Whether what waits is dropped."),
}
EXPECTED: Words = {
    "moment": (TEXT, "The rule that sends."),
    "held": (TEXT, "The rule whose message waits."),
    "suppressed": (TEXT, "The rule that does not send."),
    "none": (TEXT, "The rule of which nothing comes."),
    "person": (NAME, "To whom."),
    "at": (TEXT, "When: 08:05, or 08:00 to 08:10."),
    "until": (TEXT, "Until when it waits."),
    "times": (number(1, 1000), "How often."),
    "channel": (NAME, "On which channel."),
    "says": (one_or_many(TEXT), "Words that title or body have."),
    "never_says": (one_or_many(TEXT), "Words that neither has."),
    "link": (TEXT, "Where it leads."),
    "reason": (TEXT, "Why not: COOLDOWN, QUIET_HOURS, …"),
    "because": (TEXT, "Words of the line that did not hold."),
}
SCENARIO: Words = {
    "about": (TEXT, "What it shows."),
    "given": (ref("given"), "How things stand when it begins."),
    "steps": (one_or_many(ref("step")), "What people do, in order."),
    "expect": (
        {"anyOf": [choice(("none",)), one_or_many(ref("expected"))]},
        "What must come of it, and nothing else.",
    ),
    "others": (choice(keys.OTHERS), "Whether moments of which nothing is said are refused (default) or allowed."),
    "places": ({"type": "object", "additionalProperties": TEXT}, "Places by name: home: 52.5416, 13.3561"),
    "scenarios": ({"type": "object", "additionalProperties": ref("scenario")}, "The scenarios by name."),
}


def schema() -> dict[str, Any]:
    """Of a file of scenarios."""
    steps = [_kind(action, (*keys.EVERY_STEP, *beside), STEP) for action, beside in keys.STEPS.items()]
    expected = [_kind(kind, beside, EXPECTED) for kind, beside in keys.EXPECT.items()]
    return {
        "$schema": DRAFT,
        "title": "Herenow scenarios",
        "definitions": {
            "given": keyed(keys.GIVEN, GIVEN),
            "scenario": keyed(keys.SCENARIO, SCENARIO, required=["steps", "expect"]),
            "step": {"oneOf": steps},
            "expected": {"oneOf": expected},
        },
        **keyed(keys.FILE, SCENARIO, type=["object", "null"], required=["scenarios"]),
    }


def _kind(key: str, beside: tuple[str, ...], words: Words) -> dict[str, Any]:
    return keyed((key, *beside), words, required=[key])
