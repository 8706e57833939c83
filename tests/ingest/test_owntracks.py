# ruff: noqa: E501
"""OwnTracks payloads as the apps send them."""

import msgspec
import pytest

from engine.ingest.body import BadBody
from engine.ingest.owntracks import decode
from engine.model.signal import Reported

ARRIVAL = 1_795_508_200.0
ANDROID = {
    "_type": "location", "_id": "0f3a", "acc": 13, "alt": 154, "batt": 54, "bs": 1, "BSSID": "c0:ff", "SSID": "home",
    "cog": 270, "conn": "w", "created_at": 1795508101, "lat": 52.5163, "lon": 13.3777, "m": 1, "t": "u", "tid": "ph",
    "topic": "owntracks/anna/pixel", "tst": 1795508100, "vac": 2, "vel": 54,
}  # fmt: skip
IOS = {
    "_type": "location", "tst": 1795508100, "lat": 52.5163, "lon": 13.3777, "acc": 65, "alt": 34, "vac": 10, "batt": 87,
    "p": 101.3, "conn": "m", "tid": "AB", "t": "p", "inregions": ["Home"], "cog": -1, "vel": -1, "bs": 2,
}  # fmt: skip
TRANSITION = {
    "_type": "transition", "event": "enter", "desc": "cafe-mitte", "lat": 52.52, "lon": 13.40, "acc": 20, "wtst": 1795000000,
    "tst": 1795508100, "tid": "ph", "t": "c", "rid": "6da9cf",
}  # fmt: skip
SILENT = [
    {"_type": "lwt", "tst": 1795508100},
    {"_type": "waypoint", "desc": "Home", "lat": 1.0, "lon": 2.0, "rad": 100, "tst": 1795508100},
    {
        "_type": "waypoints",
        "waypoints": [{"_type": "waypoint", "desc": "Home", "lat": 1, "lon": 2, "rad": 9, "tst": 1}],
    },
    {"_type": "status", "iOS": {"version": "18.1"}},
    {"_type": "card", "name": "Anna", "face": "iVBOR", "tid": "ph"},
    {"_type": "cmd", "action": "reportLocation"},
    {"_type": "configuration", "deviceId": "pixel"},
    {
        "_type": "beacon",
        "uuid": "E2C56DB5",
        "major": 1,
        "minor": 2,
        "tst": 1795508100,
        "acc": 1,
        "rssi": -60,
        "prox": 1,
    },
    {"_type": "steps", "tst": 1795508100, "steps": 1200, "from": 1795500000, "to": 1795508100},
    {"_type": "dump", "configuration": {}},
    {"_type": "request", "request": "tour"},
    {"_type": "encrypted", "data": "GPRl0..."},
    {"_type": "something-new", "lat": "nonsense"},
]


def read(body, user="", device=""):
    return decode(body if isinstance(body, bytes) else msgspec.json.encode(body), user, device, ARRIVAL)


def test_a_location_of_an_android_phone():
    (signal,) = read(ANDROID)
    assert (signal.device, signal.person, signal.at) == ("anna/pixel", "anna", 1795508100.0)
    assert (signal.lat, signal.lon, signal.accuracy, signal.altitude) == (52.5163, 13.3777, 13.0, 154.0)
    assert (signal.speed, signal.heading, signal.battery) == (15.0, 270.0, 0.54)


def test_what_an_iphone_does_not_know_is_left_out():
    (signal,) = read(IOS, "anna", "iphone")
    assert (signal.speed, signal.heading, signal.battery) == (None, None, 0.87)


def test_zero_fields_are_omitted_by_the_apps():
    (signal,) = read({"_type": "location", "lat": 1.0, "lon": 2.0, "tst": 1795508100}, "u", "d")
    assert (signal.accuracy, signal.speed, signal.heading, signal.altitude, signal.battery) == (None,) * 5


def test_a_transition_is_a_region_report_with_its_fix():
    (signal,) = read(TRANSITION, "anna", "pixel")
    assert (signal.reported, signal.lat, signal.accuracy) == (Reported("enter", "cafe-mitte"), 52.52, 20.0)
    (signal,) = read({**TRANSITION, "event": "leave"}, "anna", "pixel")
    assert signal.reported == Reported("exit", "cafe-mitte")


def test_the_moving_region_of_the_app_itself_is_only_a_fix():
    (signal,) = read({**TRANSITION, "desc": "+follow"}, "anna", "pixel")
    assert signal.reported is None


@pytest.mark.parametrize("message", SILENT, ids=lambda m: m["_type"])
def test_types_that_say_nothing_of_a_place_are_taken_and_ignored(message):
    assert read(message) == []


def test_headers_come_before_the_topic():
    (signal,) = read(ANDROID, "bert", "tablet")
    assert (signal.device, signal.person) == ("bert/tablet", "bert")


def test_a_batch_comes_in_order():
    signals = read([{**ANDROID, "tst": 1795508100 - i} for i in range(3)] + SILENT)
    assert [s.at for s in signals] == [1795508098.0, 1795508099.0, 1795508100.0]


def test_a_repeat_has_the_same_key_and_another_message_another():
    key = read(ANDROID)[0].key
    assert key == read(dict(ANDROID))[0].key
    assert key != read({**ANDROID, "lat": 52.6})[0].key
    assert key != read(ANDROID, "other", "pixel")[0].key


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lat": 91}, "lat"), ({"lat": "1"}, "lat"), ({"lon": None}, "lon"), ({"lat": True}, "lat"), ({"acc": "x"}, "acc"),
        ({"vel": -5}, "vel"), ({"batt": 200}, "batt"), ({"tst": 1795508100000}, "tst"), ({"tst": 1}, "tst"),
        ({"tst": 1795509999}, "tst"), ({"topic": None}, "topic"), ({"topic": "x"}, "topic"), ({"topic": "a/b\n/c"}, "topic"),
        ({"_type": 5}, "_type"), ({"_type": None}, "_type"), ({"cog": 720}, "cog"), ({"alt": []}, "alt"),
    ],
)  # fmt: skip
def test_a_wrong_message_names_the_field(change, field):
    with pytest.raises(BadBody) as error:
        read({**ANDROID, **change})
    assert (error.value.status, error.value.extra["field"]) == (422, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": "dwell"}, "event"),
        ({"event": None}, "event"),
        ({"desc": "", "rid": ""}, "desc"),
        ({"desc": 5}, "desc"),
    ],
)
def test_a_wrong_transition_names_the_field(change, field):
    with pytest.raises(BadBody) as error:
        read({**TRANSITION, **change}, "u", "d")
    assert error.value.extra["field"] == field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 9999, b'{"_type":"location","lat":1e999}', b"9" * 9999])
def test_what_is_not_json_is_a_4xx(body):
    with pytest.raises(BadBody) as error:
        read(body, "u", "d")
    assert error.value.status in (400, 422)
