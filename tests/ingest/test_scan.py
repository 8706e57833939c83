"""The compiled reader of arrays says what the decoder says, or leaves the body to it."""

import json
import random
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ingest import fast
from engine.ingest.body import BadBody
from engine.ingest.signals import decode
from engine.model.config import Limits
from engine.model.signals import FEW

ARRIVAL = 1_795_508_200.0
FIX = '{"device":"d%d","lat":52.5,"lon":13.4}'
pytest.importorskip("numba")


@pytest.fixture(scope="module", autouse=True)
def loops():
    assert fast.load()
    yield fast.loops
    fast.loops = None


def by_loops(body: bytes, most: int = 50_000):
    return fast.signals(body, most, ARRIVAL, ARRIVAL + 300.0)


def by_decoder(body: bytes):
    loops, fast.loops = fast.loops, None
    try:
        return decode(body, "application/json", ARRIVAL, Limits(), "warn", 300.0)
    except BadBody:
        return None
    finally:
        fast.loops = loops


def same(body: bytes) -> bool:
    """Whether the loops read the body; what they read is what the decoder reads, to the last bit."""
    found = by_loops(body)
    if found is None:
        return False
    expected = by_decoder(body)
    assert expected is not None
    assert not expected.rejected
    assert not expected.warnings
    in_order = [expected.signals[list(expected.indexes).index(k)] for k in range(len(found))]
    assert msgspec.msgpack.encode(list(found)) == msgspec.msgpack.encode(in_order)
    return True


def array(*signals: str) -> bytes:
    """An array of these and of some plain ones."""
    return ("[" + ",".join([*signals, *(FIX % k for k in range(FEW + 1))]) + "]").encode()


def field(name: str, value: str) -> bytes:
    fields = {"device": '"x"', "lat": "1", "lon": "2", name: value}
    return array("{" + ",".join(f'"{key}":{told}' for key, told in fields.items()) + "}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lat", "48.711138400000003"),
        ("lat", "-48.71113840000000312345678901234567890"),
        ("lat", "0.00000000000000000000000000000000012345"),
        ("lat", "90"),
        ("lon", "-180.0"),
        ("lon", "9007199254740993e-14"[:0] + "90.07199254740993"),
        ("accuracy", "0"),
        ("accuracy", "10000000"),
        ("battery", "1.0"),
        ("battery", "null"),
        ("at", "null"),
        ("at", "1795508100"),
        ("at", "1795508100.123456789"),
        ("at", '"2026-11-24T08:15:00Z"'),
        ("at", '"2024-02-29T23:59:59.123456Z"'),
        ("at", '"2000-03-01T00:00:00.1Z"'),
        ("id", '"a b"'),
        ("id", "null"),
        ("person", '"p1"'),
        ("event", '"app_open"'),
        ("event", '"' + "e" * 100 + '"'),
        ("device", '"' + "d" * 200 + '"'),
    ],
)
def test_plain_values_are_read(name, value):
    assert same(field(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lat", "90.00001"),
        ("lat", "91"),
        ("lat", "9.0e1"),
        ("lat", "100.00000000000000000000000000000"),
        ("lat", "01"),
        ("lat", "1."),
        ("lat", ".5"),
        ("lat", "+1"),
        ("lat", "-"),
        ("lat", "-0"),
        ("lat", "-0.0"),
        ("lat", "1e1"),
        ("lat", "NaN"),
        ("lat", "null"),
        ("lat", '"1"'),
        ("lat", "true"),
        ("lat", "nul"),
        ("lat", "[1]"),
        ("battery", "1.01"),
        ("speed", "-1"),
        ("at", "0"),
        ("at", "1795508600.5"),
        ("at", "1795508100000"),
        ("at", "1" * 400),
        ("at", '"2026-11-24T08:15:00"'),
        ("at", '"2026-11-24T08:15:00+01:00"'),
        ("at", '"2026-11-24T08:15:00.Z"'),
        ("at", '"2026-11-24T08:15:00.1234567Z"'),
        ("at", '"2026-02-29T08:15:00Z"'),
        ("at", '"2026-13-01T08:15:00Z"'),
        ("at", '"2026-00-01T08:15:00Z"'),
        ("at", '"2026-11-31T08:15:00Z"'),
        ("at", '"2026-11-24T24:00:00Z"'),
        ("at", '"2026-11-24T08:15:60Z"'),
        ("at", '"1969-12-31T08:15:00Z"'),
        ("at", '"2026-11-24T08:15:00Z '),
        ("at", '""'),
        ("device", '""'),
        ("device", "7"),
        ("device", "null"),
        ("device", '"' + "d" * 201 + '"'),
        ("device", '"gerät"'),
        ("device", '"a\\u0041"'),
        ("device", '"a\x07"'),
        ("device", '"a\x7f"'),
        ("event", '"' + "e" * 101 + '"'),
        ("context", "{}"),
        ("reported", '{"kind":"enter","fence":"f"}'),
        ("unknown", "1"),
        ("", "1"),
        ("latitude", "1"),
        ("accuracyx", "1"),
    ],
)
def test_all_else_is_left_to_the_decoder(name, value):
    assert by_loops(field(name, value)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b"{}" * 20,
        array()[:-1],
        array() + b"x",
        array() + b"\0",
        array() + array(),
        array().replace(b"},{", b"}{", 1),
        array().replace(b"},{", b"},,{", 1),
        array().replace(b"]", b",]"),
        array().replace(b'"lat":', b'"lat"', 1),
        array().replace(b'"lat":', b'"lat"=', 1),
        array().replace(b'"lat":', b'lat:', 1),
        array().replace(b'"lat":52.5,', b'"lat":52.5,"lat":52.5,', 1),
        array().replace(b'"lat":52.5,', b"", 1),
        array().replace(b"52.5,", b"52.5,,", 1),
        array().replace(b"13.4}", b"13.4,}", 1),
        array("{}"),
        array("{"),
        array("1"),
        b"\xef\xbb\xbf" + array(),
    ],
)  # fmt: skip
def test_a_body_that_is_no_plain_array_is_left_to_the_decoder(body):
    assert by_loops(body) is None


@pytest.mark.parametrize("blank", [" ", "\n\r\t  "])
def test_blanks_may_stand_anywhere(blank):
    body = array().decode()
    for mark in "[]{},:":
        body = body.replace(mark, blank + mark + blank)
    assert same(body.encode())


def test_braces_in_a_text_are_no_signals():
    assert by_loops(array('{"device":"a{b}c","lat":1,"lon":2}')) is None  # more braces than signals: rather not
    assert same(array('{"device":"a}b]c","lat":1,"lon":2}'))


@pytest.mark.parametrize("more", ['"context":{"wifi":true}', '"reported":{"kind":"enter","fence":"cafe"}'])
def test_what_the_loops_cannot_read_is_not_begun_by_them(monkeypatch, more):
    monkeypatch.setattr(fast, "read", None)
    one = f'{{"device":"d","lat":1,"lon":1,{more}}}'
    assert fast.signals(f"[{','.join([one] * 20)}]".encode(), 100, 0.0, 1e12) is None


def test_few_signals_and_too_many_are_left_to_the_decoder():
    assert by_loops(("[" + ",".join([FIX % 1] * FEW) + "]").encode()) is None
    assert by_loops(array(), most=FEW) is None


def test_a_large_body_is_left_to_the_decoder_which_takes_it_in_pieces(monkeypatch):
    """No other thread runs while the loops do."""
    monkeypatch.setattr("engine.ingest.signals._LARGE", len(array()))
    read = []
    monkeypatch.setattr(fast, "signals", lambda body, *_: read.append(len(body)))
    for body in (array(), array() + b" "):
        assert len(decode(body, "application/json", ARRIVAL, Limits(), "warn", 300.0).signals) == FEW + 1
    assert read == [len(array())]


def test_every_end_of_the_body_is_an_end():
    """Nothing is read beyond the text, wherever it is cut off."""
    body = array('{"device":"x","at":"2026-11-24T08:15:00.25Z","lat":1.5,"lon":-2,"battery":null,"id":"i","event":"e"}')
    assert same(body)
    for end in range(len(body)):
        assert by_loops(body[:end]) is None
        assert by_loops(body[:end] + b"{" * 20) is None


NUMBER = st.one_of(
    st.floats(-200, 200).map(repr),
    st.decimals(-200, 200, places=30).map(str),
    st.integers(-(10**25), 10**25).map(str),
    st.floats(1e8, 2e9).map(repr),
    st.from_regex(r"\A-?[0-9]{1,22}(\.[0-9]{0,22})?(e-?[0-9]{1,3})?\Z"),
)
VALUE = st.one_of(
    NUMBER,
    st.text(max_size=5).map(json.dumps),
    st.floats(-1e8, 1.81e9).map(
        lambda at: json.dumps(datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"))
    ),
    st.sampled_from(["null", "true", "{}", "[]", ""]),
)
NAME = st.sampled_from(["at", "lat", "lon", "accuracy", "speed", "heading", "altitude", "battery", "id", "event"])


@settings(max_examples=400)
@given(st.lists(st.tuples(NAME, VALUE), max_size=4))
def test_what_is_read_is_what_the_decoder_reads(given):
    for name, value in given:
        same(field(name, value))
    fields = {"device": '"x"', "lat": "1", "lon": "2", **dict(given)}
    same(array("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"))


def test_bodies_with_a_byte_changed_are_read_as_the_decoder_reads_them():
    chance, read = random.Random(11), 0
    body = array(
        '{"device":"x","at":"2026-11-24T08:15:00.25Z","lat":1.5,"lon":-2,"battery":null,"id":"i","event":"e"}',
        '{"device":"y","id":"0","at":1795328257.8,"lat":48.711138400000003,"lon":2.6618542,"accuracy":32.1,"speed":1.75}',
    )
    for _ in range(20_000):
        spoiled = bytearray(body)
        for _ in range(chance.choice((1, 1, 2, 3))):
            spoiled[chance.randrange(len(spoiled))] = chance.choice(b'0123456789-.eE+"\\{}[],:nultx \x00\x1f\x80\xff')
        read += same(bytes(spoiled))
    assert read > 1000
