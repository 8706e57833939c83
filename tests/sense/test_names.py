"""Ids of devices by row."""

import random

import pytest

from engine.model.signals import Lines
from engine.sense import fast
from engine.sense import names as room
from engine.sense.fences import FenceSet
from engine.sense.names import NONE, Names

STRANGE = ["", "a", "aa", "Zürich", "日本", "d\x00", "d", "x" * 500, "\ud800", "é" * 3, "ee" * 3]


def many(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return STRANGE + [f"{rng.choice('abcd')}{rng.randrange(10 ** rng.randrange(1, 12))}" for _ in range(count)]


ASCII = [name for name in many(3000) if name.isascii()]


@pytest.mark.parametrize("near", [4, 65_536])
@pytest.mark.parametrize("size", [1, 7, 100, 3000])
def test_rows_are_given_in_order_of_first_sight_however_names_are_cut(monkeypatch, size, near) -> None:
    monkeypatch.setattr(room, "NEAR", near)
    names, model = Names(), dict[str, int]()
    asked = many(4000) + many(4000)
    for at in range(0, len(asked), size):
        part = asked[at : at + size]
        assert names.find_all(part) == [model.get(name, NONE) for name in part]
        for name in part:
            model.setdefault(name, len(model))
        assert names.rows(part) == [model[name] for name in part]
    assert list(names.all()) == list(model)
    assert [names[row] for row in model.values()] == list(model)


@pytest.fixture
def places(monkeypatch):
    """The compiled loops, for this test alone."""
    pytest.importorskip("numba")
    monkeypatch.setattr(room, "loops", None)
    monkeypatch.setattr(fast, "kernels", None)
    monkeypatch.setattr(FenceSet, "grounded", False)
    assert fast.load()
    assert room.loops is not None


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("size", [1, 7, 100, 3000])
def test_the_compiled_loops_give_the_same_rows(size) -> None:
    names, model = Names(), Names()
    asked = [name for name in many(4000) + many(4000) + many(3000, 2) if name != "d\ud800"]
    for at in range(0, len(asked), size):
        part = asked[at : at + size]
        lines = Lines(part)
        for _ in range(2):  # the second time they are known
            assert names.rows_of(lines, len(part), add=False).tolist() == model.find_all(part)
            assert names.rows_of(lines, len(part), add=True).tolist() == model.rows(part)
    assert list(names.all()) == list(model.all())


@pytest.mark.usefixtures("places")
def test_names_that_share_a_place_push_each_other_out_and_are_found_all_the_same() -> None:
    """More names than places: what is forgotten is looked up at large."""
    names, asked = Names(), [f"device-{k}" for k in range(room.loops.PLACES + 5000)]
    rows = names.rows_of(Lines(asked), len(asked), add=True)
    assert rows.tolist() == list(range(len(asked)))
    for start in range(0, len(asked), 7000):
        part = asked[start : start + 7000]
        assert names.rows_of(Lines(part), len(part), add=False).tolist() == rows[start : start + 7000].tolist()


@pytest.mark.usefixtures("places")
def test_a_name_is_never_taken_for_one_that_looks_alike() -> None:
    """Names that differ in one byte, in length, at the ends of words of eight bytes."""
    base = "abcdefghijklmnopqrstuvwx"
    alike = [base[:size] for size in range(1, 25)] + [base[:k] + "#" + base[k + 1 :] for k in range(24)]
    names = Names()
    assert names.rows_of(Lines(alike[:24]), 24, add=True).tolist() == list(range(24))
    assert names.rows_of(Lines(alike), 48, add=False).tolist() == [*range(24), *[NONE] * 24]


def test_one_by_one_is_the_same() -> None:
    names, asked = Names(), many(500)
    assert [names.find(name) for name in asked] == [NONE] * len(asked)
    rows = [names.one(name) for name in asked]
    assert [names.find(name) for name in asked] == rows == Names().rows(asked)


def test_names_that_look_alike_to_the_table_are_told_apart(monkeypatch) -> None:
    monkeypatch.setattr(room, "hash", lambda name: 7, raising=False)
    monkeypatch.setattr(room, "NEAR", 1)
    names, asked = Names(), many(150)
    distinct = list(dict.fromkeys(asked))
    assert names.rows(asked) == [distinct.index(name) for name in asked]
    assert names.rows(asked) == [distinct.index(name) for name in asked]
    assert names.find("not there") == NONE


@pytest.mark.parametrize("asked", [[], [""], ["", "a"], many(3000), ASCII, [*ASCII, "two\nlines"]])
def test_what_is_dumped_comes_back(asked) -> None:
    names = Names()
    names.rows(asked)
    again = Names.load(**{name: column() for name, column in names.dump().items()})
    assert list(again.all()) == list(names.all())
    assert again.find_all(asked) == names.find_all(asked)
    assert again.one("somebody new") == names.size
    assert again.find("somebody new") == names.size


@pytest.mark.parametrize("asked", [many(300), ASCII, [*ASCII, "two\nlines"]])
def test_names_of_some_rows(asked) -> None:
    names = Names()
    names.rows(asked)
    every = [names[row] for row in range(names.size)]
    for first, last in ((0, names.size), (0, 0), (2, 7), (3, names.size), (names.size, names.size)):
        assert list(names.between(first, last)) == every[first:last]


def test_a_name_takes_little_beside_its_letters() -> None:
    names = Names()
    names.rows([f"device-{k:07}" for k in range(100_000)])
    names._near.clear()
    assert names.nbytes() <= 100_000 * (14 + 34)
