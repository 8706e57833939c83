"""Ids and shares that come from content alone: the same on every machine, in every run."""

from hashlib import blake2b

SEPARATOR = "\x1f"


def moment_id(person: str, rule: str, trigger: str) -> str:
    """``mom_`` and 32 hex digits: one moment for one person, rule and trigger id, however often it is decided."""
    return "mom_" + _hex(person, rule, trigger)


def notification_id(moment: str, channel: str) -> str:
    """``ntf_`` and 32 hex digits: one notification for one moment on one channel; the idempotency key of its sends."""
    return "ntf_" + _hex(moment, channel)


def share(salt: str, *parts: str) -> float:
    """Where the parts fall in [0, 1): even over many parts, for ever the same for one salt."""
    digest = blake2b(_join(salt, *parts), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def key_of(*parts: str) -> int:
    """63 bits that stand for the parts."""
    return int.from_bytes(blake2b(_join(*parts), digest_size=8).digest(), "big") >> 1


def _hex(*parts: str) -> str:
    return blake2b(_join(*parts), digest_size=16).hexdigest()


def _join(*parts: str) -> bytes:
    return SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
