"""Profiles, devices, why, context, feedback, controls."""

from dataclasses import replace

import pytest
from msgspec import structs

from engine.decide import Tally
from engine.errors import StoreError
from engine.model.record import ContextChange, Control, Feedback, ProfileChange
from engine.model.rule import Cap


async def test_a_profile_is_put_patched_and_got(server):
    body = {
        "attributes": {"first_name": "Anna"},
        "devices": ["d1", "d1"],
        "consent": {"marketing": False},
        "language": "de",
    }
    status, _, answer = await server.call("PUT", "/v1/profiles/p1", body)
    assert (status, answer["attributes"], answer["devices"]) == (200, {"first_name": "Anna"}, ["d1"])
    record, applied = server.engine.records[0]
    assert record == ProfileChange("p1", True, {"first_name": "Anna"}, {"marketing": False}, ("d1",), "de", None)
    assert applied
    await server.call("PATCH", "/v1/profiles/p1", {"consent": {"marketing.inbox": None}, "time_zone": "Europe/Berlin"})
    assert server.engine.records[1][0].replace is False
    status, _, answer = await server.call("GET", "/v1/profiles/p1")
    assert (status, answer["person"]) == (200, "p1")
    status, _, _ = await server.call("GET", "/v1/profiles/nobody")
    assert status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"consent": {"marketng": False}}, "consent"),
        ({"consent": {"marketing.pushh": True}}, "consent"),
        ({"consent": {"marketing": "no"}}, "consent"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"language": "de de"}, "language"),
        ({"devices": "d1"}, "devices"),
        ({"devices": [""]}, "devices"),
        ({"devices": ["a\u0000"]}, "devices"),
        ({"attributes": {"a": 2**70}}, "attributes"),
        ({"attributes": {"a": "x" * 40_000}}, "attributes"),
        ({"attributes": {"a": [[[[[[[[[[1]]]]]]]]]]}}, "attributes"),
        ({"attributes": []}, "attributes"),
    ],
)
async def test_a_wrong_profile_names_the_field(server, body, field):
    status, _, answer = await server.call("PUT", "/v1/profiles/p1", body)
    assert status == 422, answer
    assert answer["field"].startswith(field)
    assert server.engine.records == []


async def test_a_misspelt_consent_gets_a_suggestion(server):
    _, _, answer = await server.call("PATCH", "/v1/profiles/p1", {"consent": {"marketng": False}})
    assert "marketing" in answer["fix"]


async def test_names_in_paths_are_checked(server):
    for path in ("/v1/profiles/a%00b", "/v1/profiles/" + "x" * 201):
        status, _, _ = await server.call("PUT", path, {})
        assert status == 422


async def test_context_takes_seconds_and_words_for_its_life(server):
    status, _, answer = await server.call(
        "PUT", "/v1/context/cafe", {"facts": {"weather": {"temp_c": 4}}, "ttl": "15 minutes"}
    )
    assert (status, answer["keys"], answer["stale_at"]) == (200, ["weather"], "2026-11-24T08:31:40Z")
    await server.call("PUT", "/v1/context/global", {"facts": {"queue": 3}, "ttl": 60})
    assert [r for r, _ in server.engine.records] == [
        ContextChange("cafe", {"weather": {"temp_c": 4}}, 900.0),
        ContextChange("global", {"queue": 3}, 60.0),
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("caffe", {"facts": {}, "ttl": 60}, 404),
        ("cafe", {"facts": {}}, 422),
        ("cafe", {"facts": {}, "ttl": 0}, 422),
        ("cafe", {"facts": {}, "ttl": -5}, 422),
        ("cafe", {"facts": {}, "ttl": "soon"}, 422),
        ("cafe", {"facts": {}, "ttl": "100 days"}, 422),
        ("cafe", {"facts": {"a": 2**64}, "ttl": 5}, 422),
        ("cafe", {"facts": [], "ttl": 5}, 422),
    ],
)
async def test_wrong_context_is_refused(server, path, body, status):
    got, _, answer = await server.call("PUT", f"/v1/context/{path}", body)
    assert got == status, answer


async def test_feedback_about_a_notification_and_about_a_person(server, inbox_row):
    server.engine.store.outbox = [inbox_row(1)]
    status, _, _ = await server.call("POST", "/v1/feedback", {"notification": "ntf_1", "kind": "opened"})
    assert status == 202
    event = {"person": "p2", "event": "purchase", "at": "2026-11-24T08:00:00Z", "value": 12.5, "id": "order-1"}
    await server.call("POST", "/v1/feedback", event)
    first, second = (record for record, _ in server.engine.records)
    assert (first.kind, first.notification, first.person) == ("opened", "ntf_1", "p1")
    assert second == Feedback("order-1", "purchase", 1795507200.0, None, "p2", 12.5)


async def test_the_same_feedback_has_the_same_id(server):
    body = {"person": "p2", "event": "purchase", "at": 1795507200}
    _, _, first = await server.call("POST", "/v1/feedback", body)
    _, _, second = await server.call("POST", "/v1/feedback", body)
    assert first["id"] == second["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"notification": "ntf_1"},
        {"person": "p1"},
        {"notification": "ntf_1", "kind": "seen"},
        {"notification": "none", "kind": "opened"},
        {"person": "p1", "event": "x", "kind": "opened"},
        {"person": "p1", "event": "x", "at": "today"},
        {"person": "p1", "event": "x", "at": 9e9},
        {"person": "p1", "event": "a\u0000"},
    ],
)
async def test_wrong_feedback_is_refused(server, body):
    status, _, answer = await server.call("POST", "/v1/feedback", body)
    assert status in (404, 422), answer
    assert server.engine.records == []


async def test_a_device_says_where_it_is(server):
    status, _, answer = await server.call("GET", "/v1/devices/d1")
    assert (status, answer["person"], answer["inside"][0]["fence"]) == (200, "person of d1", "cafe")
    status, _, _ = await server.call("GET", "/v1/devices/d9")
    assert status == 404


async def test_why_wants_a_device_and_a_known_rule(server):
    status, _, answer = await server.call("GET", "/v1/why?device=d1&rule=hello&at=2026-11-24T08:15:00Z")
    assert (status, answer) == (200, {"device": "d1", "rule": "hello", "at": 1795508100.0, "window": 86400.0})
    assert (await server.call("GET", "/v1/why"))[0] == 400
    assert (await server.call("GET", "/v1/why?device=d1&at=noon"))[0] == 400
    status, _, answer = await server.call("GET", "/v1/why?device=d1&rule=helo")
    assert status == 404
    assert "hello" in answer["fix"]


async def test_switches_are_records_in_force_before_the_answer(server):
    for path, body in (
        ("/v1/rules/hello/pause", {"why": "typo"}),
        ("/v1/rules/hello/resume", {"why": "fixed", "waiting": "drop"}),
        ("/v1/channels/inbox/pause", None),
        ("/v1/geofences/cafe/pause", {"why": "closed"}),
        ("/v1/pause", {"why": "fire alarm"}),
        ("/v1/resume", None),
    ):
        status, _, answer = await server.call("POST", path, body)
        assert status == 200, answer
    assert all(applied for _, applied in server.engine.records)
    controls = [record for record, _ in server.engine.records]
    assert controls[0] == Control("pause", "rule", "hello", "typo", "local")
    assert controls[1] == Control("resume", "rule", "hello", "fixed", "local", drop=True)
    assert (controls[4].scope, controls[4].id) == ("all", "")
    _, _, audit = await server.call("GET", "/v1/audit?limit=2")
    assert [entry["action"] for entry in audit["audit"]] == ["resume", "pause"]
    _, _, rules = await server.call("GET", "/v1/rules")
    assert rules["rules"][0]["id"] == "hello"
    assert rules["rules"][0]["estimate"] is None


async def test_a_rule_with_an_estimate_shows_what_it_sent_and_when_it_would_be_stopped(server):
    core = server.engine.core
    release = core.compiled.release
    release = structs.replace(release, rules=(structs.replace(release.rules[0], estimate=Cap(10, "day")),))
    core.compiled = replace(core.compiled, release=release)
    core.state.decide.paces["hello"] = Tally(86400.0, "")
    core.state.decide.paces["hello"].add(server.engine.clock.now() - 3600.0, server.engine.clock.now())
    _, _, rules = await server.call("GET", "/v1/rules")
    assert rules["rules"][0]["estimate"] == {"expected": "10 per day", "sent": 1, "pauses_at": 50}


async def test_switches_of_unknown_things_are_404(server):
    for path in ("/v1/rules/helo/pause", "/v1/channels/push/pause", "/v1/geofences/x/resume"):
        status, _, _ = await server.call("POST", path, {"why": ""})
        assert status == 404
    assert server.engine.records == []


async def test_a_pause_that_did_not_take_is_no_200(server):
    server.engine.failure = StoreError("disk full")
    status, headers, _ = await server.call("POST", "/v1/pause", {"why": "x"})
    assert (status, headers["Retry-After"]) == (503, "1")


async def test_the_outbox_is_listed(server, inbox_row):
    server.engine.store.outbox = [inbox_row(1)]
    status, _, answer = await server.call("GET", "/v1/outbox?status=sent")
    assert (status, answer["rows"][0]["notification"], answer["counts"]) == (200, "ntf_1", {"sent": 1})
    assert (await server.call("GET", "/v1/outbox?status=lost"))[0] == 400
