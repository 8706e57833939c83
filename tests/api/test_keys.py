"""Keys, device tokens, and being local without any."""

import base64
import stat
from types import SimpleNamespace

import msgspec
import pytest

from engine.api import keys
from engine.api.keys import Keyring, is_loopback, must_be_loopback
from engine.clock import ManualClock
from engine.errors import ConfigError
from engine.model.config import Config, Server

FIX = {"device": "d1", "lat": 52.5, "lon": 13.4}


def test_a_key_is_shown_once_and_kept_as_a_hash_for_its_owner_alone(tmp_path):
    ring = Keyring.open(tmp_path, {})
    key, secret = ring.create(["read", "ingest"], "shop")
    assert ring.find(secret) == key
    assert key.scopes == ("ingest", "read")
    assert ring.find(secret + "x") is None
    file = tmp_path / "keys.json"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_keys_survive_and_can_be_revoked(tmp_path):
    first, _ = Keyring.open(tmp_path, {}).create(["ingest"])
    ring = Keyring.open(tmp_path, {})
    assert [key.id for key in ring.list()] == [first.id]
    assert ring.revoke(first.id)
    assert not ring.revoke(first.id)
    assert ring.empty


def test_an_unknown_scope_is_refused_with_the_list(tmp_path):
    with pytest.raises(ConfigError, match=r"'ingst' is not a scope.*ingest, read"):
        Keyring.open(tmp_path, {}).create(["ingst"])


def test_a_damaged_key_file_is_named(tmp_path):
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(ConfigError, match=r"keys\.json"):
        Keyring.open(tmp_path, {})


def test_a_running_server_sees_what_another_process_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.0)
    ring = Keyring.open(tmp_path, {})
    other = Keyring.open(tmp_path, {})
    key, secret = other.create(["read"])
    ring.refresh()
    assert ring.find(secret) is not None
    other.revoke(key.id)
    ring.refresh()
    assert ring.find(secret) is None


def test_a_token_is_bound_signed_and_mortal(tmp_path):
    clock = ManualClock(1000.0)
    ring = Keyring.open(tmp_path, {}, clock)
    text = ring.mint("d1", "p1", 60)
    token = ring.token(text)
    assert (token.device, token.person, token.exp) == ("d1", "p1", 1060.0)
    payload, _, signature = text.removeprefix("hdt_").partition(".")
    forged = base64.urlsafe_b64encode(msgspec.json.encode({"device": "d2", "person": "p1", "exp": 9e9})).decode()
    for bad in (
        f"hdt_{forged.rstrip('=')}.{signature}",
        f"hdt_{payload}",
        f"hdt_{payload}.",
        "hdt_",
        "hdt_é.é",
        text[:-2],
    ):
        assert ring.token(bad) is None
    clock.set(1060.0)
    assert ring.token(text) is None


def test_a_backend_with_the_shared_secret_mints_valid_tokens(tmp_path):
    secret = "s" * 64
    backend = Keyring.open(tmp_path / "elsewhere", {keys.SECRET_ENV: secret})
    assert Keyring.open(tmp_path, {keys.SECRET_ENV: secret}).token(backend.mint("d1")).device == "d1"
    assert Keyring.open(tmp_path, {}).token(backend.mint("d1")) is None
    with pytest.raises(ConfigError, match="32"):
        Keyring.open(tmp_path, {keys.SECRET_ENV: "short"})


def test_loopback_addresses_are_known():
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org", "localhost.example.org")))


def test_without_keys_only_loopback_is_served(tmp_path):
    ring = Keyring.open(tmp_path, {})
    must_be_loopback(Config(), ring)
    wide = Config(server=Server(host="0.0.0.0"))
    with pytest.raises(ConfigError, match="herenow keys create"):
        must_be_loopback(wide, ring)
    ring.create(["ingest"])
    must_be_loopback(wide, ring)


async def test_without_keys_names_of_others_and_other_pages_are_refused(server):
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]", "192.168.1.5:8080"):
        status, _, _ = await server.call("GET", "/v1/moments", headers={"Host": host})
        assert status == 403, host
    for host in ("localhost", "localhost:1234", "127.0.0.1", "[::1]:99"):
        status, _, _ = await server.call("GET", "/v1/moments", headers={"Host": host})
        assert status == 200, host
    for origin in ("http://evil.example", "null", "https://localhost.evil.example"):
        status, _, _ = await server.signals(FIX, headers={"Origin": origin})
        assert status == 403, origin
    status, _, _ = await server.signals(FIX, headers={"Origin": server.url})
    assert status == 202


async def test_keys_that_vanish_do_not_open_a_server_that_others_reach(tmp_path):
    from engine.api.gate import Gate
    from engine.api.problems import Refused

    gate = Gate(Keyring.open(tmp_path, {}), loopback=False)
    request = SimpleNamespace(headers={"Host": "localhost"}, query={})
    with pytest.raises(Refused, match="a key is needed"):
        gate.admit(request, "read", False, False)


async def test_losing_the_last_key_does_not_open_the_doors(start, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.0)
    server = await start(keys=True)
    server.keyring.revoke(server.keyring.list()[0].id)
    assert server.keyring.empty
    assert (await server.call("GET", "/v1/moments"))[0] == 401


async def test_a_key_file_that_breaks_while_serving_leaves_the_keys_in_force(start, tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.0)
    server = await start(keys=True)
    _, secret = server.keyring.create(["read"])
    (tmp_path / "keys.json").write_text("{")
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await server.call("GET", "/v1/moments", headers=headers))[0] == 200
    assert (await server.call("GET", "/v1/moments"))[0] == 401


async def test_a_device_token_speaks_for_its_own_device_only(start):
    server = await start(keys=True)
    headers = {"Authorization": f"Bearer {server.keyring.mint('d1', 'p1')}"}
    batch = [FIX, {**FIX, "device": "d2"}, {**FIX, "event": "x", "person": "p2"}, {**FIX, "event": "y", "person": "p1"}]
    status, _, answer = await server.signals(batch, headers=headers)
    assert (status, answer["accepted"]) == (202, 2)
    assert [(r["index"], r["field"]) for r in answer["rejected"]] == [(1, "device"), (2, "person")]
    assert [s.person for s in server.engine.taken] == ["p1", "p1"]


async def test_a_device_token_may_do_nothing_else(start):
    server = await start(keys=True)
    headers = {"Authorization": f"Bearer {server.keyring.mint('d1', 'p1')}"}
    for method, path in (
        ("GET", "/v1/moments"),
        ("PUT", "/v1/profiles/p1"),
        ("POST", "/v1/preview"),
        ("POST", "/v1/pause"),
    ):
        status, _, _ = await server.call(method, path, headers=headers)
        assert status == 403, path
    status, _, _ = await server.call("GET", "/v1/inbox/p2", headers=headers)
    assert status == 403
    feedback = {"person": "p2", "event": "purchase"}
    status, _, _ = await server.call("POST", "/v1/feedback", feedback, headers=dict(headers))
    assert status == 403
    status, _, _ = await server.call("POST", "/v1/feedback", {**feedback, "person": "p1"}, headers=dict(headers))
    assert status == 202
