"""Fences kept packed are those that were given, whatever way they came."""

import random

import msgspec
import pytest

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.fences import EMPTY, NONE, ById, Fences
from engine.model.rule import DayTime


def fence(id: str, radius: float = 50.0, **more) -> Fence:
    return Fence(id, Circle(13.4, 52.5, radius), **more)


def test_they_come_in_the_order_of_their_ids_and_as_they_were():
    ring = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0))
    given = [
        fence("ö", tags=("cafe", "late"), metadata={"floor": 2, "open": [1, None]}),
        Fence("b", Polygons(((ring,),)), name="B", open=(DayTime(days=(0, 1), start=480, end=600),)),
        Fence("a", Corridor(ring, 20.0), dwell=(60.0, 300.0), cross=True, on_open="ignore"),
    ]
    fences = Fences.of(given)
    assert fences.ids == ["a", "b", "ö"]
    assert list(fences) == sorted(given, key=lambda one: one.id)
    assert fences == tuple(sorted(given, key=lambda one: one.id))
    assert [fences.find(id) for id in ("a", "b", "c", "ö", "")] == [0, 1, NONE, 2, NONE]
    assert [head.tags for head in fences.heads()] == [(), (), ("cafe", "late")]
    assert (dict(fences.few.dwells), list(fences.few.crossed), list(fences.few.timed)) == (
        {"a": (60.0, 300.0)},
        ["a"],
        ["b"],
    )
    assert Fences.read([msgspec.msgpack.encode(given[:1]), msgspec.msgpack.encode(given[1:])]) == fences


def test_of_two_with_one_id_the_later_stays():
    assert list(Fences.of([fence("a", 10), fence("a", 20)])) == [fence("a", 20)]


@pytest.mark.parametrize("seed", range(20))
def test_changes_give_what_a_mapping_gives(seed):
    rng, held, fences = random.Random(seed), dict[str, Fence](), EMPTY
    for _ in range(30):
        names = [f"f{rng.randrange(40)}" for _ in range(rng.choice((1, 2, 30)))]
        put = [fence(name, rng.randrange(1, 4), dwell=(9.0,) * rng.randrange(2)) for name in names]
        drop = [f"f{rng.randrange(40)}" for _ in range(rng.choice((0, 1, 20)))]
        before, fences = fences, fences.changed(put, drop)
        held = {id: one for id, one in (held | {one.id: one for one in put}).items() if id not in drop}
        assert list(fences) == [held[id] for id in sorted(held)]
        assert fences.few.dwells == {id: one.dwell for id, one in held.items() if one.dwell}
        here, there = fences.alike(before)
        assert all(fences[a] == before[b] for a, b in zip(here.tolist(), there.tolist(), strict=True))
        assert len(here) == sum(before.get(id) == one for id, one in held.items())
        assert fences.whereabouts(before).tolist() == [fences.find(id) for id in before.ids] + [NONE]


@pytest.mark.parametrize("seed", range(20))
def test_those_over_others_hide_them(seed):
    rng = random.Random(seed)
    one, other = ([fence(f"f{n}", k, cross=bool(n % 2)) for n in rng.sample(range(20), 8)] for k in (1, 2))
    both = Fences.of(one).over(Fences.of(other))
    want = {each.id: each for each in (*other, *one)}
    assert list(both) == [want[id] for id in sorted(want)]
    assert set(both.few.crossed) == {id for id in want if want[id].cross}


def test_one_that_changes_among_many_is_all_that_is_packed_anew():
    many = Fences.of(fence(f"f{n}") for n in range(6000))
    after = many.changed([fence("f17", 99)], ["f18"])
    assert after.pieces()[2:-1] == many.pieces()[2:]
    assert after.pieces()[-1].data == msgspec.msgpack.encode(fence("f17", 99))
    here, _ = after.alike(many)
    assert (len(here), len(after)) == (5998, 5999)


def test_what_no_fence_uses_any_more_is_given_back():
    fences = Fences.of(fence(f"f{n}") for n in range(1000))
    size = fences.nbytes()
    for radius in range(40):
        fences = fences.changed(fence(f"f{n}", radius) for n in range(1000))
    assert fences.nbytes() < 3 * size
    assert fences[0] == fence("f0", 39)


def test_whoever_looks_a_fence_up_finds_the_one_that_was_decoded():
    fences = Fences.of([fence("b"), fence("a")])
    assert ById(fences)["a"] is ById(fences)["a"]


def test_by_id_they_are_a_mapping():
    fences = ById(Fences.of([fence("b"), fence("a")]))
    assert dict(fences) == {"a": fence("a"), "b": fence("b")}
    assert (fences["a"], fences.get("c"), "b" in fences, 5 in fences) == (fence("a"), None, True, False)
    with pytest.raises(KeyError):
        fences["c"]
