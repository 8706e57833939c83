"""Hot reload: has the folder changed since it was last seen?"""

from engine.author.bundle import Bundle
from engine.author.folder import Stamp, stamp
from engine.author.project import read_bundle
from engine.model.config import Config


class Watcher:
    """Looks at the authored files of one project. ``seen`` is the hash of the bundle last seen (stored across restarts
    by its owner, so that a rollback is not undone): only a folder that differs from it counts as changed."""

    def __init__(self, config: Config, seen: str | None = None) -> None:
        self._config, self.seen = config, seen
        self._stamp: Stamp | None = None

    def changed(self) -> Bundle | None:
        """The folder's bundle if it differs from the last one seen, else None. Reads no file while names, sizes and
        times stay the same. Raises ``AuthorError``, once per change, where files cannot be read."""
        now = stamp(self._config)
        if now == self._stamp:
            return None
        self._stamp = now
        bundle = read_bundle(self._config)
        if bundle.hash == self.seen:
            return None
        self.seen = bundle.hash
        return bundle
