"""Every write and sync may fail: what was not acknowledged leaves no trace, and what was is kept."""

import errno
import os
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.files import Files, write_whole

FOLDER = Path("/d/journal")
APPENDS = 9
SEGMENT_BYTES = 420  # three appends


def story(disk, folder, files):
    """Open, append, close; each append that fails is tried again a few times. Returns what was acknowledged."""
    journal = disk.journal(folder, files, SEGMENT_BYTES)
    for _ in range(30):
        try:
            journal.open()
            break
        except StoreError:
            journal = disk.journal(folder, files, SEGMENT_BYTES)
    acknowledged = []
    for n in range(APPENDS):
        for attempt in range(30):
            try:
                acknowledged.append(disk.append(journal, n, 100 * attempt, received=float(n)))
                break
            except StoreError as error:
                assert error.retry  # noqa: PT017 (it may or may not come)
                assert disk.frames(journal) == acknowledged
    assert len(acknowledged) == APPENDS
    assert disk.frames(journal) == acknowledged
    journal.close()
    return acknowledged


FAULTS = {
    "ENOSPC": (errno.ENOSPC, "before"),
    "EIO": (errno.EIO, "before"),
    "EIO-written": (errno.EIO, "after"),
    "ENOSPC-written": (errno.ENOSPC, "after"),
    "short": (errno.ENOSPC, "part"),
}


@pytest.mark.parametrize("length", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_at_any_call_loses_nothing_and_shows_nothing(disk, fault, length):
    sound = disk.FaultyFiles(disk.ForgetfulFiles())
    story(disk, FOLDER, sound)
    assert sound.calls > 20
    for at in range(sound.calls):
        files = disk.FaultyFiles(disk.ForgetfulFiles())
        files.plan = dict.fromkeys(range(at, at + length), FAULTS[fault])
        acknowledged = story(disk, FOLDER, files)
        with disk.reopened(FOLDER, files.inner) as journal:
            assert disk.frames(journal) == acknowledged, (at, files.log)


def test_a_full_disk_is_named_and_writing_goes_on_in_the_same_segment(disk, tmp_path):
    files = disk.FaultyFiles()
    journal = disk.opened(tmp_path, files)
    disk.append(journal, 1)
    files.plan = {files.calls: (errno.ENOSPC, "part")}
    with pytest.raises(StoreError, match=r"only \d+ bytes were taken.*Free space") as caught:
        disk.append(journal, 2)
    assert caught.value.retry
    assert caught.value.where == str(journal.segments[-1].path)
    assert disk.append(journal, 3).offset == 1
    assert len(journal.segments) == 1
    journal.close()


def test_after_a_fault_of_the_disk_a_new_segment_is_begun(disk, tmp_path):
    """The kernel forgets what it could not write: nothing more goes into that file."""
    files = disk.FaultyFiles()
    journal = disk.opened(tmp_path, files)
    disk.append(journal, 1)
    files.plan = {files.calls: (errno.EIO, "after")}
    with pytest.raises(StoreError) as caught:
        disk.append(journal, 2)
    assert caught.value.retry
    assert disk.append(journal, 3).offset == 1
    assert [segment.base for segment in journal.segments] == [0, 1]
    journal.close()


def test_a_fault_while_the_newest_segment_is_empty_replaces_it(disk, tmp_path):
    files = disk.FaultyFiles()
    journal = disk.opened(tmp_path, files)
    files.plan = {files.calls: (errno.EIO, "after")}
    with pytest.raises(StoreError):
        disk.append(journal, 1)
    kept = disk.append(journal, 2)
    assert disk.frames(journal) == [kept]
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == [f"{0:020d}.seg"]
    with disk.reopened(tmp_path) as journal:
        assert disk.frames(journal) == [kept]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("more", [1, 2, 5])
def test_what_could_not_be_cut_off_is_passed_over(disk, tmp_path, code, more):
    """The write came through, its sync failed, cutting it off failed (and beginning a new file too, until the store is
    closed): a reader leaves before it."""
    files = disk.FaultyFiles()
    journal = disk.opened(tmp_path, files)
    kept = [disk.append(journal, 1)]
    size = journal._position
    files.plan = {files.calls: (code, "after")} | {files.calls + n: (code, "before") for n in range(1, more + 1)}
    with pytest.raises(StoreError):
        disk.append(journal, 2)
    files.plan = {}
    journal.close()
    assert (tmp_path / f"{0:020d}.seg").stat().st_size > size
    with disk.reopened(tmp_path) as journal:
        assert disk.frames(journal) == kept
        kept.append(disk.append(journal, 3))
        assert disk.frames(journal) == kept


def test_a_segment_begun_half_way_is_not_overtaken_by_the_one_before(disk, tmp_path):
    """The new file has its name, but the folder could not be synced: nothing more goes into the old one."""
    files = disk.FaultyFiles()
    journal = disk.opened(tmp_path, files)
    kept = [disk.append(journal, 1)]
    begun = files.calls
    disk.opened(tmp_path / "other", files)
    calls = files.log[begun:]
    files.plan = {files.calls + calls.index("rename") + 1: (errno.EIO, "before")}
    with pytest.raises(StoreError, match="begin a journal segment"):
        journal.roll()
    kept.append(disk.append(journal, 2))
    journal.close()
    with disk.reopened(tmp_path) as journal:
        assert disk.frames(journal) == kept


@pytest.mark.skipif(not hasattr(os, "RWF_DSYNC"), reason="this platform has no RWF_DSYNC")
def test_an_append_is_one_call_that_returns_when_the_data_is_safe(disk, tmp_path, monkeypatch):
    calls = []
    pwritev = os.pwritev

    def watched(fd, buffers, position, flags=0):
        calls.append(flags)
        return pwritev(fd, buffers, position, flags)

    journal = disk.opened(tmp_path)
    monkeypatch.setattr(os, "pwritev", watched)
    disk.append(journal, 1, 2, 3)
    journal.close()
    assert calls == [os.RWF_DSYNC]


def test_a_file_system_without_the_sync_flag_is_served_by_a_sync(disk, tmp_path, monkeypatch):
    refused, synced = [], []
    pwritev = os.pwritev

    def without(fd, buffers, position, flags=0):
        if flags:
            refused.append(flags)
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return pwritev(fd, buffers, position)

    class Counting(Files):
        def sync(self, fd):
            synced.append(fd)
            super().sync(fd)

    monkeypatch.setattr(os, "pwritev", without)
    journal = disk.opened(tmp_path, Counting(dsync=2))
    before = len(synced)
    frames = [disk.append(journal, n) for n in range(3)]
    assert len(synced) - before == 3
    assert refused == [2]
    assert disk.frames(journal) == frames
    journal.close()


def test_the_system_is_asked_for_every_sync(tmp_path, monkeypatch):
    """Each by the descriptor, or the folder, that it is about; elsewhere the calls of ``Files`` are counted."""
    asked = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def watched(fd, real=real):
            asked.append(os.fstat(fd))
            return real(fd)

        monkeypatch.setattr(os, name, watched)
    files, path = Files(), tmp_path / "new" / "file"
    files.make_folder(path.parent)
    fd = files.open(path, os.O_CREAT | os.O_RDWR)
    files.sync(fd)
    files.close(fd)
    files.sync_folder(path.parent)
    for stat, of in zip(asked, [tmp_path, path, path.parent], strict=True):
        assert os.path.samestat(stat, of.stat())


def test_writing_a_whole_file_is_all_or_nothing(disk, tmp_path):
    path = tmp_path / "file"
    write_whole(Files(), path, (b"old",))
    sound = disk.FaultyFiles()
    write_whole(sound, tmp_path / "other", (b"ne", b"w"))
    for at in range(sound.calls):
        files = disk.FaultyFiles()
        files.plan = {at: (errno.ENOSPC, "before")}
        with pytest.raises(OSError, match="No space left"):
            write_whole(files, path, (b"ne", b"w"))
        assert path.read_bytes() in (b"old", b"new")
        assert not path.with_name("file.tmp").exists()
