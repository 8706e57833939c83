"""A bundle: the authored files and the policy as bytes, with the hash that names the release."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import msgspec

from engine.errors import HerenowError
from engine.model.release import Policy

_FORMAT = 1
_encode = msgspec.msgpack.Encoder().encode
_BYTES = ((0xC4, 1), (0xC5, 2), (0xC6, 4))  # msgpack's codes, and how many bytes of size follow
_ARRAYS = ((0xDC, 2), (0xDD, 4))


@dataclass(frozen=True)
class Bundle:
    """``files``: name (``rules/x.yaml``, ``geofences/y.geojson``) -> content, sorted by name."""

    files: Mapping[str, bytes]
    policy: Policy

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", dict(sorted(self.files.items())))

    def encode(self) -> bytes:
        """The canonical bytes: the same for the same content, whatever the order it was put in."""
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        """Msgpack of format, files and policy; large files are not copied."""
        yield b"\x93" + _encode(_FORMAT)
        yield _head(len(self.files), 0x90, _ARRAYS)
        for name, content in self.files.items():
            yield b"\x92" + _encode(name) + _head(len(content), 0, _BYTES)
            yield content
        yield _encode(self.policy)

    @cached_property
    def hash(self) -> str:
        """blake2b-160 of the canonical bytes, in hex."""
        of = blake2b(digest_size=20)
        for piece in self._pieces():
            of.update(piece)
        return of.hexdigest()

    @classmethod
    def decode(cls, blob: bytes, name: str = "") -> "Bundle":
        """The bundle of ``encode`` (``name``: its hash, where that is known). Raises ``HerenowError`` where the bytes
        are none."""
        try:
            form, files, policy = msgspec.msgpack.decode(blob, type=tuple[int, tuple[tuple[str, bytes], ...], Policy])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise HerenowError("The stored release cannot be read.", fix=str(error)) from error
        if form != _FORMAT:
            raise HerenowError(f"The stored release has format {form}.", fix="Use the version that wrote it.")
        bundle = cls(dict(files), policy)
        if name:
            bundle.__dict__["hash"] = name
        return bundle


def _head(size: int, few: int, codes: tuple[tuple[int, int], ...]) -> bytes:
    """What stands before so many bytes or items; ``few``: where up to 15 are told with the code itself."""
    if few and size < 16:
        return bytes([few | size])
    code, width = next(kind for kind in codes if size < 1 << 8 * kind[1])
    return bytes([code]) + size.to_bytes(width, "big")
