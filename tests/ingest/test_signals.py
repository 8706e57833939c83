# ruff: noqa: E501
"""Bodies to signals."""

import random

import msgspec
import pytest

from engine.ingest import signals
from engine.ingest.body import BadBody
from engine.ingest.identity import BRIEF
from engine.ingest.signals import decode, decode_frame, decode_frames
from engine.model.config import Limits
from engine.model.signal import Reported
from engine.model.signals import Signals

ARRIVAL = 1_795_508_200.0
FIX = {"device": "d1", "lat": 52.5, "lon": 13.4}


def read(body, content_type="application/json", unknown="warn", limits=None):
    if not isinstance(body, bytes):
        body = msgspec.json.encode(body)
    return decode(body, content_type, ARRIVAL, limits or Limits(), unknown, 300.0)


def one(**fields):
    decoded = read({**FIX, **fields})
    assert decoded.rejected == []
    return decoded.signals[0]


def flaw(**fields):
    decoded = read({**FIX, **fields})
    assert decoded.signals == []
    return decoded.rejected[0].field, decoded.rejected[0].problem


def test_every_field_arrives():
    fields = {
        "at": 1795508100.25, "accuracy": 12, "speed": 1.5, "heading": 90, "altitude": 34.5, "battery": 0.5,
        "event": "app_open", "reported": {"kind": "enter", "fence": "cafe"}, "context": {"app": "3.1", "n": [1, "a"]},
        "person": "p9", "id": "s1",
    }  # fmt: skip
    signal = one(**fields)
    assert (signal.device, signal.at, signal.lat, signal.lon) == ("d1", 1795508100.25, 52.5, 13.4)
    assert (signal.accuracy, signal.speed, signal.heading, signal.altitude, signal.battery) == (
        12.0,
        1.5,
        90.0,
        34.5,
        0.5,
    )
    assert (signal.event, signal.reported) == ("app_open", Reported("enter", "cafe"))
    assert (signal.context, signal.person, signal.id) == ({"app": "3.1", "n": [1, "a"]}, "p9", "s1")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T08:15:00Z", 1795508100.0),
        ("2026-11-24T09:15:00+01:00", 1795508100.0),
        ("2026-11-24T08:15:00.250Z", 1795508100.25),
        ("2026-11-24 08:15:00Z", 1795508100.0),
        (1795508100, 1795508100.0),
        ("1999-01-01T00:00:00Z", 915148800.0),
    ],
)
def test_at_is_iso_with_a_zone_or_epoch_seconds(text, seconds):
    assert one(at=text).at == seconds


def test_at_defaults_to_the_arrival():
    assert one().at == ARRIVAL


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (1795508100250, "send seconds, not milliseconds"),
        ("2026-11-24T08:15:00", "has no time zone"),
        (86400, "before 1990"),
        ("1970-01-02T00:00:00Z", "before 1990"),
        (ARRIVAL + 301, "in the future"),
        ("tomorrow", "ISO 8601"),
        ("0001-01-01T00:00:00+14:00", "year 1"),
        ("9999-12-31T23:59:59-14:00", "year 9999"),
    ],
)
def test_a_wrong_at_says_what_would_be_right(at, words):
    field, problem = flaw(at=at)
    assert field == "at"
    assert words in problem


def test_a_clock_slightly_ahead_is_taken():
    assert one(at=ARRIVAL + 299).at == ARRIVAL + 299


def test_lat_and_lon_come_together():
    decoded = read([{"device": "d", "lat": 1}, {"device": "d", "lon": 1, "event": "x"}])
    assert [r.field for r in decoded.rejected] == ["lon", "lat"]


def test_something_must_be_reported():
    assert "at least one of" in read({"device": "d", "battery": 0.5}).rejected[0].problem


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("lng", "lon"), ("Longitude", "lon"), ("LAT", "lat"), ("timestamp", "at"), ("time", "at"), ("user_id", "person"),
        ("userId", "person"), ("deviceId", "device"), ("acc", "accuracy"), ("acuracy", "accuracy"), ("Speed", "speed"),
        ("bearing", "heading"), ("batt", "battery"), ("contexts", "context"), ("reporte", "reported"),
    ],
)  # fmt: skip
def test_a_near_miss_of_a_name_is_refused_with_the_right_one(name, right):
    field, problem = flaw(**{name: 1})
    assert field == name
    assert f"the name is '{right}'" in problem


@pytest.mark.parametrize("name", ["colour", "os", "app_version", "x", "name", "data", "type", "floor", "source", "ip"])
def test_other_unknown_fields_are_taken_with_one_warning_each(name):
    decoded = read([{**FIX, name: 1}, {**FIX, name: 2}])
    assert len(decoded.signals) == 2
    assert decoded.warnings == [f"unknown field {name!r} was ignored in 2 signal(s)"]
    assert decoded.unknown == (name,)
    assert read({**FIX, name: 1}, unknown="reject").rejected[0].field == name


def test_good_ones_are_taken_and_indexes_are_those_of_the_request():
    decoded = read([FIX, 1, {**FIX, "device": "d2"}, {"device": "d3"}, {**FIX, "device": "d4", "os": "x"}])
    assert [s.device for s in decoded.signals] == ["d1", "d2", "d4"]
    assert list(decoded.indexes) == [0, 2, 4]
    assert [r.index for r in decoded.rejected] == [1, 3]


def test_fixes_of_one_device_are_sorted_by_at_and_the_others_stay():
    batch = [("a", 30), ("b", 5), ("a", 10), ("c", 1), ("a", 20), ("a", 10)]
    signals = [{**FIX, "device": d, "at": ARRIVAL - 100 + s, "id": str(i)} for i, (d, s) in enumerate(batch)]
    decoded = read(signals)
    assert [(s.device, s.at - ARRIVAL + 100) for s in decoded.signals] == [
        ("a", 10), ("b", 5), ("a", 10), ("c", 1), ("a", 20), ("a", 30),
    ]  # fmt: skip
    assert [s.id for s in decoded.signals] == ["2", "1", "5", "3", "4", "0"]
    assert list(decoded.indexes) == [2, 1, 5, 3, 4, 0]


def test_the_key_is_of_the_id_or_of_all_that_was_sent():
    assert one(id="a").key == one(id="a", speed=3, at=1795508100).key != one(id="b").key
    assert one(at=1795508100).key == one(at=1795508100).key != one(at=1795508101).key
    assert one(context={"a": 1}).key != one(context={"a": 2}).key
    assert all(0 < one(**f).key < 2**63 for f in ({}, {"id": "x"}, {"at": 1795508100}))


def test_the_key_does_not_depend_on_the_company():
    alone = one(at=1795508100).key
    among_bad = read([{"device": "x"}, {**FIX, "at": 1795508100}]).signals[0].key
    lines = read(msgspec.json.encode({**FIX, "at": 1795508100}) + b"\n", "application/x-ndjson").signals[0].key
    assert alone == among_bad == lines


def test_unknown_fields_tell_signals_apart():
    keys = {s.key for s in read([{**FIX, "n": 1}, {**FIX, "n": 2}, FIX]).signals}
    assert len(keys) == 3


def test_a_signal_without_id_and_at_is_marked_brief():
    assert one().key & BRIEF
    assert not one(id="x").key & BRIEF
    assert not one(at=ARRIVAL).key & BRIEF


def test_the_key_is_the_same_on_every_machine_and_release():
    assert (one(id="s1").key, one(at=1795508100).key) == (12659, 1596554901105017638)


def test_ndjson_lists_broken_lines():
    good = msgspec.json.encode(FIX)
    decoded = read(b"\n\n".join([good, b"{", b"[]", good]), "application/x-ndjson; charset=UTF-8")
    assert (len(decoded.signals), [r.index for r in decoded.rejected]) == (2, [1, 2])
    assert "not JSON" in decoded.rejected[0].problem


def test_a_byte_order_mark_is_passed_over():
    assert len(read(b"\xef\xbb\xbf" + msgspec.json.encode(FIX)).signals) == 1


@pytest.mark.parametrize("text", ["a\u200db", "名前", "a b", "🙂", "a|b", "é"])
def test_any_text_of_people_is_a_fine_name(text):
    assert one(device=text).device == text


@pytest.mark.parametrize("text", ["a\nb", "\x00", "a\x1fb", "\x7f", "\x85", "\u2028"])
def test_control_characters_are_refused_wherever_names_are(text):
    for field in ("device", "event", "person", "id"):
        assert flaw(**{field: text})[0] == field
    assert flaw(reported={"kind": "enter", "fence": text})[0] == "reported.fence"


def test_context_is_bounded():
    assert flaw(context={"a": "x" * 4097})[0] == "context"
    assert flaw(context={str(i): 1 for i in range(51)})[0] == "context"
    assert flaw(context={"a": {"b": {}}})[0].startswith("context")
    assert one(context={"a": {"b": None}, "c": [True, 1.5, -(2**63)]}).context["c"] == [True, 1.5, -(2**63)]


def test_what_is_no_signal_at_all_says_what_one_is():
    for body in (b"1", b'"x"', b"null", b"[[]]"):
        assert "must be an object" in read(body).rejected[0].problem


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[" * 10_000, 400), (b'{"a":"\xff"}', 400)])
def test_what_is_not_json_is_400(body, status):
    with pytest.raises(BadBody) as error:
        read(body)
    assert error.value.status == status


def test_more_than_the_queue_holds_is_413():
    for body in ([FIX] * 4, [FIX, 1, 2, 3]):
        with pytest.raises(BadBody, match="more than 3 signals"):
            read(body, limits=Limits(queue=3))


def test_a_frame_has_seq_and_signals():
    seq, decoded = decode_frame(
        msgspec.json.encode({"seq": 7, "signals": [FIX, {"device": "x"}]}), ARRIVAL, Limits(), "warn", 300.0
    )
    assert (seq, len(decoded.signals), decoded.rejected[0].index) == (7, 1, 1)


def plain_frames(rng, count):
    """Frames as a phone's buffer would send them: most of one signal, some bad."""
    frames, seq = [], 0
    for _ in range(count):
        seq += rng.choice((1, 1, 1, 2)) if rng.random() < 0.98 else 0
        one = [
            {"device": f"d{rng.randrange(3)}", "lat": 52.5, "lon": 13.4, "at": ARRIVAL - rng.randrange(100)}
            for _ in range(rng.choice((1, 1, 1, 1, 0, 3)) if rng.random() < 0.5 else 1)
        ]
        if rng.random() < 0.02:
            one.append({"device": "d1"})
        frames.append(msgspec.json.encode({"seq": seq, "signals": one}))
    return frames


@pytest.mark.parametrize("seed", range(30))
def test_frames_decoded_together_are_what_they_are_alone(seed):
    rng = random.Random(seed)
    frames = plain_frames(rng, 20)
    last, seqs, taken, good = 0, [], [], True
    for data in frames:
        seq, decoded = decode_frame(data, ARRIVAL, Limits(), "warn", 300.0)
        good = good and seq > last and not decoded.rejected
        last = seq
        seqs.append(seq)
        taken += decoded.signals
    together = decode_frames(frames, 0, ARRIVAL, 300.0)
    assert together == ((seqs, taken) if good else None)


BODIES = [
    b"["
    + b" , ".join(b'{"device":"d%d","event":"x","at":%d}' % (n % 3, ARRIVAL - n * n % 7) for n in range(11))
    + b"]\n",
    b'[{"device":"d1","event":"x"},{"device":"d1","lng":1},{"device":"d2","event":"y"}]',
    b'[{"device":"d1","event":"x"}',
    b'[{"device":"d1","event":"x"},]',
    b'[{"device":"d1","event":"x"}] [',
    b'{"device":"d1","event":"x"}\n\n{"device":"d2","event":"y","lat":1e3}\n',
    b'{"device":"d1","event":"x"}\r\n{"device":"d2","event":"y"}\r\n\n {"device":"d3","event":"z"}',
    b"[]",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_a_body_decoded_in_pieces_is_what_it_is_whole(monkeypatch, body, kind):
    def told():
        try:
            return decode(body, kind, ARRIVAL, Limits(), "warn", 300.0)
        except BadBody as error:
            return (error.status, error.problem)

    whole = told()
    monkeypatch.setattr(signals, "_LARGE", 0)
    monkeypatch.setattr(signals, "_PIECE", 2)
    assert told() == whole


def test_many_signals_are_read_as_each_alone_would_be():
    """Arrays go through columns, single signals do not."""
    chance = random.Random(7)
    extras = {
        "at": [None, 1795508100.25, 1795508100, "2026-11-24T08:15:00Z"], "accuracy": [None, 12, 0.5], "speed": [None, 1.5],
        "heading": [None, 90], "altitude": [None, -34.5], "battery": [None, 0.5], "event": [None, "app_open"],
        "person": [None, "p1"], "id": [None, "a", "b\u00e9"],
    }  # fmt: skip
    for rare in (
        {},
        {"context": [None, {"app": "3"}]},
        {"reported": [None, {"kind": "exit", "fence": "f"}]},
        {"lat": [None, 200.0, 1]},
    ):
        for _ in range(50):
            sent = []
            for number in range(chance.randint(9, 30)):
                fields = {name: chance.choice(values) for name, values in {**extras, **rare}.items()}
                one = {**FIX, "device": f"d{number}", **{k: v for k, v in fields.items() if v is not None}}
                sent.append(one if fields.get("lat", 1) is not None else {k: v for k, v in one.items() if k != "lat"})
            many, alone = read(sent), [read(signal) for signal in sent]
            assert list(many.signals) == [signal for decoded in alone for signal in decoded.signals]
            assert list(many.indexes) == [k for k, decoded in enumerate(alone) if decoded.signals]
            assert [r.problem for r in many.rejected] == [r.problem for decoded in alone for r in decoded.rejected]


def test_plain_arrays_are_read_into_columns():
    decoded = read([{**FIX, "device": f"d{k}", "at": 1795508100.0 + k} for k in range(20)])
    assert type(decoded.signals) is Signals


def test_many_signals_of_one_device_come_in_order_of_time():
    sent = [{**FIX, "device": f"d{k % 3}", "at": 1795508100.0 - k, "event": f"e{k}"} for k in range(20)]
    decoded = read(sent)
    for device in ("d0", "d1", "d2"):
        times = [signal.at for signal in decoded.signals if signal.device == device]
        assert times == sorted(times)
    assert [sent[k]["event"] for k in decoded.indexes] == [signal.event for signal in decoded.signals]


@pytest.mark.parametrize("text", ["a\u0007", "a\u2028"])
@pytest.mark.parametrize("field", ["device", "id", "event", "person"])
def test_a_control_character_among_many_is_found(field, text):
    sent = [{**FIX, "device": f"d{k}"} for k in range(20)]
    sent[13] = {**sent[13], field: text}
    decoded = read(sent)
    assert [(r.index, r.field) for r in decoded.rejected] == [(13, field)]
    assert len(decoded.signals) == 19
