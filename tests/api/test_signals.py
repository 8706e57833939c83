"""``POST /v1/signals``, preview and OwnTracks over real HTTP."""

import gzip

import aiohttp
import msgspec

from engine.errors import Busy, StoreError
from engine.model.config import Limits

FIX = {"device": "d1", "lat": 52.5, "lon": 13.4, "at": 1795508100.25}


async def test_one_signal_is_accepted(server):
    status, _, answer = await server.signals(FIX)
    assert (status, answer) == (202, {"accepted": 1, "duplicates": 0, "rejected": [], "warnings": []})
    assert server.engine.taken[0].lat == 52.5


async def test_an_array_lists_each_bad_signal_and_takes_the_good_ones(server):
    bad = [{"device": "d1", "lat": 99, "lon": 1}, {"device": "d2", "lng": 1, "lat": 2}]
    status, _, answer = await server.signals([FIX, bad[0], {"device": "d3", "event": "x"}, bad[1]])
    assert status == 202
    assert answer["accepted"] == 2
    assert [(r["index"], r["field"]) for r in answer["rejected"]] == [(1, "lat"), (3, "lng")]
    assert "the name is 'lon'" in answer["rejected"][1]["problem"]


async def test_an_empty_array_is_zeros(server):
    status, _, answer = await server.signals(b"[]", headers={"Content-Type": "application/json"})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 0, [])


async def test_nothing_acceptable_is_422_with_the_list(server):
    status, headers, answer = await server.signals([{"device": "d1"}])
    assert status == 422
    assert headers["Content-Type"].startswith("application/problem+json")
    assert answer["rejected"][0]["index"] == 0
    assert answer["accepted"] == 0


async def test_ndjson_and_gzip(server):
    lines = b"\n".join(msgspec.json.encode({**FIX, "device": f"d{i}"}) for i in range(3))
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    status, _, answer = await server.signals(gzip.compress(lines), headers=headers)
    assert (status, answer["accepted"]) == (202, 3)


async def test_a_body_without_content_type_is_json(server):
    status, _, answer = await server.signals(msgspec.json.encode(FIX), skip_auto_headers=["Content-Type"])
    assert (status, answer["accepted"]) == (202, 1)


async def test_a_large_body_is_decoded_all_the_same(server):
    batch = [{**FIX, "device": f"device-{i}", "context": {"a": "x" * 100}} for i in range(3000)]
    status, _, answer = await server.signals(batch)
    assert (status, answer["accepted"]) == (202, 3000)


async def test_the_same_signal_again_is_a_duplicate(server):
    await server.signals({**FIX, "id": "s1"})
    status, _, answer = await server.signals({**FIX, "id": "s1"})
    assert (status, answer["accepted"], answer["duplicates"]) == (202, 0, 1)


async def test_unknown_fields_are_warned_about_and_counted(server):
    status, _, answer = await server.signals({**FIX, "colour": "red"})
    assert status == 202
    assert answer["warnings"] == ["unknown field 'colour' was ignored in 1 signal(s)"]
    assert b'herenow_signal_warnings_total{field="colour"} 1.0' in server.engine.metrics.render()


async def test_unknown_fields_can_be_refused(start):
    server = await start(unknown="reject")
    status, _, answer = await server.signals({**FIX, "colour": "red"})
    assert (status, answer["rejected"][0]["field"]) == (422, "colour")


async def test_a_full_queue_is_429_with_retry_after(server):
    server.engine.failure = Busy("100000 records are waiting", after=2.0)
    status, headers, answer = await server.signals(FIX)
    assert (status, headers["Retry-After"]) == (429, "2")
    assert "waiting" in answer["detail"]


async def test_a_store_that_cannot_take_it_is_503_with_retry_after(server):
    server.engine.failure = StoreError("no space left on device")
    status, headers, answer = await server.signals(FIX)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "no space" in answer["detail"]


async def test_a_surprise_is_500_without_its_inside(server):
    server.engine.failure = RuntimeError("secret inside")
    status, _, answer = await server.signals(FIX)
    assert status == 500
    assert "secret" not in str(answer)


async def test_preview_keeps_nothing(server):
    status, _, answer = await server.call("POST", "/v1/preview", [FIX, {"device": "x"}])
    assert (status, answer["rules"][0]["signals"], len(answer["rejected"])) == (200, 1, 1)
    assert server.engine.taken == []


async def test_a_preview_of_too_many_is_413(server):
    status, _, answer = await server.call("POST", "/v1/preview", [{**FIX, "id": str(n)} for n in range(201)])
    assert (status, "at most 200 signals, these are 201" in answer["detail"]) == (413, True)


async def test_the_body_limit_is_413(start):
    server = await start(limits=Limits(body=1000))
    status, _, answer = await server.signals(b"[" + b" " * 2000 + b"]", headers={"Content-Type": "application/json"})
    assert status == 413
    assert "1000 bytes" in answer["detail"]


async def test_the_limit_holds_for_chunked_bodies_too(start):
    server = await start(limits=Limits(body=1000))

    async def chunks():
        for _ in range(20):
            yield b" " * 100

    status, _, _ = await server.signals(chunks(), headers={"Content-Type": "application/json"})
    assert status == 413


async def test_owntracks_answers_an_empty_list_only_after_the_commit(server):
    headers = {"X-Limit-U": "anna", "X-Limit-D": "phone", "Content-Type": "application/json"}
    body = {"_type": "location", "lat": 52.5, "lon": 13.4, "acc": 12, "tst": 1795508100, "vel": 36, "batt": 80}
    status, _, answer = await server.call("POST", "/v1/owntracks", body, headers=headers)
    assert (status, answer) == (200, [])
    taken = server.engine.taken[0]
    assert (taken.device, taken.person, taken.speed, taken.battery) == ("anna/phone", "anna", 10.0, 0.8)
    server.engine.failure = StoreError("disk full")
    status, _, _ = await server.call("POST", "/v1/owntracks", {**body, "tst": 1795508101}, headers=headers)
    assert status == 503


async def test_owntracks_takes_the_user_of_basic_auth(start):
    server = await start(keys=True)
    _, secret = server.keyring.create(["ingest"])
    headers = {"Authorization": aiohttp.encode_basic_auth("anna", secret)}
    body = {"_type": "location", "lat": 52.5, "lon": 13.4, "tst": 1795508100, "topic": "owntracks/x/phone"}
    status, _, _ = await server.call("POST", "/v1/owntracks", body, headers=headers)
    assert status == 200
    assert server.engine.taken[0].device == "anna/phone"
