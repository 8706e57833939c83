# ruff: noqa: E501
"""Hostile bodies: every one gets a 4xx that names the problem, nothing breaks, and the server goes on."""

import gzip
import zlib

import msgspec
import pytest

from engine.model.config import Limits

JSON = "application/json"
LIMITS = Limits(body=1_000_000, inflated=4_000_000)
GOOD = b'{"device":"d1","lat":52.5,"lon":13.4}'


def signal(**fields):
    return msgspec.json.encode({"device": "d1", "event": "x", **fields})


def raw(field, text):
    return b'{"device":"d1","event":"x","%s":%s}' % (field.encode(), text)


WRONG = {
    "device": [b"1", b"true", b"null", b'""', b"[]", b"{}", b"1.5", b'"' + b"x" * 201 + b'"', rb'"a\u0000"', rb'"a\n"'],
    "at": [b"true", b"[]", b"{}", b'"yesterday"', b'""', b"-1", b"0", b"1e300", b"1795508100250", b'"1795508100"',
           b'"2026-11-24T08:15:00"', b'"2026-13-24T08:15:00Z"', b'"2026-02-30T08:15:00Z"', b'"0001-01-01T00:00:00+14:00"',
           b'"9999-12-31T23:59:59-14:00"', b'"2099-01-01T00:00:00Z"', b"4102444800"],
    "lat": [b"91", b"-90.001", b'"52"', b"true", b"[]", b"{}", b"1e400", b"-1e999", b"9" * 400, b"9" * 6000],
    "lon": [b"181", b"-180.5", b'"13"', b"false", b"[13]", b"{}", b"1e400"],
    "accuracy": [b"-1", b'"10"', b"true", b"[]", b"{}", b"1e8", b"1e400"],
    "speed": [b"-1", b'"fast"', b"true", b"[]", b"{}", b"1e6"],
    "heading": [b"-1", b"361", b'"N"', b"true", b"[]", b"{}"],
    "altitude": [b"-30000", b"1e9", b'"high"', b"true", b"[]", b"{}"],
    "battery": [b"-0.1", b"1.1", b"80", b'"80%"', b"true", b"[]", b"{}"],
    "event": [b"1", b"true", b'""', b"[]", b"{}", b'"' + b"x" * 101 + b'"', rb'"a\u0001b"'],
    "reported": [b"1", b'"enter"', b"[]", b"{}", b'{"kind":"enter"}', b'{"fence":"f"}', b'{"kind":"left","fence":"f"}',
                 b'{"kind":"enter","fence":1}', b'{"kind":"enter","fence":""}', b'{"kind":"enter","fence":"f","x":1}',
                 rb'{"kind":"enter","fence":"a\u0000"}'],
    "context": [b"1", b'"x"', b"[]", b"true", b'{"a":{"b":{"c":1}}}', b'{"a":[[1]]}', b'{"a":[{"b":1}]}', b'{"":1}',
                b'{"a":99999999999999999999}', b'{"a":1e400}', b'{"a":"' + b"x" * 5000 + b'"}',
                b"{" + b",".join(b'"k%d":1' % i for i in range(51)) + b"}",
                b'{"' + b"k" * 101 + b'":1}', b'{"a":[' + b",".join([b'"xxxxxxxx"'] * 600) + b"]}"],
    "person": [b"1", b"true", b'""', b"[]", b"{}", b'"' + b"x" * 201 + b'"', rb'"a\u007f"'],
    "id": [b"1", b"true", b'""', b"[]", b"{}", b'"' + b"x" * 201 + b'"', rb'"\u0000"'],
}  # fmt: skip

MISNAMED = [
    "lng", "long", "longitude", "latitude", "Lat", "LON", "timestamp", "time", "ts", "tst", "user", "user_id",
    "userId", "device_id", "deviceId", "uid", "acc", "hacc", "horizontal_accuracy", "velocity", "bearing", "course",
    "alt", "elevation", "batt", "battery_level", "eventName", "event_type", "region", "accuraccy", "speeed",
    "headin", "contxt", "Person", "ID",
]  # fmt: skip

BROKEN = [
    b"", b" ", b"\n", b"\x00", b"{", b"}", b"[", b"]", b'"', b"'", b"nul", b"tru", b"NaN", b"-", b"01", b"1.", b"+1", b".5",
    b"Infinity", b"-Infinity", b"undefined", b"{]", b"[}", b'{"device"}', b'{"device":}', b'{"device":"d1",}', b"[1,]",
    b'{"device":"d1" "event":"x"}', b"{'device':'d1'}", b"{device:1}", b'{"device":"d1"', b'{"device":"d1","event":"x"',
    b'{"device":"d1","event":"x"}}', b'{"device":"d1","event":"x"}x', b"[" + GOOD, GOOD + b"," + GOOD, b"[" + GOOD + b"]]",
    b'{"device":"\xff","event":"x"}', b'{"device":"d1","event":"\xc3"}', b'{"\xfe":1}', b"\xff\xfe{\x00}\x00",
    "{}".encode("utf-16"), "{}".encode("utf-32"), b'{"device":"\xed\xa0\x80","event":"x"}', rb'{"device":"\ud800","event":"x"}',
    rb'{"device":"\x41"}', rb'{"device":"\u12"}', b'{"device":"a\nb","event":"x"}', b'{"device":"d1","lat":NaN,"lon":1}',
    b'{"device":"d1","lat":Infinity,"lon":1}', b'{"device":"d1","lat":0x10,"lon":1}', b"/* */ {}", b"<signal/>", b"a=b&c=d",
    b"device,lat,lon\nd1,1,2", b"[" * 100_000, b'{"a":' * 50_000, b"[" * 999 + b"]" * 999, b"\x1f\x8b\x08\x00broken",
    b"%PDF-1.4", b"GET / HTTP/1.1\r\n\r\n", b"--boundary\r\n", b'{"device":"d1","event":"x"' + b" " * 1000,
]  # fmt: skip

NOT_SIGNALS = [
    b"1", b"1.5", b"true", b"null", b'"d1"', b"{}", b"[[]]", b"[null]", b"[1,2,3]", b'["d1"]', b"[{}]", b"[[[[]]]]", b"-0",
    b'{"device":"d1"}', b'{"device":"d1","lat":1}', b'{"device":"d1","lon":1}', b'{"device":"d1","at":1795508100}',
    b'{"device":"d1","id":"a"}', b'{"event":"x"}', b'{"lat":1,"lon":2}', b'{"device":"d1","lat":null,"lon":1}',
    b'{"device":"d1","context":{}}', b'{"signals":[]}', b'{"device":"d1","event":null}',
    b'{"device":"d1","event":"x","extra":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"device":"d1","event":"x","extra":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
    b'{"device":"d1","event":"x","extra":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"device":"d1","event":"x","extra":"' + b"x" * 20_000 + b'"}',
    b'{"device":"d1","event":"x","extra":' + b"9" * 6000 + b"}",
    b"[" + b",".join([b"[" * 50 + b"]" * 50] * 100) + b"]",
]  # fmt: skip

BODIES = (
    [raw(field, text) for field, texts in WRONG.items() for text in texts]
    + [raw(name, b"1") for name in MISNAMED]
    + BROKEN
    + NOT_SIGNALS
)

HEADERS = [
    {"Content-Type": kind}
    for kind in (
        "text/plain", "text/html", "application/xml", "application/octet-stream", "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded", "application/msgpack", "application/jsonx", "image/png", "*/*", "json", "/", ";",
        "application/json; charset=utf-16", "application/json; charset=latin-1", "application/json; charset=\"no such\"",
        "application/json; charset=", "text/csv", "application/geo+json", "application/cloudevents+json",
    )
] + [
    {"Content-Type": JSON, "Content-Encoding": encoding}
    for encoding in ("br", "zstd", "deflate", "compress", "gzip, gzip", "x", "gzip;q=1", "base64")
]  # fmt: skip


def bomb(size: int) -> bytes:
    return gzip.compress(b"[" + b" " * size + b"]")


COMPRESSED = [
    bomb(50_000_000),
    gzip.compress(bomb(50_000_000)),
    b"".join(gzip.compress(b" " * 1_000_000) for _ in range(10)),
    gzip.compress(GOOD)[:-5],
    gzip.compress(GOOD)[:12],
    gzip.compress(GOOD) + b"junk",
    gzip.compress(GOOD)[:-8] + b"\x00" * 8,
    zlib.compress(GOOD),
    GOOD,
    b"\x1f\x8b",
    b"\x1f",
    gzip.compress(b""),
    gzip.compress(b"[" * 1_000_000),
    gzip.compress(b"not json"),
]


def test_the_suite_is_large_enough():
    distinct = set(BODIES) | {bytes(body) for body in COMPRESSED} | {repr(h).encode() for h in HEADERS}
    assert len(distinct) >= 200


@pytest.fixture
async def target(start):
    return await start(limits=LIMITS)


async def refused(target, body, headers, path="/v1/signals"):
    """One hostile request: 4xx, problem+json, and words that say something."""
    status, got, answer = await target.call("POST", path, body, headers=dict(headers))
    where = (path, body[:80], headers, status, answer)
    assert 400 <= status < 500, where
    assert got["Content-Type"].startswith("application/problem+json"), where
    assert answer["status"] == status, where
    assert len(answer["detail"]) > 10, where
    assert "Traceback" not in str(answer), where
    return status, answer


async def alive(target):
    status, _, answer = await target.signals(GOOD, headers={"Content-Type": JSON})
    assert (status, answer["accepted"] + answer["duplicates"]) == (202, 1)


async def test_every_hostile_body_is_refused_with_its_problem(target):
    for body in BODIES:
        await refused(target, body, {"Content-Type": JSON})
    assert target.engine.taken == []
    await alive(target)


async def test_every_hostile_body_is_refused_by_preview_and_owntracks_too(target):
    for body in BODIES[::3]:
        await refused(target, body, {"Content-Type": JSON}, "/v1/preview")
    for body in [*BROKEN, b"1", b"{}", b"[1]", b'{"_type":1}']:
        await refused(target, body, {"Content-Type": JSON, "X-Limit-U": "u", "X-Limit-D": "d"}, "/v1/owntracks")
    await alive(target)


async def test_wrong_fields_are_named(target):
    for field, texts in WRONG.items():
        for text in texts:
            _, answer = await refused(target, raw(field, text), {"Content-Type": JSON})
            rejected = answer.get("rejected")
            assert rejected is None or rejected[0]["field"].startswith(field), (field, text[:40], rejected)


async def test_wrong_content_types_and_encodings_are_415(target):
    for headers in HEADERS:
        status, _ = await refused(target, GOOD, headers)
        assert status == 415, headers
    await alive(target)


async def test_gzip_bombs_and_damaged_gzip_are_refused(target):
    for body in COMPRESSED:
        await refused(target, body, {"Content-Type": JSON, "Content-Encoding": "gzip"})
    await alive(target)


async def test_bodies_beyond_the_limit_are_413(start):
    target = await start()
    for body in (b" " * 10_000_000, b"[" + GOOD * 270_000 + b"]", b"\xff" * 10_000_000):
        status, _ = await refused(target, body, {"Content-Type": JSON})
        assert status == 413
    await alive(target)


async def test_more_signals_than_the_queue_holds_are_413(start):
    target = await start(limits=Limits(queue=50))
    for body in (b"[" + b",".join([GOOD] * 51) + b"]", b"[" + b"1," * 2000 + b"1]"):
        status, _ = await refused(target, body, {"Content-Type": JSON})
        assert status == 413
    status, _ = await refused(target, b"\n" * 2000 + b"{", {"Content-Type": "application/x-ndjson"})
    assert status == 413


async def test_hostile_ndjson_lines_are_listed_and_the_good_ones_taken(target):
    lines = [b for b in BODIES if b"\n" not in b and b.strip() and len(b) < 2000 and _utf8(b)]
    body = b"\n".join([GOOD, *lines, GOOD.replace(b"d1", b"d2")])
    status, _, answer = await target.signals(body, headers={"Content-Type": "application/x-ndjson"})
    assert status == 202
    assert answer["accepted"] == 2
    assert [r["index"] for r in answer["rejected"]] == list(range(1, len(lines) + 1))
    assert all(r["problem"] for r in answer["rejected"])


def _utf8(body):
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def test_hostile_bodies_of_the_other_calls_are_refused(start):
    target = await start(limits=LIMITS)
    hostile = [b for b in BROKEN if b.strip()] + [b"1", b"null", b"[]", b'"x"', b'{"nonsense":1}', b"[[]]"]
    calls = [
        ("PUT", "/v1/profiles/p1"),
        ("PATCH", "/v1/profiles/p1"),
        ("PUT", "/v1/context/cafe"),
        ("POST", "/v1/feedback"),
    ]
    calls += [("POST", "/v1/rules/hello/pause"), ("POST", "/v1/pause")]
    for method, path in calls:
        for body in hostile:
            status, headers, answer = await target.call(method, path, body, headers={"Content-Type": JSON})
            assert 400 <= status < 500, (method, path, body[:60], answer)
            assert headers["Content-Type"].startswith("application/problem+json")
    assert target.engine.records == []
