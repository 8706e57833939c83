"""Hot reload: has the folder changed since it was last seen, and is it at rest?"""

from engine.author.bundle import Bundle
from engine.author.folder import Stamp, stamp
from engine.author.project import read_bundle
from engine.errors import AuthorError
from engine.model.config import Config


class Watcher:
    """Looks at the authored files of one project. ``seen`` is the hash of the bundle last seen (stored across restarts
    by its owner, so that a rollback is not undone): only a folder that differs from it counts as changed.

    A file that is being written in place looks right at any of its lines. So a change is taken only once two looks in
    a row found the same names, sizes and times, and reading changed none of them.
    """

    def __init__(self, config: Config, seen: str | None = None) -> None:
        self._config, self.seen = config, seen
        self._taken: Stamp | None = None  # of the folder as it was last read
        self._last: Stamp | None = None  # of the look before

    def changed(self) -> Bundle | None:
        """The folder's bundle if it is at rest and differs from the last one seen, else None. Reads no file while
        names, sizes and times stay the same, or while they still change. Raises ``AuthorError``, once per change, where
        files cannot be read."""
        now = stamp(self._config)
        before, self._last = self._last, now
        if now == self._taken or now != before:
            return None
        try:
            bundle = read_bundle(self._config)
        except AuthorError:
            if self._moved(now):
                return None
            raise
        if self._moved(now) or bundle.hash == self.seen:
            return None
        self.seen = bundle.hash
        return bundle

    def _moved(self, now: Stamp) -> bool:
        """Whether the folder changed while it was read: the next looks tell. If not, it is read."""
        self._last = stamp(self._config)
        if self._last != now:
            return True
        self._taken = now
        return False
