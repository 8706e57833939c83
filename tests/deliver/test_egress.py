"""The egress guard: what adapters may reach."""
# ruff: noqa: SIM905 (hundreds of addresses read best as words)

import asyncio
import gzip
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from engine.deliver.addresses import AddressGuard
from engine.deliver.egress import OwnThreadResolver, guarded_session
from engine.errors import ConfigError

INSIDE = """
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1 127.0.0.53
127.1.2.3 127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.17.0.1 172.31.255.255
192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.1.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
""".split()
INSIDE6 = """
:: ::1 ::2 100::1 fc00::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fd20:ce::254 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1
ff01::1 ff02::1 ff02::fb ff05::2 2001::1 2001:0:53aa:64c:0:fbff:5601:feff 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2001:db8:ffff::1 3fff::1 4000::1 5f00::1 64:ff9b:1::a00:1 64:ff9b:1:ffff::1 2620:4f:8000::1 8000::1 e000::1
2600:1901:0:1:0:5efe:7f00:1 2600:1901:0:1:200:5efe:a9fe:a9fe
""".split()
WRITTEN = """
localhost 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7f.0.0.1 0177.0.0.1 017700000001 0 0.0 0x0 00000177.1
2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 169.16689662 10.1 012.1 192.168.257 3232235777 127.0.0.1.
[::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::ffff:169.254.169.254] [0000:0000:0000:0000:0000:0000:0000:0001]
""".split()
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


def hostile_addresses() -> list[str]:
    """Every inside address, plainly and in each dress that carries it."""
    found = [*INSIDE, *INSIDE6]
    for text in INSIDE:
        number = int(IPv4Address(text))
        found += [
            f"::ffff:{text}",
            str(IPv6Address(number)),
            str(IPv6Address((0x64FF9B << 96) | number)),
            str(IPv6Address((0x2002 << 112) | (number << 80) | 1)),
            str(IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF))),
        ]
    return found


class Names(AbstractResolver):
    """One name after another for one host: a resolver in an attacker's hands."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in given
        ]

    async def close(self) -> None:
        pass


class Sockets:
    """Stands where a socket would be made; no connection ever leaves the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, info):
        self.asked.append(info[4][0])
        raise ConnectionRefusedError(111, "refused by the test")


async def try_all(urls: list[str], session: aiohttp.ClientSession) -> list[OSError | None]:
    """Post to each; what went wrong below, where a connection was tried at all."""
    errors = []
    for url in urls:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.post(url, data=b"{}")
        errors.append(caught.value.os_error if isinstance(caught.value, aiohttp.ClientConnectorError) else None)
    return errors


async def test_over_two_hundred_hostile_addresses_get_no_connection() -> None:
    sockets = Sockets()
    hosts = [f"[{a}]" if ":" in a else a for a in hostile_addresses()]
    assert len(set(hosts)) >= 200
    async with guarded_session(make_socket=sockets) as session:
        for scheme in ("https", "http"):
            errors = await try_all([f"{scheme}://{host}/latest/meta-data/" for host in hosts], session)
            assert all(isinstance(error, PermissionError) for error in errors)
            await try_all([f"{scheme}://{host}/" for host in WRITTEN], session)  # refused as an address or as a name
    assert sockets.asked == []


async def test_names_that_resolve_inside_get_no_connection() -> None:
    sockets = Sockets()
    addresses = hostile_addresses()
    assert len(addresses) >= 200
    for address in addresses:
        async with guarded_session(resolver=Names([address]), make_socket=sockets) as session:
            (error,) = await try_all(["https://hooks.example.com/"], session)
            assert isinstance(error, PermissionError), address
    assert sockets.asked == []


async def test_a_real_server_inside_sees_no_connection() -> None:
    connections = 0

    def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hosts = ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "0"]
    async with guarded_session() as session:
        await try_all([f"{scheme}://{host}:{port}/" for host in hosts for scheme in ("http", "https")], session)
    server.close()
    await server.wait_closed()
    assert connections == 0


async def test_public_addresses_pass_with_tls_and_not_without() -> None:
    sockets = Sockets()
    hosts = [f"[{a}]" if ":" in a else a for a in PUBLIC]
    async with guarded_session(make_socket=sockets) as session:
        refused = await try_all([f"http://{host}/" for host in hosts], session)
        assert sockets.asked == []
        assert all("use https" in str(error) for error in refused)
        await try_all([f"https://{host}/" for host in hosts], session)
    assert [ip_address(asked) for asked in sockets.asked] == [ip_address(address) for address in PUBLIC]


async def test_a_name_that_answers_differently_the_second_time_gains_nothing() -> None:
    sockets = Sockets()
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    async with guarded_session(resolver=names, make_socket=sockets) as session:
        session.connector._use_dns_cache = False  # type: ignore[union-attr]
        await try_all(["https://a.example.com/", "https://a.example.com/"], session)
    assert set(sockets.asked) == {"1.1.1.1"}


async def test_a_name_with_one_address_inside_reaches_only_the_public_one() -> None:
    sockets = Sockets()
    async with guarded_session(resolver=Names(["10.0.0.1", "1.1.1.1"]), make_socket=sockets) as session:
        await try_all(["https://a.example.com/"], session)
    assert set(sockets.asked) == {"1.1.1.1"}


@pytest.mark.parametrize("address", [a for a in INSIDE if a.startswith(("169.254", "0.", "224", "168.63", "100.100"))])
def test_metadata_and_its_like_stay_closed_even_when_everything_is_allowed(address: str) -> None:
    guard = AddressGuard(["0.0.0.0/0", "::/0"])
    number = int(IPv4Address(address))
    carried = IPv6Address((0x64FF9B << 96) | number)
    assert "never" in (guard.refusal(address) or "")
    assert "never" in (guard.refusal(f"::ffff:{address}") or "")
    assert "never" in (guard.refusal(str(carried)) or "")


@pytest.mark.parametrize("address", ["fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::"])
def test_metadata_of_ipv6_stays_closed_too(address: str) -> None:
    assert "never" in (AddressGuard(["::/0"]).refusal(address) or "")


def test_an_allowed_network_opens_itself_only() -> None:
    guard = AddressGuard(["10.1.0.0/16", "127.0.0.1/32", "::1/128"])
    assert [guard.refusal(a, plain=True) for a in ("10.1.2.3", "127.0.0.1", "::1")] == [None, None, None]
    assert all(guard.refusal(a) for a in ("10.2.0.1", "127.0.0.2", "::ffff:127.0.0.1", "2002:7f00:1::1"))


def test_an_allowed_nat64_network_opens_no_inside_address() -> None:
    guard = AddressGuard(["64:ff9b::/96"])
    assert guard.refusal("64:ff9b::101:101") is None
    assert "private" in (guard.refusal("64:ff9b::a00:1") or "")


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1:80", "0x7f.1", "1.2.3", "１.1.1.1", "a" * 300])
def test_what_is_not_a_plain_address_is_refused(host: str) -> None:
    assert "not a plain IP address" in (AddressGuard().refusal(host) or "")


@pytest.mark.parametrize("text", ["10.0.0.5/8", "example.com", "", "10.0.0.0/33", "169.254.169.254/32", "fe80::/64"])
def test_a_wrong_allow_list_says_so(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AddressGuard([text])
    assert caught.value.where == "[egress] allow"
    assert caught.value.fix


async def test_redirects_are_refused_whatever_the_caller_asked() -> None:
    async with local_server() as (url, seen), guarded_session(("127.0.0.1/32",)) as session:
        for follow in (True, False):
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await session.post(f"{url}/redirect", allow_redirects=follow)
            assert caught.value.status == 302
        assert seen == ["/redirect", "/redirect"]


async def test_an_answer_is_never_inflated() -> None:
    async with (
        local_server() as (url, _),
        guarded_session(("127.0.0.1/32",)) as session,
        session.get(f"{url}/bomb") as response,
    ):
        assert len(await response.read()) < 20_000


async def test_proxies_are_neither_read_from_the_environment_nor_taken_from_a_caller(monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with local_server() as (url, seen), guarded_session(("127.0.0.1/32",)) as session:
        async with session.get(f"{url}/ok") as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{url}/ok", proxy=url)
        assert seen == ["/ok"]


async def test_a_slow_name_server_does_not_use_the_loops_own_threads(monkeypatch) -> None:
    answer = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def never(*_: object, **__: object) -> None:
        answer.set()

    monkeypatch.setattr(loop, "getaddrinfo", never)
    monkeypatch.setattr(loop, "run_in_executor", never)
    found = await OwnThreadResolver().resolve("127.0.0.1", 80)
    assert found[0]["host"] == "127.0.0.1"
    assert not answer.is_set()


async def test_a_name_that_is_none_is_an_ordinary_error() -> None:
    resolver = OwnThreadResolver()
    for host in ("a" * 70 + ".example", "bad..name", "\udcff.example"):
        with pytest.raises(OSError):
            await resolver.resolve(host, 80)


class local_server:  # noqa: N801  reads as the context it is
    """A server on loopback; ``seen`` lists the paths asked for."""

    async def __aenter__(self):
        self.seen: list[str] = []

        async def handle(request: web.Request) -> web.Response:
            self.seen.append(request.path)
            if request.path == "/redirect":
                return web.Response(status=302, headers={"Location": "/ok"})
            if request.path == "/bomb":
                return web.Response(body=gzip.compress(b"x" * 10_000_000), headers={"Content-Encoding": "gzip"})
            return web.Response(text="fine")

        self.runner = web.ServerRunner(web.Server(handle))
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}", self.seen

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()
