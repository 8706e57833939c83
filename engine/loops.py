"""Loops compiled by numba, where it is installed (``herenow[fast]``): the same results, bit for bit, in less time.
Never required. ``jit`` is for modules imported only when numba is there: ``kernel*`` of ``sense`` and ``ingest``.

What is compiled is kept on disk by what a room's files hold, and those that all rooms share: numba itself would only
look at the one file a function stands in, and go on with what was compiled of another state of the rest.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_WHOLE = "whole"  # a file that says that nothing is left to be compiled
SHARED = (_HERE / "loops.py", _HERE / "peek.py", _HERE / "model" / "signals.py")  # what loops use beside their room


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled; kept on disk between starts where there is a folder that can be written to. What it works on is given:
    it makes no arrays, and so counts no references to them. (numba would count at every call of one such function by
    another, a fifth of all the time they took, though there is nothing to count of arrays that lie at an address.)"""
    return _compiled(function, _nrt=False)


def jit_making(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same of what makes arrays of its own, for others to work on."""
    return _compiled(function, _nrt=True)


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    from numba import njit  # noqa: PLC0415  (it may not be there)

    try:
        made: Callable[..., Any] = njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:
        made = njit(error_model="numpy", **options)(function)
    return made


@contextlib.contextmanager
def kept_apart(room: Path) -> Iterator[None]:
    """What is decorated inside is kept by the state of that folder's files. ImportError where numba is not there."""
    from numba import config  # noqa: PLC0415

    chosen = getattr(config, "CACHE_DIR", "")  # what it holds is only known as it runs
    setattr(config, "CACHE_DIR", str(_folder(room, chosen)))  # noqa: B010
    try:
        yield
    finally:
        setattr(config, "CACHE_DIR", chosen)  # noqa: B010


def keep(room: Path) -> None:
    """All that the present state of that folder's files needs is compiled."""
    with contextlib.suppress(OSError):  # then it is compiled with each start
        (_folder(room, os.environ.get("NUMBA_CACHE_DIR", "")) / _WHOLE).touch()


def kept(room: Path) -> bool:
    """Whether numba is there, and what is compiled of the present state of that folder's files: to load it then takes a
    second, and not many."""
    folder = _folder(room, os.environ.get("NUMBA_CACHE_DIR", ""))
    return find_spec("numba") is not None and (folder / _WHOLE).exists()


def _folder(room: Path, chosen: str) -> Path:
    files = (*SHARED, *sorted(room.glob("*.py")))
    state = blake2b(b"\0".join(file.read_bytes() for file in files), digest_size=8).hexdigest()
    return Path(chosen or room / "__pycache__") / f"kernels-{state}"
