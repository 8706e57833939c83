"""Checkpoint files: whole or absent, thinned out with age."""

from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.checkpoints import DAY, HOUR, Checkpoints
from engine.store.files import Files


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", Files())
    checkpoints.open()
    return checkpoints


def test_a_damaged_checkpoint_is_passed_over_and_named(checkpoints):
    checkpoints.save(1, 10.0, b"one")
    checkpoints.save(2, 20.0, b"two" * 50)
    newest = checkpoints.saved()[-1].path
    content = newest.read_bytes()
    for at in range(len(content)):
        newest.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        found, passed = checkpoints.load(None)
        assert found == (1, b"one")
        assert len(passed) == 1
        assert str(newest) in passed[0]


def test_a_checkpoint_cut_short_or_too_long_is_passed_over(checkpoints):
    checkpoints.save(1, 10.0, b"one")
    checkpoints.save(2, 20.0, b"two")
    newest = checkpoints.saved()[-1].path
    content = newest.read_bytes()
    for end in range(len(content)):
        newest.write_bytes(content[:end])
        assert checkpoints.load(None)[0] == (1, b"one")
    newest.unlink()
    newest.mkdir()  # not even a file
    assert checkpoints.load(None)[0] == (1, b"one")


def test_what_an_interrupted_save_left_is_removed(checkpoints):
    part = checkpoints.folder / "00000000000000000009-1.0.ckpt.tmp"
    part.write_bytes(b"half")
    (checkpoints.folder / "notes.txt").write_text("not ours")
    checkpoints.open()
    assert not part.exists()
    assert checkpoints.load(None) == (None, [])
    assert (checkpoints.folder / "notes.txt").exists()


def test_a_checkpoint_that_cannot_be_saved_leaves_the_one_before(disk, tmp_path):
    files = disk.FaultyFiles()
    checkpoints = Checkpoints(tmp_path, files)
    checkpoints.save(1, 10.0, b"one")
    for at in range(3):
        files.plan = {files.calls + at: (28, "before")}
        with pytest.raises(StoreError, match="Free space") as caught:
            checkpoints.save(2, 20.0, b"two")
        assert caught.value.retry
        assert checkpoints.load(None) == ((1, b"one"), [])
        assert len(list(tmp_path.iterdir())) == 1
    files.plan = {}
    checkpoints.save(2, 20.0, b"two")
    assert checkpoints.load(None) == ((2, b"two"), [])


def test_one_an_hour_is_kept_for_a_day_and_one_a_day_after(disk):
    files = disk.ForgetfulFiles()
    checkpoints = Checkpoints(Path("/d/checkpoints"), files)
    step, count = 600.0, 10 * 24 * 6
    for n in range(1, count + 1):
        files.put(checkpoints.folder / f"{n:020d}-{n * step!r}.ckpt", b"")
    now = count * step
    checkpoints.prune(now, days=7.0)
    ages = [now - saved.received for saved in checkpoints.saved()]
    last_day = [age for age in ages if age <= DAY]
    assert 24 <= len(last_day) <= 24 + 3  # and the two newest
    assert 6 <= len([age for age in ages if age > DAY]) <= 7
    assert max(ages) <= 7 * DAY
    assert ages[-2:] == [step, 0.0]
    before = checkpoints.saved()
    checkpoints.prune(now + HOUR, days=7.0)
    assert set(checkpoints.saved()) <= set(before)


def test_the_two_newest_are_kept_however_old(checkpoints):
    for n in range(1, 5):
        checkpoints.save(n, float(n), b"")
    checkpoints.prune(1000 * DAY, days=7.0, journal_start=100)
    assert [saved.offset for saved in checkpoints.saved()] == [3, 4]
