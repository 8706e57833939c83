"""Profiles of people, and where their devices are."""

import re
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct, field

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import check_plain, instant_of, named, read_json, text_of
from engine.api.router import Api, dated, reply
from engine.author.durations import parse_span
from engine.author.report import TextError, did_you_mean
from engine.decide import load_zone
from engine.ingest.signals import has_control
from engine.model.config import Config
from engine.model.person import Person
from engine.model.record import ProfileChange

PURPOSES = ("marketing", "service", "transactional")
ATTRIBUTES_BYTES = 32_768
LOOK_BACK = 86400.0  # seconds before the instant asked about that ``why`` looks through
LONGEST_WINDOW = 31 * 86400.0
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,20})?", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ProfileIn(Struct, forbid_unknown_fields=True):
    """The body of PUT (replaces) and PATCH (merges; null removes a key). Consent keys: a purpose, a channel, or
    ``purpose.channel``."""

    attributes: Annotated[dict[Name, Any], Meta(max_length=200)] = field(default_factory=dict)
    consent: Annotated[dict[Name, bool | None], Meta(max_length=100)] = field(default_factory=dict)
    devices: Annotated[list[Name], Meta(max_length=100)] | None = None
    language: str | None = None
    time_zone: str | None = None


async def put_profile(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Replace. 200 only once in force: no send begins against it after the answer."""
    return await _change(api, request, replace=True)


async def patch_profile(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Merge. 200 only once in force."""
    return await _change(api, request, replace=False)


async def _change(api: Api, request: web.Request, replace: bool) -> web.Response:
    person, engine = named(request, "person"), api.engine
    body = await read_json(request, engine.config.limits, ProfileIn)
    check_plain(body.attributes, "attributes", ATTRIBUTES_BYTES)
    _check_consent(body.consent, engine.config)
    if body.language is not None and not _LANGUAGE.fullmatch(body.language):
        raise Refused(422, "language must be a tag such as de or pt-BR", extra={"field": "language"})
    _check_zone(body.time_zone)
    for device in body.devices or ():
        if has_control(device):
            raise Refused(422, "a device has a control character", extra={"field": "devices"})
    devices = None if body.devices is None else tuple(dict.fromkeys(body.devices))
    change = ProfileChange(person, replace, body.attributes, body.consent, devices, body.language, body.time_zone)
    await engine.submit([change], applied=True)
    return reply(profile_view(engine.core.state.people[person]))


def _check_consent(consent: dict[str, bool | None], config: Config) -> None:
    """A misspelt key would protect nobody: it is refused."""
    channels = [channel.name for channel in config.channels]
    known = [*PURPOSES, *channels, *(f"{purpose}.{channel}" for purpose in PURPOSES for channel in channels)]
    for key in consent:
        if key not in known:
            fix = did_you_mean(key, known) or f"Known are {', '.join([*PURPOSES, *channels])} and purpose.channel."
            raise Refused(422, f"consent names {key!r}, which is no purpose and no channel", fix, {"field": "consent"})


def _check_zone(name: str | None) -> None:
    if name is None:
        return
    if load_zone(name) is None:  # asked of the zones that decisions use, not of this machine's
        raise Refused(422, "time_zone is not known", "Use a name such as Europe/Berlin.", {"field": "time_zone"})


async def get_profile(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Everything that is held of a person in memory."""
    person = api.engine.core.state.people.get(named(request, "person"))
    if person is None:
        raise Refused(404, "nothing is held of this person")
    return reply(profile_view(person))


def profile_view(person: Person) -> dict[str, Any]:
    """A person as JSON; histories oldest first."""
    person = msgspec.structs.replace(person)  # a history that is packed stays so
    view: dict[str, Any] = {"person": person.id, **msgspec.structs.asdict(person.profile)}
    return view | {
        "devices": person.devices,
        "visits": [dated(msgspec.structs.asdict(visit), "enter", "exit") for visit in person.visits],
        "events": [dated(msgspec.structs.asdict(event), "at") for event in person.events],
        "sent": [dated(msgspec.structs.asdict(sent), "at") for sent in person.sent],
        "groups": person.groups,
    }


async def get_device(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Where a device is, and inside what."""
    core, device = api.engine.core, named(request, "id")
    position, visits = core.sense.position(device), core.sense.visits(device)
    if position is None and not visits:
        raise Refused(404, "this device has sent no position")
    where = None if position is None else dated(msgspec.to_builtins(position), "at")
    visits = [dated(visit, "since", "visit") for visit in visits]
    return reply({"device": device, "person": core.person_of(device), "position": where, "inside": visits})


async def get_why(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Why a device's person did, or did not, get a message."""
    device = text_of(request, "device")
    if device is None:
        raise Refused(400, "device is required", "Ask as /v1/why?device=d1", {"field": "device"})
    rule = text_of(request, "rule")
    known = [held.id for held in api.engine.core.compiled.release.rules]
    if rule is not None and rule not in known:
        raise Refused(404, f"there is no rule {rule[:60]!r}", did_you_mean(rule, known))
    at, window = instant_of(request, "at"), text_of(request, "window")
    return reply(await api.engine.why(device, rule, at, _window(window) if window else LOOK_BACK))


def _window(text: str) -> float:
    """Seconds, or a duration such as ``2h``."""
    try:
        seconds = float(text) if _SECONDS.fullmatch(text) else parse_span(text)
    except TextError as error:
        raise Refused(400, f"window: {error}", "Write for example 2h.", {"field": "window"}) from None
    if not 0 < seconds <= LONGEST_WINDOW:
        raise Refused(400, "window must be at most 31 days", "Write for example 2h.", {"field": "window"})
    return seconds
