"""Ids of devices by row."""

import random

import pytest

from engine.sense import names as room
from engine.sense.names import NONE, Names

STRANGE = ["", "a", "aa", "Zürich", "日本", "d\x00", "d", "x" * 500, "\ud800", "é" * 3, "ee" * 3]


def many(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return STRANGE + [f"{rng.choice('abcd')}{rng.randrange(10 ** rng.randrange(1, 12))}" for _ in range(count)]


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


@pytest.mark.parametrize("asked", [[], many(3000), [name for name in many(3000) if name.isascii()]])
def test_what_is_dumped_comes_back(asked) -> None:
    names = Names()
    names.rows(asked)
    again = Names.load(**{name: column() for name, column in names.dump().items()})
    assert list(again.all()) == list(names.all())
    assert again.find_all(asked) == names.find_all(asked)
    assert again.one("somebody new") == names.size
    assert again.find("somebody new") == names.size


def test_a_name_takes_little_beside_its_letters() -> None:
    names = Names()
    names.rows([f"device-{k:07}" for k in range(100_000)])
    names._near.clear()
    assert names.nbytes() <= 100_000 * (14 + 34)
