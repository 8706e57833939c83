"""A server is not held up by the collector going through all that it holds."""

import gc

import pytest

from engine.pipeline import undisturbed


@pytest.fixture(autouse=True)
def thawed():
    """Whatever was set aside is looked through again."""
    yield
    gc.unfreeze()


def held(thing) -> bool:
    """Whether the collector would look through it."""
    return any(thing is other for other in gc.get_objects())


def test_what_a_server_starts_with_is_not_looked_through_until_it_ends() -> None:
    state = [[1], [2]]
    assert held(state)
    with undisturbed.settled():
        assert not held(state)
        fresh = [[3]]
        assert held(fresh)
    assert held(state)


def test_what_took_long_to_look_through_is_not_looked_through_again(monkeypatch) -> None:
    monkeypatch.setattr(undisturbed, "LONG", 0.0)
    with undisturbed.settled():
        later = [[1]]
        gc.collect(1)
        assert held(later)
        gc.collect()
        assert not held(later)
    watching = len(gc.callbacks)
    with undisturbed.settled():
        assert len(gc.callbacks) == watching + 1
    assert len(gc.callbacks) == watching


def test_what_was_quick_to_look_through_is_looked_through_again(monkeypatch) -> None:
    monkeypatch.setattr(undisturbed, "LONG", 1e9)
    with undisturbed.settled():
        later = [[1]]
        gc.collect()
        assert held(later)


def test_what_lives_on_is_looked_through_little_by_little() -> None:
    before, kept = gc.get_threshold(), []
    with undisturbed.settled():
        seen = gc.get_stats()[undisturbed.OLDEST]["collections"]
        kept += [[k] for k in range(30_000)]
        assert gc.get_stats()[undisturbed.OLDEST]["collections"] > seen
    assert gc.get_threshold() == before
