"""The webhook adapter: signed as Standard Webhooks says, and what each answer means."""

import asyncio
import base64
import gzip
import json
from email.utils import formatdate

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from adapters import webhook
from adapters.webhook import STANDARD_WAITS, encode_body, iso, open_adapter, retry_after
from engine.clock import ManualClock, SystemClock
from engine.errors import ConfigError

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another-secret-of-32-bytes-long!").decode()


def status(code: int, **headers: str):
    return lambda: web.Response(status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_the_body_is_what_the_interface_says(sink, env, notification) -> None:
    adapter = open_adapter({"url": f"{sink.url}/hook?a=1"}, env())
    assert (await adapter.send(notification())).outcome == "sent"
    path, headers, body = sink.requests[0]
    assert path == "/hook"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "type": "moment",
        "timestamp": "2026-11-24T08:15:00Z",
        "data": {
            "moment": "mom_1",
            "notification": "ntf_1",
            "rule": "morning-coffee",
            "release": "r1",
            "variant": None,
            "person": "p9",
            "device": "d1",
            "trigger": {"kind": "enter", "fence": "cafe-mitte", "at": "2026-11-24T08:14:58Z"},
            "channel": "push",
            "message": {
                "title": "Cold out, Ana",
                "body": "20 % off",
                "link": "shop://offers/1",
                "data": {"code": "FLAT20"},
            },
            "expires_at": "2026-11-24T08:29:58Z",
        },
    }


async def test_the_signature_is_accepted_by_the_standard_verifier(sink, env, notification) -> None:
    adapter = open_adapter({"url": sink.url, "secret_env": "S"}, env(secrets={"S": SECRET}))
    await adapter.send(notification())
    _, headers, body = sink.requests[0]
    assert Verifier(SECRET).verify(body, headers)["data"]["notification"] == "ntf_1"
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body.replace(b"20 %", b"90 %"), headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)


async def test_two_secrets_sign_side_by_side(sink, env, notification) -> None:
    adapter = open_adapter({"url": sink.url, "secret_env": "S"}, env(secrets={"S": f"{SECRET} {OTHER}"}))
    await adapter.send(notification())
    _, headers, body = sink.requests[0]
    assert Verifier(SECRET).verify(body, headers) == Verifier(OTHER).verify(body, headers)


async def test_every_try_carries_the_same_id_and_body_and_its_own_timestamp(sink, env, notification) -> None:
    clock = ManualClock(SystemClock().now())
    adapter = open_adapter({"url": sink.url, "secret_env": "S"}, env(secrets={"S": SECRET}, clock=clock))
    sink.answers = [status(503), status(200)]
    assert (await adapter.send(notification())).outcome == "retry"
    clock.set(clock.now() + 5.0)
    assert (await adapter.send(notification())).outcome == "sent"
    (_, first, body), (_, second, again) = sink.requests
    assert first["webhook-id"] == second["webhook-id"] == "ntf_1"
    assert body == again
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 5
    assert Verifier(SECRET).verify(again, second)


async def test_without_a_secret_it_goes_unsigned_and_says_so(sink, env, notification) -> None:
    adapter = open_adapter({"url": sink.url}, env())
    await adapter.send(notification())
    assert "webhook-signature" not in {name.lower() for name in sink.requests[0][1]}
    assert any("unsigned" in note for note in adapter.notes)
    signed = open_adapter({"url": "https://example.com", "secret_env": "S"}, env(secrets={"S": SECRET}))
    assert signed.notes == ()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, "sent"), (201, "sent"), (204, "sent"), (299, "sent"),
        (301, "failed"), (302, "failed"), (304, "failed"), (307, "failed"), (308, "failed"),
        (400, "failed"), (413, "failed"), (422, "failed"), (410, "failed"),
        (401, "retry"), (403, "retry"), (404, "retry"), (408, "retry"), (409, "retry"), (425, "retry"), (429, "retry"),
        (405, "retry"), (418, "retry"), (500, "retry"), (502, "retry"), (503, "retry"), (504, "retry"), (599, "retry"),
    ],
)  # fmt: skip
async def test_what_each_status_means(sink, env, notification, code: int, outcome: str) -> None:
    sink.answers = [status(code, Location="/elsewhere")]
    result = await open_adapter({"url": sink.url}, env()).send(notification())
    assert result.outcome == outcome
    assert str(code) in result.detail
    assert len(sink.requests) == 1


async def test_a_redirect_is_not_followed_and_says_what_to_do(sink, env, notification) -> None:
    sink.answers = [status(302, Location="http://169.254.169.254/latest/meta-data"), status(200)]
    result = await open_adapter({"url": sink.url}, env()).send(notification())
    assert result.outcome == "failed"
    assert "redirects are not followed" in result.detail
    assert len(sink.requests) == 1


async def test_retry_after_is_honoured_in_seconds_and_as_a_date(sink, env, notification) -> None:
    clock = ManualClock(1_795_508_100.0)
    adapter = open_adapter({"url": sink.url}, env(clock=clock))
    sink.answers = [
        status(429, Retry_After="120"),
        status(503, Retry_After=formatdate(clock.now() + 300, usegmt=True)),
        status(503, Retry_After="whenever"),
        status(503),
    ]
    assert [(await adapter.send(notification())).after for _ in range(4)] == [120.0, 300.0, None, None]


@pytest.mark.parametrize(
    "value", ["", "-5", "1e9", "abc", "99999999999999999999999", "Tue, 99 Foo 2026", "１２", "\x00"]
)
def test_a_hostile_retry_after_is_a_number_or_nothing(value: str) -> None:
    after = retry_after(value, 0.0)
    assert after is None or 0.0 <= after <= 1e12


async def test_410_leaves_the_endpoint_alone_for_an_hour(sink, env, notification) -> None:
    clock = ManualClock(1_795_508_100.0)
    adapter = open_adapter({"url": sink.url}, env(clock=clock))
    sink.answers = [status(410), status(200)]
    first, second = await adapter.send(notification()), await adapter.send(notification(id="ntf_2"))
    assert (first.outcome, second.outcome) == ("failed", "failed")
    assert "Gone" in first.detail
    assert "Gone" in second.detail
    assert len(sink.requests) == 1
    clock.set(clock.now() + 3600.0)
    assert (await adapter.send(notification(id="ntf_3"))).outcome == "sent"


async def test_an_endless_answer_is_cut_off(sink, env, notification) -> None:
    sent = 0

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            while sent < 500_000_000:
                await response.write(b"x" * 65_536)
                sent += 65_536
        except (ConnectionError, asyncio.CancelledError):
            pass
        return response

    flood.wants_request = True  # type: ignore[attr-defined]
    sink.answers = [flood]
    result = await open_adapter({"url": sink.url}, env()).send(notification())
    assert result.outcome == "retry"
    assert len(result.detail) < 300
    assert sent < 50_000_000  # what fits into buffers on the way, not what the endpoint would like


async def test_a_compressed_answer_is_not_inflated(sink, env, notification) -> None:
    bomb = gzip.compress(b"x" * 20_000_000)
    sink.answers = [lambda: web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})]
    result = await open_adapter({"url": sink.url}, env()).send(notification())
    assert result.detail == "the endpoint answered 500"


async def test_the_words_of_a_refusal_are_kept_short_printable_and_without_our_secrets(sink, env, notification) -> None:
    words = "bad token hunter2-very-secret\n\x1b[2J" + "y" * 5000
    sink.answers = [lambda: web.Response(status=401, text=words)]
    given = env(secrets={"AUTH": "hunter2-very-secret"})
    adapter = open_adapter({"url": sink.url, "headers_env": {"Authorization": "AUTH"}}, given)
    result = await adapter.send(notification())
    assert sink.requests[0][1]["Authorization"] == "hunter2-very-secret"
    assert result.detail.startswith("the endpoint answered 401: bad token ***")
    assert "hunter2" not in result.detail
    assert result.detail.isprintable()
    assert len(result.detail) < 250


async def test_no_answer_in_time_is_a_retry(sink, env, notification) -> None:
    release = asyncio.Event()

    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    hang.wants_request = True  # type: ignore[attr-defined]
    sink.answers = [hang]
    result = await open_adapter({"url": sink.url}, env(timeout=0.05)).send(notification())
    release.set()
    assert (result.outcome, result.detail) == ("retry", "no answer within 0.05 s")


async def test_nobody_listening_is_a_retry(env, notification, unused_port) -> None:
    result = await open_adapter({"url": f"http://127.0.0.1:{unused_port}"}, env()).send(notification())
    assert result.outcome == "retry"
    assert "cannot connect" in result.detail


async def test_a_server_that_breaks_off_or_talks_nonsense_is_a_retry(env, notification) -> None:
    answers = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 xx\r\n\r\n",
    ]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        writer.write(answers.pop(0))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    adapter = open_adapter({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}, env())
    results = [await adapter.send(notification()) for _ in range(4)]
    server.close()
    assert [result.outcome for result in results] == ["retry"] * 4


async def test_addresses_inside_are_refused_for_good_with_the_fix(sink, env, notification) -> None:
    result = await open_adapter({"url": sink.url}, env(allow=())).send(notification())
    assert result.outcome == "failed"
    assert "127.0.0.1 is a loopback address" in result.detail
    assert "[egress] allow" in result.detail
    assert sink.requests == []


@pytest.mark.parametrize(
    ("settings", "secrets", "problem"),
    [
        ({}, {}, "url is missing"),
        ({"url": "ftp://example.com"}, {}, "not an http(s) address"),
        ({"url": "example.com/hook"}, {}, "not an http(s) address"),
        ({"url": "https://"}, {}, "url is not an"),
        ({"url": "https://example.com:99999"}, {}, "url is not an"),
        ({"url": "https://me:hunter2@example.com"}, {}, "user name or a password"),
        ({"url": 5}, {}, "Expected `str`"),
        ({"urll": "https://example.com"}, {}, "unknown setting 'urll'"),
        ({"url": "https://example.com", "secret_env": "S"}, {}, "S, which is not set"),
        ({"url": "https://example.com", "secret_env": "S"}, {"S": "  "}, "S, which is not set"),
        ({"url": "https://example.com", "secret_env": "S"}, {"S": "not-base64!hunter2"}, "not base64"),
        ({"url": "https://example.com", "secret_env": "S"}, {"S": "whsec_c2hvcnQ="}, "too short"),
        ({"url": "https://example.com", "headers_env": {"X-Key": "K"}}, {}, "K, which is not set"),
        ({"url": "https://example.com", "headers_env": {"webhook-id": "K"}}, {"K": "1"}, "not a header"),
        ({"url": "https://example.com", "headers_env": {"X Key": "K"}}, {"K": "1"}, "not a header"),
        ({"url": "https://example.com", "headers_env": {"X-Key": "K"}}, {"K": "a\nb"}, "cannot stand in a header"),
    ],
)
async def test_wrong_settings_name_the_place_and_the_fix_and_no_secret(env, settings, secrets, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_adapter(settings, env(secrets=secrets))
    assert problem in str(caught.value)
    assert caught.value.where == "config.toml [channels.push]"
    assert caught.value.fix
    assert "hunter2" not in str(caught.value)


async def test_it_carries_an_id_and_follows_the_standard_schedule(env) -> None:
    adapter = open_adapter({"url": "https://example.com"}, env())
    assert adapter.idempotent
    assert adapter.schedule == STANDARD_WAITS
    assert STANDARD_WAITS[:4] == (5.0, 300.0, 1800.0, 7200.0)
    assert webhook.TIMEOUT == 15.0


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (1_795_508_100.0, "2026-11-24T08:15:00Z"),
        (1_795_508_100.25, "2026-11-24T08:15:00.250Z"),
        (1_795_508_099.9999, "2026-11-24T08:15:00Z"),
        (0.0, "1970-01-01T00:00:00Z"),
    ],
)
def test_instants_are_utc_with_z(instant: float, text: str) -> None:
    assert iso(instant) == text


def test_an_event_trigger_names_its_event(notification) -> None:
    from engine.model.signal import Cause

    body = json.loads(encode_body(notification(cause=Cause("c", "event", 0.0, event="app_open"))))
    assert body["data"]["trigger"] == {
        "kind": "event",
        "fence": None,
        "at": "1970-01-01T00:00:00Z",
        "event": "app_open",
    }


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def self_signed(tmp_path):
    """A TLS context nobody trusts, where openssl is at hand."""
    import shutil
    import ssl
    import subprocess

    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = f"{tool} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out {cert}"
    subprocess.run(made.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_a_certificate_nobody_trusts_is_never_posted_to(env, notification, self_signed) -> None:
    seen = []

    async def take(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed).start()
    port = runner.addresses[0][1]
    result = await open_adapter({"url": f"https://127.0.0.1:{port}/"}, env()).send(notification())
    await runner.cleanup()
    assert result.outcome == "retry"
    assert "no secure connection" in result.detail
    assert seen == []


@pytest.mark.parametrize("url", ["https://127.1/", "https://2130706433/"])
async def test_an_address_in_disguise_is_refused_for_good(env, notification, url: str) -> None:
    result = await open_adapter({"url": url}, env(allow=("127.0.0.0/8",))).send(notification())
    assert result.outcome == "failed"
