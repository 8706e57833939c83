"""The canonical bytes of a bundle, which name the release."""

from hashlib import blake2b

import msgspec
import pytest

from engine.author.bundle import Bundle
from engine.model.release import Policy


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300, 70_000])
@pytest.mark.parametrize("size", [0, 255, 256, 70_000])
def test_they_are_msgpack_of_format_files_and_policy(count, size) -> None:
    files = {f"rules/{k:06}.yaml": b"x" * size if k < 2 else b"" for k in reversed(range(count))}
    bundle, policy = Bundle(files, Policy()), Policy()
    whole = msgspec.msgpack.encode((1, tuple(sorted(files.items())), policy))
    assert bundle.encode() == whole
    assert bundle.hash == blake2b(whole, digest_size=20).hexdigest()
    assert Bundle.decode(whole) == bundle


def test_a_hash_that_is_known_is_not_worked_out_again() -> None:
    blob = Bundle({"rules/a.yaml": b"rules:"}, Policy()).encode()
    assert Bundle.decode(blob, "known").hash == "known"
