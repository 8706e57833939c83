"""The power may go at any call: what was acknowledged is there afterwards, and nothing that was never written whole."""

import contextlib
import errno
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.checkpoints import Checkpoints

JOURNAL, CHECKPOINTS = Path("/d/journal"), Path("/d/checkpoints")
SEGMENT_BYTES = 420


class Life:
    """What a process did until the power went: acknowledged frames and checkpoints, and what was under way."""

    def __init__(self):
        self.frames, self.checkpoints, self.trying, self.saving, self.floor = [], [(0, b"")], [], None, 0


def live(disk, files, life, numbers):
    """Append, roll, checkpoint, drop a segment."""
    journal = disk.opened(JOURNAL, files, SEGMENT_BYTES)
    checkpoints = Checkpoints(CHECKPOINTS, files)
    checkpoints.open()
    for n in numbers:
        life.trying = [disk.signal(n), disk.signal(n)]
        life.frames.append(disk.append(journal, n, n, received=float(n)))
        if n % 3 == 2:
            life.saving = (journal.end, b"state %d" % n * 20)
            checkpoints.save(journal.end, float(n), life.saving[1])
            life.checkpoints.append(life.saving)
        if n % 5 == 4:
            life.floor = journal.end
            for segment in journal.forget(journal.end):
                files.unlink(segment.path)
            files.sync_folder(JOURNAL)


def check(disk, files, life):
    """Every acknowledged record from the first held one on, then at most the one frame that was under way."""
    journal = disk.opened(JOURNAL, files, SEGMENT_BYTES)
    first = journal.segments[0].base
    records = [record for frame in disk.frames(journal, first) for record in frame.records]
    acknowledged = [record for frame in life.frames for record in frame.records]
    assert first <= life.floor
    assert records[: len(acknowledged) - first] == acknowledged[first:]
    assert records[len(acknowledged) - first :] in ([], life.trying)
    assert disk.append(journal, 77).offset == first + len(records)
    assert [r for f in disk.frames(journal, first) for r in f.records] == [*records, disk.signal(77)]
    checkpoints = Checkpoints(CHECKPOINTS, files)
    checkpoints.open()
    found, passed = checkpoints.load(None)
    assert passed == []
    assert (found or (0, b"")) in (life.checkpoints[-1], life.saving)


@pytest.mark.parametrize("half", [False, True])
def test_a_power_cut_at_any_call_loses_nothing_acknowledged(disk, half):
    sound = disk.ForgetfulFiles()
    live(disk, sound, Life(), range(12))
    assert sound.calls > 60
    for cut in range(sound.calls):
        life, files = Life(), disk.ForgetfulFiles(cut, half)
        with pytest.raises(disk.PowerCut):
            live(disk, files, life, range(12))
        for image in files.after_cut():
            check(disk, image, life)


def test_a_second_power_cut_while_recovering_loses_nothing_either(disk):
    for cut in (20, 31, 44):
        life, files = Life(), disk.ForgetfulFiles(cut, half=True)
        with pytest.raises(disk.PowerCut):
            live(disk, files, life, range(12))
        for image in files.after_cut():
            for second in range(6):
                image.cut, image.calls = second, 0
                again = next(iter(image.after_cut()))
                again.cut, again.half = second, True
                with contextlib.suppress(disk.PowerCut):
                    disk.opened(JOURNAL, again, SEGMENT_BYTES)
                for found in again.after_cut():
                    check(disk, found, life)


def test_what_a_killed_process_wrote_is_made_durable_before_it_is_relied_on(disk):
    """The write had come through and its sync had not: the frame is found, so a power cut must not take it again."""
    files = disk.ForgetfulFiles()
    journal = disk.opened(JOURNAL, files)
    disk.append(journal, 1)
    (segment,) = files.names_now.values()
    before = segment.durable
    disk.append(journal, 2)
    segment.durable = before
    assert disk.opened(JOURNAL, files).end == 2
    assert disk.opened(JOURNAL, next(iter(files.after_cut()))).end == 2


def test_what_a_failed_append_wrote_does_not_come_back_with_a_power_cut(disk):
    files = disk.ForgetfulFiles()
    journal = disk.opened(JOURNAL, files)
    kept = disk.append(journal, 1)
    write = files.write_durably

    def full(fd, buffers, position):
        write(fd, buffers, position)
        raise OSError(errno.ENOSPC, "No space left on device")

    files.write_durably = full
    with pytest.raises(StoreError):
        disk.append(journal, 2)
    for image in files.after_cut():
        assert disk.frames(disk.opened(JOURNAL, image)) == [kept]
