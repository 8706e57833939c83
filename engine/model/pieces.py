"""Msgpack of large things, a piece at a time: what is dumped never lies in memory twice."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode
Column = Callable[[], bytes]  # made when its turn comes


def pieces(value: Any) -> Iterator[bytes]:
    """The bytes of a value; a ``dict`` goes item by item, a ``Column`` in it is bytes that are made meanwhile."""
    if isinstance(value, dict):
        yield b"\xdf" + len(value).to_bytes(4, "big")
        for key, item in value.items():
            yield _encode(key)
            yield from pieces(item)
    elif callable(value):
        made = value()
        yield head_of_bytes(len(made))
        yield made
    else:
        yield _encode(value)


def head_of_list(count: int) -> bytes:
    """What stands before so many values, as short as it can be."""
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdd" + count.to_bytes(4, "big")


def head_of_bytes(size: int) -> bytes:
    """What stands before so many bytes."""
    return b"\xc6" + size.to_bytes(4, "big")
