"""Signals in columns, and records among which they are: what comes out is what went in, to the last bit."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.record import Record, Tick
from engine.model.runs import (
    Runs,
    decode_records,
    encode_records,
    items_of,
    joined,
    others,
    runs,
    signals_of,
    together,
)
from engine.model.signal import Reported, Signal
from engine.model.signals import FEW, Lines, Signals, telling

NUMBER = st.none() | st.floats(-1e6, 1e6)
PLACE = st.tuples(st.floats(-90, 90), st.floats(-180, 180)) | st.just((None, None))
TEXT = st.none() | st.sampled_from(["a", "däg"])


@st.composite
def signal(draw: st.DrawFn) -> Signal:
    lat, lon = draw(PLACE)
    return Signal(
        draw(st.sampled_from(["d1", "d2", "gerät"])),
        draw(st.floats(0, 4e9)),
        draw(st.integers(0, 2**63 - 1)),
        lat,
        lon,
        *[draw(NUMBER) for _ in range(5)],
        event=draw(TEXT),
        reported=draw(st.none() | st.just(Reported("enter", "cafe"))),
        context=draw(st.none() | st.sampled_from([{}, {"app": "3.1"}])),
        person=draw(TEXT),
        id=draw(TEXT),
    )


SIGNALS = st.lists(signal(), min_size=1, max_size=2 * FEW)
RECORDS = st.lists(signal() | st.just(Tick()), max_size=4 * FEW)


def written(records: Runs | list[Record]) -> bytes:
    """Bytes that tell -0.0 from 0.0, which ``==`` does not."""
    return msgspec.msgpack.encode(list(records))


@given(SIGNALS)
def test_columns_give_the_signals_they_were_made_of(signals):
    columns = Signals.of(signals)
    assert written(columns) == written([columns[k] for k in range(len(columns))]) == written(signals)
    assert columns[-1] == signals[-1]
    assert written(Signals.of(signals).each([0, len(signals) - 1])) == written([signals[0], signals[-1]])
    assert telling(columns) == telling(signals)


@given(SIGNALS, st.integers(0, 20), st.integers(0, 20))
def test_a_slice_of_columns_is_that_of_a_list(signals, first, last):
    assert list(Signals.of(signals)[first:last]) == signals[first:last]


@given(SIGNALS, st.randoms())
def test_some_of_columns_in_another_order(signals, random):
    order = random.sample(range(len(signals)), random.randint(1, len(signals)))
    assert list(Signals.of(signals).take(order)) == [signals[k] for k in order]


@given(st.lists(SIGNALS, min_size=1, max_size=3))
def test_columns_join_in_order(parts):
    assert list(Signals.join([Signals.of(part) for part in parts])) == [s for part in parts for s in part]


def test_an_index_beyond_the_columns_is_an_error():
    with pytest.raises(IndexError):
        Signals.of([Signal("d", 1.0, 1)])[1]
    with pytest.raises(IndexError):
        Runs([[Tick()]])[1]


@given(RECORDS, st.integers(0, 3 * FEW))
def test_records_go_together_in_order_however_they_come(records, at):
    whole = together([records[:at], together([records[at:]])])
    assert list(whole) == records
    assert len(whole) == len(records)
    assert [record for _, record in others(whole)] == [r for run in runs(whole) if type(run) is list for r in run]
    assert all(whole[k] is record for k, record in others(whole))
    assert [s for run in signals_of(whole) for s in run] == [r for r in records if type(r) is Signal]


def test_only_more_than_a_few_go_into_columns():
    few, some = ([Signal("d", float(k), k) for k in range(size)] for size in (FEW, 33))
    assert type(together([few, few])) is list
    assert type(together([few, Signals.of(few)])) is Signals
    assert type(together([some])) is Signals
    assert type(together([[Tick()], some])) is Runs
    assert together([[Tick()], few, Signals.of(few)])[0] == Tick()
    assert together([]) == []


@given(RECORDS, st.integers(0, 5 * FEW), st.integers(0, 5 * FEW))
def test_records_are_cut_anywhere(records, first, last):
    whole = together([records])
    assert list(whole[first:last]) == records[first:last]
    assert [whole[k] for k in range(len(records))] == records


@given(SIGNALS)
def test_signals_that_are_sensed_together_are_a_list_where_they_are_few_and_some_came_as_objects(signals):
    mixed = joined([Signals.of(signals[:1]), *signals[1:]])
    assert list(mixed) == signals
    assert isinstance(mixed, Signals) == (len(signals) > FEW or len(signals) == 1)
    columns = joined([Signals.of(signals[:1]), *([Signals.of(signals[1:])] if signals[1:] else [])])
    assert list(columns) == signals
    assert isinstance(columns, Signals)


@given(RECORDS)
def test_the_journal_keeps_records_to_the_last_bit(records):
    whole = together([records])
    read = decode_records(encode_records(whole))
    assert written(read) == written(records)
    assert [type(item) for item in items_of(read)] == [type(item) for item in items_of(whole)]


def test_records_of_a_journal_that_knew_no_columns_are_read():
    signals = [Signal("d", float(k), k, 52.5, 13.4) for k in range(3 * FEW)]
    assert decode_records(encode_records(signals)) == signals


@pytest.mark.parametrize(
    "damage",
    [
        {0: "a"},
        {1: b"1234567"},
        {2: 255},
        {2: -1},
        {3: b""},
        {4: "one"},
        {5: {99: [None]}},
        {5: {-1: [None]}},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_each_other_are_damage(damage):
    block = ["signals", "a\nb", b"8 bytes.8 bytes.", 1, b"8 bytes.8 bytes.", "x\n", {}]
    assert len(decode_records(msgspec.msgpack.encode([block]))) == 2
    for place, value in damage.items():
        block[place + 1] = value
    with pytest.raises(msgspec.DecodeError):
        decode_records(msgspec.msgpack.encode([block]))


def test_names_of_more_than_a_line_are_kept_too():
    signals = [Signal("two\nlines", float(k), k, 1.0, 2.0) for k in range(2 * FEW)]
    assert decode_records(encode_records(Signals.of(signals))) == signals


def test_looked_up_rows_go_with_their_signals():
    whose = object()
    parts = [Signals.of([Signal(f"d{k}", 1.0, k)] * 3) for k in range(3)]
    for k, part in enumerate(parts):
        part.rows = whose, np.full(3, k)
    whole = Signals.join(parts)
    assert whole.rows[0] is whose
    assert whole[2:5].rows[1].tolist() == [0, 1, 1]
    assert whole.take([8, 0]).rows[1].tolist() == [2, 0]
    parts[1].rows = object(), parts[1].rows[1]
    assert Signals.join(parts).rows is None


def test_numbers_that_nobody_sends_take_no_room():
    plain = [Signal("d", float(k), k) for k in range(100)]
    placed = [Signal("d", float(k), k, 52.5, 13.4) for k in range(100)]
    assert len(encode_records(Signals.of(placed))) - len(encode_records(Signals.of(plain))) == 2 * 8 * 100


def test_columns_can_be_written_to_by_compiled_loops():
    """Read-only or scattered arrays would have every loop compiled again."""
    read = decode_records(encode_records(Signals.of([Signal("d", float(k), k, 1.0, 2.0) for k in range(50)])))
    for signals in (read, read[10:40], read.take(range(0, 50, 2))):
        assert signals.numbers.flags.c_contiguous
        assert signals.numbers.flags.writeable
        assert signals.numbers.dtype == np.float64


def test_a_signal_is_made_once_however_often_it_is_asked_for() -> None:
    columns = Signals.of([Signal(f"d{k}", 1.5, k, 48.0, 2.0) for k in range(20)])
    first = columns[3]
    assert columns.each([2, 3])[1] is first
    assert columns[2] is columns[2]


@pytest.mark.parametrize("texts", [["one", "two", "", "four"], ["", ""], ["x"], ["Zoë", "ß", "", "\ud800", "😀 b"]])
def test_some_of_the_texts_are_found_whether_or_not_all_were_taken_apart(texts: list[str]) -> None:
    joined = "\n".join(texts)
    places = list(range(len(texts)))[::-1]
    for lines in (Lines(joined), Lines(texts)):
        assert list(lines.some(places)) == texts[::-1]
        for start in range(len(texts) + 1):
            for stop in range(start, len(texts) + 1):
                assert lines.part(start, stop).list == texts[start:stop]
                assert lines.part(start, stop).joined == "\n".join(texts[start:stop])
