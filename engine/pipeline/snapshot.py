"""The state as of one instant, written down while the server works on.

A forked child has the memory as it was, and writes it to a file while the loop goes on: what holds the loop is the fork
alone, some milliseconds for a gigabyte. The child does nothing else, holds nothing open and never returns. A small
state is written down on the spot, and so is a large one where a process cannot be forked.
"""

import asyncio
import contextlib
import gc
import mmap
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from engine.errors import StoreError

log = structlog.get_logger("herenow.snapshot")

_KINDNESS = 10  # of the child: the server comes first
_LOOK = 0.02  # seconds between two looks whether the child is done
_LONGEST = 600.0  # seconds until a child is given up
_FILES = 65_536  # numbers of open files that the child lets go of

Pieces = Callable[[], Iterable[bytes | memoryview]]


class Snapshot:
    """Taken on construction, as of then (``offset``, ``received``: up to which record, and its journal time); ``blob``
    has it once it is whole."""

    def __init__(self, pieces: Pieces, large: bool, folder: Path | None, offset: int, received: float) -> None:
        self.offset, self.received = offset, received
        self._whole: bytes | None = None
        self._pid, self._fd = 0, -1
        if large and hasattr(os, "fork"):
            try:
                self._fd, name = tempfile.mkstemp(dir=folder)
                os.unlink(name)
                self._pid = _fork(pieces, self._fd)
            except OSError as error:
                log.warning("the state cannot be written by a process of its own", problem=str(error))
                self._end()
        if not self._pid:
            self._whole = b"".join(pieces())

    async def blob(self) -> bytes | memoryview:
        """All of it, in the end. Raises ``StoreError`` when it could not be written down; try again later."""
        if self._whole is not None:
            return self._whole
        try:
            code = await self._ended()
            if code != 0:
                raise StoreError(f"the state could not be written down (exit code {code}).", retry=True)
            return memoryview(mmap.mmap(self._fd, 0, access=mmap.ACCESS_READ))
        finally:
            self._end()

    async def _ended(self) -> int:
        for _ in range(int(_LONGEST / _LOOK)):
            code = self._look()
            if code is not None:
                return code
            await asyncio.sleep(_LOOK)
        raise StoreError(f"the state was not written down within {_LONGEST:g} seconds.", retry=True)

    def _look(self) -> int | None:
        """How the child ended, if it did."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return None
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _end(self) -> None:
        """Nobody waits for the child any more; what was mapped stays."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
        if self._fd >= 0:
            os.close(self._fd)
        self._pid, self._fd = 0, -1


def _fork(pieces: Pieces, fd: int) -> int:
    """The child's process id; in the child it does not return."""
    with warnings.catch_warnings():
        # The child only encodes and writes: it takes no lock that another thread may have held.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _let_go(fd)
        with open(fd, "wb", buffering=0, closefd=False) as out:
            for piece in pieces():
                view = memoryview(piece)
                while view:
                    view = view[out.write(view) or 0 :]
        code = 0
    finally:
        os._exit(code)


def _let_go(fd: int) -> None:
    """The port and the lock of the data folder are the parent's: should it die, nothing here may hold them."""
    gc.disable()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(0, fd)
    os.closerange(fd + 1, _FILES)
    os.nice(_KINDNESS)
