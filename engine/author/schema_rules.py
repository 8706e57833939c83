"""The JSON Schema of ``rules/*.yaml``, made from the tables that the reader goes by."""

from typing import Any

from engine.author import catalog, fields, journeys, message, partials, rules, sequences, templates, triggers
from engine.author.conditions import READERS
from engine.author.schema_shapes import (
    ANY,
    CAP,
    DATE,
    DRAFT,
    DURATION,
    MAP,
    NAME,
    SHARE,
    TEXT,
    YES_NO,
    Shape,
    Words,
    choice,
    keyed,
    named,
    number,
    one_or_many,
    ref,
)

_ID = r"^[^\s!-/:-@\[-^`{-~][^\s!-,/:-@\[-^`{-~]{0,99}$"  # letters of any language, digits, - _ .
_LANGUAGE = rf"^{message.LANGUAGE.pattern}$"
_CONDITIONS = ref("conditions")

RULE: Words = {
    "use": (NAME, "A template of rules/templates.yaml; the keys beside it go over those of the template."),
    "with": (MAP, "What fills the gaps of the template: place: tag cafe"),
    "about": (TEXT, "What the rule is for, in a sentence."),
    "owner": (TEXT, "Who answers for it."),
    "status": (choice(rules.STATUS), "live (default); draft decides and never sends; paused; ended."),
    "purpose": (
        choice(rules.PURPOSE),
        "marketing (default) obeys everything; service skips caps and control groups; transactional also consent and "
        "quiet hours.",
    ),
    "runs": (TEXT, "First and last local day: 2026-11-02 to 2027-02-26."),
    "priority": (number(0, 100), "0 to 100, 50 unless said: the highest of the rules woken by one cause wins."),
    "journey": (NAME, "A journey of rules/journeys.yaml."),
    "stage": (NAME, "A stage of that journey."),
    "when": (one_or_many(ref("trigger")), "What wakes the rule; a list means any of them."),
    "only_if": (_CONDITIONS, "Every line must hold. Unknown is not yes."),
    "unless": (_CONDITIONS, "No line may hold. Unknown never sends."),
    "offer": (NAME, "An offer of rules/offers.yaml."),
    "message": (ref("message"), "What is said, where, and how long it is worth saying."),
    "limits": (
        keyed(
            ("per_person", "total"),
            {
                "per_person": (one_or_many(CAP), "For each person: 1 per 6 hours."),
                "total": (one_or_many(CAP), "For all together: 500 per day."),
            },
        ),
        "Caps of this rule alone.",
    ),
    "cooldown": (DURATION, "How long the rule rests for a person and a fence: 6 hours."),
    "conversion": (
        {
            "anyOf": [
                TEXT,
                keyed(
                    ("event", "within"),
                    {
                        "event": (TEXT, "The event that the rule is for."),
                        "within": (DURATION, "How long after the moment it counts; 3 days unless said."),
                    },
                    required=["event"],
                ),
            ]
        },
        "The event that the rule is for; without one nobody knows whether it works.",
    ),
    "control_group": (SHARE, "Share of people left without, to know the effect: 5%."),
    "canary": (SHARE, "Share of people whom it reaches at all, to begin small: 10%."),
    "estimate": (CAP, "How much you expect it to send, to all together: 200 per day. At five times that it pauses."),
}
MESSAGE: Words = {
    "use": (NAME, "A message of rules/messages.yaml; the parts beside it go over those of that message."),
    "channels": (one_or_many(TEXT), "push, then sms: the second where the first fails for good."),
    "send_within": (DURATION, "How long the message is worth sending: 15 minutes."),
    "title": (TEXT, "A Liquid template: Hello {{ profile.first_name | default: 'you' }}"),
    "body": (TEXT, "A Liquid template."),
    "link": (TEXT, "Where a click leads."),
    "data": ({"type": "object", "additionalProperties": TEXT}, "Further values for the app, each a template."),
    "languages": (
        {"type": "object", "additionalProperties": ref("texts"), "propertyNames": {"pattern": _LANGUAGE}},
        "The same texts by language: de, fr, pt-BR.",
    ),
}
_TARGET = one_or_many(TEXT)
TRIGGER: Words = {
    "enters": (_TARGET, "Somebody comes in: a fence id or 'tag X', several joined by 'or'."),
    "exits": (_TARGET, "Somebody has left."),
    "dwells": (_TARGET, "Somebody has stayed: tag cafe, for 10 minutes."),
    "crosses": (_TARGET, "Somebody has passed through without a fix inside."),
    "approaches": (_TARGET, "Somebody comes near: tag cafe, within 300 m (or 5 minutes)."),
    "event": (one_or_many(TEXT), "A signal carries this event."),
    "schedule": (one_or_many(TEXT), "every weekday at 11:30, or a cron line of five fields."),
    "after": (one_or_many(TEXT), "What became of another rule's message: hello not converted, within 1 day."),
    "initial": (choice(("fire", "ignore")), "What the first fix of a device that is inside counts as."),
    "to": (_TARGET, "Whom a schedule is for: everyone, a target, or segment X."),
    "in": (choice(("person", "project")), "By whose clock a schedule goes."),
}
STEP: Words = {
    "enters": (TEXT, "TARGET, within 30 minutes (of the step before; the first: in the last 4 hours)"),
    "exits": (TEXT, "TARGET, within 30 minutes"),
    "dwells": (TEXT, "TARGET, for 10 minutes, within 1 hour"),
    "event": (TEXT, "EVENT[ where EXPRESSION], within 30 minutes"),
}
_STEPS = {"type": "array", "minItems": 2, "items": keyed(sequences.KINDS, STEP, minProperties=1, maxProperties=1)}
CONDITION: Words = {
    "local_time": (TEXT, "mon-fri 08:00-10:15, where the person is."),
    "in_segment": (_TARGET, "The person is in a segment of rules/segments.yaml: commuter or student."),
    "inside": (_TARGET, "One of the person's devices is inside now."),
    "near": (TEXT, "TARGET, within 500 m"),
    "visited": (TEXT, "TARGET, at least 2 times, in the last 7 days. Earlier visits, not the present one."),
    "did": (TEXT, "purchase where event.price > 3, at least 2 times, in the last 24 hours"),
    "sequence": (_STEPS, "Events and places in this order, each within a time of the one before."),
    "any_of": (_CONDITIONS, "At least one of these lines holds."),
    "all_of": (_CONDITIONS, "Every one of these lines holds."),
    "none_of": (_CONDITIONS, "None of these lines holds."),
}
OFFER: Words = {
    "about": (TEXT, "What it is, in a sentence."),
    "title": (TEXT, "Templates read it as offer.title."),
    "code": (TEXT, "One code for everybody: offer.code."),
    "codes": (one_or_many(TEXT), "One-time codes, one for each person: codes/NAME.txt, or a list."),
    "stock": ({"type": "integer", "minimum": 0}, "How many there are; left out: endless."),
    "valid_until": (DATE, "2027-02-26, or an instant with its time zone."),
    "metadata": (MAP, "Anything else: templates read it as offer.KEY."),
}
JOURNEY: Words = {
    "about": (TEXT, "What the journey is for, in a sentence."),
    "owner": (TEXT, "Who answers for it."),
    "persona": (TEXT, "Who goes through it."),
    "stages": (ANY, "Its stages in order: names, or keys that say what each is for."),
}
STAGE: Words = {
    "expectation": (TEXT, "What the person expects here."),
    "response": (TEXT, "What we mean to answer."),
    "goal": (TEXT, "What it is for."),
    "channels": (one_or_many(TEXT), "Where it is said: a rule of this stage that goes elsewhere is told."),
}
PARTIAL: Words = {
    "text": (TEXT, "What {{ partial.NAME }} stands for in a message."),
    "languages": ({**MESSAGE["languages"][0], "additionalProperties": TEXT}, "The same in the languages of messages."),
}
FIELD: Words = {
    "type": (choice(fields.TYPES), "What kind of value it is."),
    "choices": (one_or_many(TEXT), "Its only values."),
    "always": (YES_NO, "It is never missing."),
    "about": (TEXT, "What it says."),
}


_GAP: Shape = {"type": "string", "pattern": r"<[^\s<>\d\-][^\s<>]*>"}
_TEXTLESS = ("pattern", "enum", "const", "minimum", "minItems")  # what a value with a gap in it does not meet


def schema() -> dict[str, Any]:
    """Of a file of rules, or of one of the catalogues beside them."""
    segment = {"anyOf": [_CONDITIONS, keyed(("about", "only_if"), RULE, required=["only_if"])]}
    field = {"anyOf": [{"type": "string"}, {"type": "array", "items": TEXT}, keyed(fields.KEYS, FIELD)]}
    tops = {
        "rules": (named(ref("rule"), _ID), "The rules, each under its id."),
        "segments": (named(segment), "Groups of people by what is known of them (rules/segments.yaml)."),
        "offers": (named(keyed(catalog.OFFER_KEYS, OFFER)), "What rules offer (rules/offers.yaml)."),
        "journeys": (named(_journey()), "Journeys with their stages in order (rules/journeys.yaml)."),
        "templates": (named(_template()), "Rules with gaps such as <place> (rules/templates.yaml)."),
        "messages": (named(_named_message()), "Messages that rules use by name (rules/messages.yaml)."),
        "partials": (
            named({"anyOf": [TEXT, keyed(partials.KEYS, PARTIAL, required=["text"])]}),
            "Pieces of text that messages use as {{ partial.NAME }} (rules/messages.yaml).",
        ),
        "fields": (named(field), "The fields that people, places and events have (rules/schema.yaml)."),
    }
    return {
        "$schema": DRAFT,
        "title": "Herenow rules",
        "definitions": _definitions(),
        **keyed(tops, tops, type=["object", "null"]),
        "anyOf": [{"maxProperties": 1}, {"propertyNames": {"enum": ["messages", "partials"]}}],
    }


def _template() -> dict[str, Any]:
    """The keys of a rule, where every value may be a gap."""
    parameters: Shape = {"anyOf": [one_or_many(TEXT), MAP]}
    words: Words = {key: (_gapped(shape), says) for key, (shape, says) in RULE.items()}
    words = {
        **words,
        "when": (one_or_many({"anyOf": [_gapped(_trigger()), _GAP]}), RULE["when"][1]),
        "message": (_gapped(keyed(message.KEYS, MESSAGE)), RULE["message"][1]),
        templates.PARAMETERS: (parameters, "The gaps: [place, offer], or each with what fills it unless a rule says."),
    }
    return keyed((templates.PARAMETERS, *rules.KEYS), words)


def _gapped(shape: Any) -> Any:
    """A shape that takes gaps wherever it takes something special."""
    if isinstance(shape, list):
        return [_gapped(one) for one in shape]
    if not isinstance(shape, dict) or "$ref" in shape:
        return shape
    if any(word in shape for word in _TEXTLESS):
        return {"anyOf": [shape, _GAP]}
    return {key: one if key == "propertyNames" else _gapped(one) for key, one in shape.items()}


def _named_message() -> dict[str, Any]:
    says = [{"required": ["title"]}, {"required": ["body"]}]
    return keyed((key for key in message.KEYS if key != "use"), MESSAGE, anyOf=says)


def _journey() -> dict[str, Any]:
    """Keys, or the stages alone: a list, ``a, b``."""
    stage = {"anyOf": [TEXT, {"type": "null"}, keyed(journeys.STAGE_KEYS, STAGE)]}
    item = {"anyOf": [TEXT, {**named(stage), "maxProperties": 1}]}
    stages = {"anyOf": [TEXT, {"type": "array", "items": item}, named(stage)]}
    words: Words = {**JOURNEY, "stages": (stages, JOURNEY["stages"][1])}
    return {"anyOf": [*stages["anyOf"][:2], keyed(journeys.JOURNEY_KEYS, words, required=["stages"])]}


def _trigger() -> dict[str, Any]:
    """One kind of trigger, and what may stand beside it."""
    beside = (*triggers.EXTRAS, *triggers.SCHEDULE_EXTRAS)
    return keyed((*triggers.KINDS, *beside), TRIGGER, oneOf=[{"required": [kind]} for kind in triggers.KINDS])


def _definitions() -> dict[str, Any]:
    condition = keyed(READERS, CONDITION, minProperties=1, maxProperties=1)
    line = {"anyOf": [{"type": "string", "minLength": 1}, condition]}
    return {
        "rule": keyed(
            (*templates.USE_KEYS, *rules.KEYS),
            RULE,
            anyOf=[{"required": ["when", "message"]}, {"required": ["use"]}],
            dependencies={"with": ["use"], "stage": {"anyOf": [{"required": ["journey"]}, {"required": ["use"]}]}},
        ),
        "trigger": _trigger(),
        "conditions": one_or_many(line),
        "message": keyed(
            message.KEYS, MESSAGE, anyOf=[{"required": ["title"]}, {"required": ["body"]}, {"required": ["use"]}]
        ),
        "texts": keyed(message.LANGUAGE_KEYS, MESSAGE),
    }
