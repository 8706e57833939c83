"""Keeping to retention: what is older goes, but never what a restart would need."""

import os
from collections.abc import Sequence

from engine.model.config import Retention
from engine.store import moments
from engine.store.checkpoints import DAY, Checkpoints
from engine.store.database import Database
from engine.store.files import Files, explained
from engine.store.frames import Segment
from engine.store.journal import SegmentedJournal

TRACES_AT_ONCE = 500  # in one transaction: commits wait no longer than it takes
ROLLS_PER_RETENTION = 7  # of a journal so quiet that its segments do not fill


class Upkeep:
    """Each method belongs to the thread that owns what it changes."""

    def __init__(
        self, journal: SegmentedJournal, checkpoints: Checkpoints, db: Database, files: Files, retention: Retention
    ) -> None:
        self._journal, self._checkpoints, self._db, self._files = journal, checkpoints, db, files
        self._retention = retention

    def save_checkpoint(self, offset: int, received: float, blob: bytes | memoryview) -> None:
        """Save, then thin out the old ones."""
        self._checkpoints.save(offset, received, blob)
        self._checkpoints.prune(received, self._retention.journal_days)

    def prune_checkpoints(self, now: float, committed: int) -> int:
        """Remove checkpoints that are too old, or whose records are; the offset the journal must reach back to."""
        start = self._wanted_start(now)
        self._checkpoints.prune(now, self._retention.journal_days, start)
        kept = [saved.offset for saved in self._checkpoints.saved()]
        return min(start, committed, *kept) if kept else 0

    def release_segments(self, now: float, floor: int) -> list[Segment]:
        """Take old segments out of use; a half-full one that is getting old is closed, so that it can go one day."""
        first = self._journal.first_received
        if first is not None and now - first >= self._retention.journal_days * DAY / ROLLS_PER_RETENTION:
            self._journal.roll()
        return self._journal.forget(floor)

    def unlink(self, segments: Sequence[Segment]) -> None:
        """Oldest first: what is left after a crash has no gap."""
        if not segments:
            return
        with explained("remove old journal segments", self._journal.folder):
            for segment in segments:
                self._files.unlink(segment.path)
            self._files.sync_folder(self._journal.folder)

    def forget_traces(self, now: float) -> int:
        """Remove some of the moments that are too old; how many went."""
        with self._db.transaction("remove old traces from") as sql:
            return moments.forget(sql, now - self._retention.traces_days * DAY, TRACES_AT_ONCE)

    def _wanted_start(self, now: float) -> int:
        """Where the journal would begin by age and size alone. The next segment knows the last journal time of one."""
        segments = self._journal.segments
        with explained("measure the journal", self._journal.folder):
            sizes = [os.stat(segment.path).st_size for segment in segments]
        total, index = sum(sizes), 0
        too_old = now - self._retention.journal_days * DAY
        while index < len(segments) - 1:
            if segments[index + 1].received >= too_old and total <= self._retention.journal_max:
                break
            total -= sizes[index]
            index += 1
        return segments[index].base
