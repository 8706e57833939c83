"""The file calls the store makes, in one place: tests put a failing or a forgetful one here."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import StoreError

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_NOT_SUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Files:
    """Plain calls; every one raises ``OSError``. Positions and sizes are bytes."""

    def __init__(self, dsync: int = getattr(os, "RWF_DSYNC", 0)) -> None:
        self._dsync = dsync

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; a file made by it is private to its owner."""
        return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), FILE_MODE)

    def write_durably(self, fd: int, buffers: Sequence[bytes], position: int) -> int:
        """Bytes written, all of them on stable storage. One system call where the platform has it: a thread beside a
        busy event loop waits for the interpreter lock after each."""
        if self._dsync:
            try:
                return os.pwritev(fd, buffers, position, self._dsync)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
                self._dsync = 0  # a file system that does not know the flag
        written = os.pwritev(fd, buffers, position)
        self.sync(fd)
        return written

    def write(self, fd: int, buffer: bytes | memoryview, position: int) -> int:
        """Bytes written, not yet durable."""
        return os.pwrite(fd, buffer, position)

    def read(self, fd: int, size: int, position: int) -> bytes:
        """At most ``size`` bytes."""
        return os.pread(fd, size, position)

    def size(self, fd: int) -> int:
        """How long the file is."""
        return os.fstat(fd).st_size

    def sync(self, fd: int) -> None:
        """Data, and the length that is needed to find it, to stable storage."""
        full = getattr(fcntl, "F_FULLFSYNC", None)
        if full is not None:  # macOS: fsync alone stops at the drive's cache
            fcntl.fcntl(fd, full)
        else:
            os.fdatasync(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file."""
        os.ftruncate(fd, size)

    def close(self, fd: int) -> None:
        """Give the descriptor back."""
        os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Put a finished file in its place, whatever was there before."""
        os.replace(old, new)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def names(self, folder: Path) -> list[str]:
        """What is in a folder, sorted."""
        return sorted(os.listdir(folder))

    def make_folder(self, folder: Path) -> None:
        """Create a folder and what is missing above it, so that a power cut keeps it."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        os.mkdir(folder, FOLDER_MODE)
        self.sync_folder(folder.parent)

    def sync_folder(self, folder: Path) -> None:
        """Make names that were added, replaced or removed durable."""
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def read_fully(files: Files, fd: int, size: int, position: int) -> bytes:
    """``size`` bytes, or what there is: one call gives at most 2 GiB."""
    parts = []
    while size > 0 and (part := files.read(fd, min(size, 1 << 30), position)):
        parts.append(part)
        size, position = size - len(part), position + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_whole(files: Files, path: Path, buffers: Sequence[bytes | memoryview]) -> None:
    """A file with this content, atomically: after a crash the old one (or none) is found, or the new one."""
    part = path.with_name(path.name + ".tmp")
    try:
        fd = files.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        try:
            _write_all(files, fd, buffers)
            files.sync(fd)
        finally:
            files.close(fd)
        files.rename(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            files.unlink(part)
        raise
    files.sync_folder(path.parent)


def _write_all(files: Files, fd: int, buffers: Sequence[bytes | memoryview]) -> None:
    position = 0
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            written = files.write(fd, rest, position)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            position += written
            rest = rest[written:]


@contextlib.contextmanager
def explained(action: str, where: Path) -> Iterator[None]:
    """File trouble inside becomes a ``StoreError`` that names the file and what to do."""
    try:
        yield
    except OSError as error:
        raise file_trouble(action, where, error) from error


def file_trouble(action: str, where: Path, error: OSError) -> StoreError:
    """``action`` as in "write the journal"."""
    problem = f"cannot {action}: {error.strerror or error}."
    if error.errno in _FULL:
        return StoreError(problem, str(where), "Free space on that disk; writing goes on by itself then.")
    if error.errno in _DENIED:
        return StoreError(problem, str(where), "Let the user the server runs as own and write it.", retry=False)
    if error.errno == errno.EIO:
        return StoreError(problem, str(where), "The disk reports faults: check it (dmesg, smartctl).")
    return StoreError(problem, str(where))


class FolderLock:
    """One process per data folder. Released by the system however the process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._fd: int | None = None

    def take(self) -> None:
        """Raises ``StoreError`` when another process (or another store of this one) holds the folder."""
        with explained("lock the data folder", self._path):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
        try:
            # flock, not lockf: it holds between two stores of one process as well.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        except OSError as error:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace")
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise file_trouble("lock the data folder", self._path, error) from error
            raise StoreError(
                f"the data folder is in use by process {holder or 'unknown'}.",
                str(self._path.parent),
                "Stop that server, or give this one another [paths] data.",
                retry=False,
            ) from error
        self._fd = fd

    def release(self) -> None:
        """Let the next one in; safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
