"""What a crash or a bad disk can leave in the journal files."""

from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.frames import FRAME_HEADER, SEGMENT_HEADER, parse_head
from engine.store.reading import read_folder

FOLDER = Path("/d/journal")


@pytest.fixture
def files(disk):
    """A disk in memory: these tests open a journal some thousand times."""
    return disk.ForgetfulFiles()


@pytest.fixture
def three(disk, files):
    """A journal of three frames: its file, its content, its frames and where the last two begin."""
    journal = disk.opened(FOLDER, files)
    frames, starts = [], []
    for numbers in ((1, 2), (3, 4), (5,)):
        starts.append(journal._position)
        frames.append(disk.append(journal, *numbers, received=10.0))
    journal.close()
    path = FOLDER / f"{0:020d}.seg"
    return path, files.get(path), frames, starts


def test_a_tail_torn_at_any_byte_is_cut_off(disk, files, three):
    path, content, frames, starts = three
    for end in range(starts[2] + 1, len(content)):
        files.put(path, content[:end])
        journal = disk.journal(FOLDER, files)
        notices = journal.open()
        assert disk.frames(journal) == frames[:2]
        assert len(notices) == 1
        assert str(path) in notices[0]
        assert len(files.get(path)) == starts[2]
        again = disk.append(journal, 7)
        assert (again.offset, again.received) == (4, 10.0)
        assert disk.frames(journal) == [*frames[:2], again]
        journal.close()


def test_a_tail_of_zeros_or_rubbish_is_cut_off(disk, files, three):
    path, content, frames, starts = three
    for tail in (b"\0" * 5000, b"\xf5HNf" * 100, bytes(range(256)) * 20, content[starts[2] : -1] + b"\0" * 4096):
        files.put(path, content[: starts[2]] + tail)
        with disk.reopened(FOLDER, files) as journal:
            assert disk.frames(journal) == frames[:2]


def test_a_damaged_byte_of_the_last_frame_never_shows(disk, files, three):
    path, content, frames, starts = three
    for at in range(starts[2], len(content)):
        files.put(path, flipped(content, at))
        with disk.reopened(FOLDER, files) as journal:
            assert disk.frames(journal) == frames[:2]


def test_damage_before_the_last_frame_refuses_to_open_naming_file_and_byte(disk, files, three):
    path, content, _, starts = three
    for at in range(starts[1], starts[2]):
        files.put(path, flipped(content, at))
        with pytest.raises(StoreError) as caught:
            disk.opened(FOLDER, files)
        assert caught.value.where == f"{path}, byte {starts[1]}"
        assert not caught.value.retry
        assert files.get(path) == flipped(content, at)


def test_a_damaged_segment_header_refuses_to_open(disk, files, three):
    path, content, _, _ = three
    for at in range(SEGMENT_HEADER):
        files.put(path, flipped(content, at))
        with pytest.raises(StoreError, match=f"{path}, byte 0"):
            disk.opened(FOLDER, files)
    files.put(path, content[: SEGMENT_HEADER - 1])
    with pytest.raises(StoreError):
        disk.opened(FOLDER, files)


def test_a_missing_frame_refuses_to_open(disk, files, three):
    path, content, _, starts = three
    files.put(path, content[: starts[1]] + content[starts[2] :])
    with pytest.raises(StoreError, match="records 2 to 3 are missing"):
        disk.opened(FOLDER, files)


def test_the_content_of_a_payload_never_passes_for_a_frame(disk, three):
    """A device may send us the bytes of a frame: a torn write of them is still a torn write."""
    _, content, _, starts = three
    files = disk.ForgetfulFiles()
    other = disk.opened(FOLDER, files)
    kept = disk.append(other, 1)
    at = other._position
    other.append(content[starts[0] :], 0, 1, 0.0)
    other.close()
    path = other.segments[0].path
    files.put(path, files.get(path)[:-1])
    with disk.reopened(FOLDER, files) as journal:
        assert disk.frames(journal) == [kept]
    assert len(files.get(path)) == at


# ------------------------------------------------------------------ older segments


@pytest.fixture
def many(disk, files):
    """A journal of several segments."""
    journal = disk.opened(FOLDER, files, segment_bytes=400)
    frames = [disk.append(journal, n, n + 1) for n in range(12)]
    journal.close()
    assert len(journal.segments) > 3
    return journal.segments, frames


def test_damage_in_an_older_segment_is_met_when_it_is_read(disk, files, many):
    segments, frames = many
    path = segments[1].path
    content = files.get(path)
    for at in range(SEGMENT_HEADER, len(content)):
        files.put(path, flipped(content, at))
        with disk.reopened(FOLDER, files) as journal:
            with pytest.raises(StoreError) as caught:
                disk.frames(journal)
            assert caught.value.where.startswith(f"{path}, byte ")
            assert not caught.value.retry
            assert disk.frames(journal, segments[2].base) == [f for f in frames if f.offset >= segments[2].base]


def test_an_older_segment_that_ends_early_is_met_when_it_is_read(disk, files, many):
    segments, _ = many
    path = segments[1].path
    content = files.get(path)
    for end in (SEGMENT_HEADER, SEGMENT_HEADER + FRAME_HEADER, len(content) - 1):
        files.put(path, content[:end])
        with disk.reopened(FOLDER, files) as journal, pytest.raises(StoreError, match=str(path)):
            disk.frames(journal)


def test_a_frame_missing_from_an_older_segment_is_met_when_it_is_read(disk, files, many):
    segments, _ = many
    path = segments[1].path
    content = files.get(path)
    head = parse_head(segments[1], content, SEGMENT_HEADER)
    files.put(path, content[:SEGMENT_HEADER] + content[SEGMENT_HEADER + FRAME_HEADER + head.size :])
    with disk.reopened(FOLDER, files) as journal, pytest.raises(StoreError, match=f"record {head.offset} is expected"):
        disk.frames(journal)


def test_a_segment_that_is_gone_is_met_when_it_is_read(disk, files, many):
    segments, _ = many
    files.unlink(segments[1].path)
    with disk.reopened(FOLDER, files) as journal, pytest.raises(StoreError, match=segments[0].path.name):
        disk.frames(journal)


def test_a_segment_under_another_name_is_refused(disk, files, many):
    segments, _ = many
    files.rename(segments[1].path, segments[1].path.with_name(f"{segments[1].base + 1:020d}.seg"))
    with pytest.raises(StoreError, match="named for another offset"):
        disk.opened(FOLDER, files)


def test_small_reads_give_the_same_frames(disk, files, many):
    _, frames = many
    with disk.reopened(FOLDER, files) as journal:
        for chunk in (1, FRAME_HEADER, 200, 333):
            assert disk.frames(journal, chunk=chunk) == frames
            assert [r for f in disk.frames(journal, 5, chunk) for r in f.records] == [
                r for f in frames for r in f.records
            ][5:]


def flipped(content, at):
    """One bit is wrong."""
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


# ------------------------------------------------------------------ a folder without its store


def test_a_folder_can_be_read_while_its_store_is_open(disk, tmp_path):
    journal = disk.opened(tmp_path, segment_bytes=400)
    frames = [disk.append(journal, n, n + 1) for n in range(12)]
    assert list(read_folder(tmp_path)) == frames
    journal.close()
    newest = journal.segments[-1].path
    newest.write_bytes(newest.read_bytes() + b"\xf5HNf a frame that is being written")
    assert list(read_folder(tmp_path)) == frames


def test_a_folder_without_segments_holds_no_frames(tmp_path):
    assert list(read_folder(tmp_path)) == []
    with pytest.raises(StoreError, match="No such file"):
        list(read_folder(tmp_path / "nowhere"))
