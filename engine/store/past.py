"""A data folder read beside the server that works in it: nothing is locked, nothing is written."""

from collections.abc import Iterator
from pathlib import Path

from engine.errors import StoreError
from engine.model.record import Frame, Genesis
from engine.ports import StoredMoment
from engine.store import database, moments
from engine.store.checkpoints import Checkpoints, Saved
from engine.store.database import Database
from engine.store.files import Files
from engine.store.reading import read_folder, span_of


class Past:
    """What an embedded store holds: journal, checkpoints, objects. Raises ``StoreError`` on damage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "journal"
        self._checkpoints = Checkpoints(folder / "checkpoints", Files())
        if not self._journal.is_dir() or not (folder / "store.db").is_file():
            raise StoreError(
                "there is no journal here",
                str(folder),
                "Name a file of signals, or set [paths] data in config.toml.",
                retry=False,
            )
        segments, self.end, self.ended = span_of(self._journal)
        self.first = segments[0].base if segments else 0
        self._db = Database(folder / "store.db", writes=False)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """From record ``start`` (or the first that is held) on, to the end as of the call that made this."""
        for frame in read_folder(self._journal, max(start, self.first)):
            if frame.offset >= self.end:
                return
            yield frame

    def begins(self) -> float | None:
        """Journal time of the first frame that is held."""
        first = next(self.frames(), None)
        return None if first is None else first.received

    def saved(self) -> list[Saved]:
        """Checkpoints from which the journal can be followed without a gap, oldest first."""
        if not self._checkpoints.folder.is_dir():
            return []
        return [saved for saved in self._checkpoints.saved() if self.first <= saved.offset <= self.end]

    def checkpoint(self, saved: Saved) -> bytes | None:
        """The state of one of them; None where it cannot be read (any more)."""
        try:
            return self._checkpoints.read(saved)
        except (OSError, StoreError):
            return None

    def genesis(self) -> Genesis | None:
        """The project's own."""
        with self._db.explained("read"):
            return database.get_genesis(self._db.sql)

    def object(self, key: str) -> bytes | None:
        """A content-addressed object."""
        with self._db.explained("read"):
            return database.get_object(self._db.sql, key)

    def moment(self, id: str) -> StoredMoment | None:
        """A moment with its rows, where it is held."""
        with self._db.explained("read"):
            return moments.one(self._db.sql, id)

    def close(self) -> None:
        """Release the database."""
        self._db.close()
