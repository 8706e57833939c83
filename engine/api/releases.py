"""Releases: what is in force and what was before, who put it there and why; pushing one, and going back."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import named, read_json, text_of, whole_of
from engine.api.router import Api, dated, reply
from engine.author.project import Bundle
from engine.errors import AuthorError, HerenowError
from engine.model.release import Release

MAX_FINDINGS = 200
MAX_LISTED = 1000
SHORTEST = 6  # letters of a hash that may stand for it
_FILE = re.compile(
    r"rules/[^\\\x00-\x1f]{1,240}\.ya?ml|rules/codes/[^\\\x00-\x1f]{1,240}\.(?:txt|csv)"
    r"|geofences/[^\\\x00-\x1f]{1,240}\.geojson"
)
Words = Annotated[str, Meta(max_length=500)]


class ReleaseIn(Struct, forbid_unknown_fields=True):
    """``files``: ``rules/x.yaml`` or ``geofences/y.geojson`` to its text. ``stage``: keep and check it, and leave what
    is in force as it is."""

    files: dict[str, str]
    why: Words = ""
    approved_by: Words = ""
    stage: bool = False


class ActivateIn(Struct, forbid_unknown_fields=True):
    """Why, and who agreed."""

    why: Words = ""
    approved_by: Words = ""


async def get_releases(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """What is in force, and every release that was put in force or staged, newest first."""
    state, limit = api.engine.core.state, whole_of(request, "limit", 1, MAX_LISTED) or 100
    newest: dict[str, dict[str, Any]] = {}
    for held in reversed(state.activations):
        line = newest.setdefault(held.release, _activation(held) | {"in_force": held.release == state.release})
        line["first_at"] = _activation(held)["at"]
    log = [_activation(held) for held in reversed(state.activations)]
    return reply(
        {
            "in_force": state.release,
            "folder": state.seen,
            "releases": list(newest.values())[:limit],
            "activations": log[:limit],
        }
    )


def _activation(held: Any) -> dict[str, Any]:
    return dated(msgspec.structs.asdict(held), "at")


async def get_release(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """One release: its rules and files. ``against`` another one: what differs from it, in words. ``files=true``: the
    text of every file."""
    name, other = _resolve(api, named(request, "hash")), text_of(request, "against")
    bundle, release = await _bundle(api, name), await _release(api, name)
    view: dict[str, Any] = {
        "release": name,
        "in_force": name == api.engine.core.state.release,
        "rules": [_rule(rule) for rule in release.rules[:MAX_LISTED]],
        "geofences": len(release.fences),
        "files": {file: len(data) for file, data in bundle.files.items()},
        "policy": msgspec.to_builtins(bundle.policy),
        "activations": [_activation(held) for held in api.engine.core.state.activations if held.release == name],
    }
    if other is not None:
        before = _resolve(api, other)
        found = await asyncio.to_thread(api.engine.releases.changes, await _release(api, before), release)
        view |= {"against": before, "changes": found[:MAX_LISTED], "differing": len(found)}
    if text_of(request, "files") == "true":
        view["files"] = {file: data.decode("utf-8", "replace") for file, data in bundle.files.items()}
    return reply(view)


def _rule(rule: Any) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in ("id", "status", "purpose", "canary", "owner", "about", "where")}


async def post_release(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Check a whole set of files and put it in force (or stage it). 422 with every finding, and nothing changed, if one
    of them is an error. The settings of the running server go with it."""
    engine = api.engine
    body = await read_json(request, engine.config.limits, ReleaseIn)
    for file in body.files:
        if not _FILE.fullmatch(file) or ".." in file.split("/") or re.search(r"\.test\.ya?ml$", file):
            fix = "Files are rules/NAME.yaml, rules/codes/NAME.txt and geofences/NAME.geojson; scenarios stay at home."
            raise Refused(422, f"{file[:80]!r} is no file of a release", fix, {"field": "files"})
    if not body.files:
        raise Refused(422, "a release needs files", "Send every rule and geofence file.", {"field": "files"})
    bundle = Bundle({file: text.encode() for file, text in body.files.items()}, engine.config.policy)
    if bundle.hash == engine.core.state.release and not body.stage:
        return reply({"release": bundle.hash, "in_force": True, "changed": False, "warnings": []})
    source = "staged" if body.stage else "push"
    await _put(api, bundle, caller, body.why, body.approved_by, source)
    warnings = [str(f) for f in engine.releases.findings.get(bundle.hash, ()) if f.severity == "warning"]
    answer = {"release": bundle.hash, "in_force": not body.stage, "changed": True}
    return reply(answer | {"warnings": warnings[:MAX_FINDINGS]}, 201)


async def post_activate(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Put a release in force that was pushed, staged or in force before. 200 once it is; a restart does not undo it."""
    engine, name = api.engine, _resolve(api, named(request, "hash"))
    body = await read_json(request, engine.config.limits, ActivateIn, empty=ActivateIn())
    if name == engine.core.state.release:
        return reply({"release": name, "in_force": True, "changed": False, "warnings": []})
    bundle = await _bundle(api, name)
    before = any(held.release == name and held.source != "staged" for held in engine.core.state.activations)
    await _put(api, bundle, caller, body.why, body.approved_by, "rollback" if before else "push")
    known = {channel.name for channel in engine.config.channels}
    gone = [channel for channel in bundle.policy.channels if channel not in known]
    warnings = [f"its channel '{channel}' is not in config.toml: nothing is sent there" for channel in gone]
    return reply({"release": name, "in_force": True, "changed": True, "warnings": warnings})


async def _put(api: Api, bundle: Bundle, caller: Caller, why: str, approved_by: str, source: str) -> None:
    try:
        await api.engine.activate(bundle, caller.name, why, source, approved_by)
    except AuthorError as error:
        findings = [msgspec.to_builtins(finding) for finding in error.findings]
        problem = f"{error.problem}; what was in force still is"
        raise Refused(422, problem, findings_fix(error.findings), {"findings": findings[:MAX_FINDINGS]}) from None


def findings_fix(findings: Sequence[Any]) -> str:
    """The first error, as a fix to read."""
    return next((str(finding) for finding in findings if finding.severity == "error"), "")


def _resolve(api: Api, text: str) -> str:
    """The release whose hash begins so; ``in-force`` and ``previous`` are names."""
    state = api.engine.core.state
    if text == "in-force":
        return state.release
    acted = [held.release for held in state.activations if held.source != "staged"]
    if text == "previous":
        before = next((name for name in reversed(acted) if name != state.release), None)
        if before is None:
            raise Refused(404, "no other release was in force before this one", "GET /v1/releases lists them.")
        return before
    known = {state.release, *(held.release for held in state.activations)}
    found = sorted(name for name in known if name.startswith(text)) if len(text) >= SHORTEST else []
    if len(found) > 1:
        raise Refused(409, f"{text!r} fits {len(found)} releases", f"Send more of it: {', '.join(found[:5])}.")
    if not found and re.fullmatch(r"[0-9a-f]{40}", text):
        return text  # older than the list; the store may hold it
    if not found:
        raise Refused(404, f"there is no release {text[:60]!r}", "GET /v1/releases lists them.")
    return found[0]


async def _bundle(api: Api, name: str) -> Bundle:
    try:
        bundle = await api.engine.releases.bundle(name)
    except HerenowError as error:
        raise Refused(422, error.problem, error.fix) from None
    if bundle is None:
        raise Refused(404, f"the files of release {name[:12]} are not held (any more)", "GET /v1/releases lists them.")
    return bundle


async def _release(api: Api, name: str) -> Release:
    compiled = await api.engine.releases.find(name)
    if compiled is None:
        raise Refused(404, f"release {name[:12]} is not held, or does not compile with this version")
    return compiled.release
