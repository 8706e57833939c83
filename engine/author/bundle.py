"""A bundle: the authored files and the policy as bytes, with the hash that names the release."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import msgspec

from engine.errors import HerenowError
from engine.model.release import Policy

_FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """``files``: name (``rules/x.yaml``, ``geofences/y.geojson``) -> content, sorted by name."""

    files: Mapping[str, bytes]
    policy: Policy

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", dict(sorted(self.files.items())))

    def encode(self) -> bytes:
        """The canonical bytes: the same for the same content, whatever the order it was put in."""
        return msgspec.msgpack.encode((_FORMAT, tuple(self.files.items()), self.policy))

    @cached_property
    def hash(self) -> str:
        """blake2b-160 of the canonical bytes, in hex."""
        return blake2b(self.encode(), digest_size=20).hexdigest()

    @classmethod
    def decode(cls, blob: bytes) -> "Bundle":
        """The bundle of ``encode``. Raises ``HerenowError`` where the bytes are none."""
        try:
            form, files, policy = msgspec.msgpack.decode(blob, type=tuple[int, tuple[tuple[str, bytes], ...], Policy])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise HerenowError("The stored release cannot be read.", fix=str(error)) from error
        if form != _FORMAT:
            raise HerenowError(f"The stored release has format {form}.", fix="Use the version that wrote it.")
        return cls(dict(files), policy)
