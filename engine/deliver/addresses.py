"""Which addresses an adapter may reach. Public ones, and the networks of ``[egress] allow``; never some."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from engine.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Named = tuple[tuple[Network, str], ...]


def _named(*pairs: tuple[str, str]) -> Named:
    return tuple((ip_network(text), word) for text, word in pairs)


# Nothing useful for a message lives here, and cloud metadata hands out credentials: no allow-list opens these.
_NEVER = _named(
    ("0.0.0.0/8", "an unspecified address"),
    ("169.254.0.0/16", "a link-local (cloud metadata) address"),
    ("100.100.100.200/32", "a cloud metadata address"),
    ("168.63.129.16/32", "a cloud metadata address"),
    ("192.0.0.192/32", "a cloud metadata address"),
    ("224.0.0.0/4", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("::/128", "an unspecified address"),
    ("fe80::/10", "a link-local (cloud metadata) address"),
    ("fd00:ec2::/32", "a cloud metadata address"),
    ("fd20:ce::/32", "a cloud metadata address"),
    ("ff00::/8", "a multicast address"),
)

# The IANA special-purpose registries, spelled out because ``is_global`` differs between Python versions and says yes to
# addresses that merely carry a private one.
_SPECIAL = _named(
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a shared (carrier-grade NAT) address"),
    ("127.0.0.0/8", "a loopback address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.0.2.0/24", "a documentation address"),
    ("192.31.196.0/24", "a reserved address"),
    ("192.52.193.0/24", "a reserved address"),
    ("192.88.99.0/24", "a 6to4 relay address"),
    ("192.168.0.0/16", "a private address"),
    ("192.175.48.0/24", "a reserved address"),
    ("198.18.0.0/15", "a benchmarking address"),
    ("198.51.100.0/24", "a documentation address"),
    ("203.0.113.0/24", "a documentation address"),
    ("240.0.0.0/4", "a reserved address"),
    ("::1/128", "a loopback address"),
    ("::ffff:0:0/96", "an IPv4-mapped address"),
    ("64:ff9b::/96", "a NAT64 address"),
    ("64:ff9b:1::/48", "a NAT64 address"),
    ("2001::/32", "a Teredo address"),
    ("2001::/23", "a reserved address"),
    ("2001:db8::/32", "a documentation address"),
    ("2002::/16", "a 6to4 address"),
    ("2620:4f:8000::/48", "a reserved address"),
    ("3fff::/20", "a documentation address"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a site-local address"),
)
_UNICAST6 = IPv6Network("2000::/3")  # the only part of IPv6 that is handed out
_LAST32 = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
)
_ISATAP = (0x00005EFE, 0x02005EFE)


class AddressGuard:
    """Judges addresses. ``allow``: networks such as ``10.1.0.0/16``; raises ``ConfigError`` where one is not."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow = tuple(_network(text) for text in allow)

    def refusal(self, host: str, plain: bool = False) -> str | None:
        """Why this literal address may not be connected to, or None. ``plain``: without TLS (allowed networks only)."""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return f"{host!r} is not a plain IP address"
        carried = _carried(address)
        for each in (address, *carried):
            word = _word(each, _NEVER)
            if word:
                return f"{address} is {word}, which adapters may never reach"
        if self._allows(address):
            blocked = next((each for each in carried if not self._allows(each) and _special(each)), None)
            return f"{address} carries {blocked}, which is {_special(blocked)}" if blocked else None
        word = _special(address) or (carried and "an address that carries an IPv4 one") or None
        if word:
            return f"{address} is {word}; put its network under [egress] allow if adapters should reach it"
        if plain:
            return f"plain http may only go to networks under [egress] allow, not to {address}; use https"
        return None

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self._allow)


def _network(text: str) -> Network:
    where = "[egress] allow"
    try:
        network = ip_network(text)
    except ValueError as error:
        fix = 'Write networks, for example allow = ["10.1.0.0/16", "127.0.0.1/32"].'
        raise ConfigError(f"{text!r} is not a network ({error}).", where, fix) from None
    for never, word in _NEVER:
        if _within(network, never):
            raise ConfigError(f"{text!r} is {word}, which adapters may never reach.", where, "Remove it.")
    return network


def _within(network: Network, outer: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(outer, IPv4Network) and network.subnet_of(outer)
    return isinstance(outer, IPv6Network) and network.subnet_of(outer)


def _word(address: Address, table: Named) -> str | None:
    return next((word for network, word in table if address in network), None)


def _special(address: Address) -> str | None:
    word = _word(address, _SPECIAL)
    if word is None and address.version == 6 and address not in _UNICAST6:
        return "not a public address"
    return word


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that a transitional IPv6 address would reach."""
    if isinstance(address, IPv4Address):
        return ()
    if address.teredo:
        return address.teredo
    if address.sixtofour:
        return (address.sixtofour,)
    number = int(address)
    if address.is_loopback:  # ::1 lies in ::/96 and carries nothing
        return ()
    if any(address in network for network in _LAST32) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return (IPv4Address(number & 0xFFFFFFFF),)
    return ()
