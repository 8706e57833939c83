"""The collector of garbage rests while files are read, and is awake again afterwards, whatever happens."""

import gc
import threading

import pytest

from engine.author.collector import let_go, paused, pieces_of


def test_it_rests_inside_and_wakes_after_the_outermost_block():
    assert gc.isenabled()
    with paused():
        assert not gc.isenabled()
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_wakes_after_an_error():
    with pytest.raises(RuntimeError), paused():
        raise RuntimeError
    assert gc.isenabled()


def test_who_switched_it_off_finds_it_off():
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_blocks_in_threads_do_not_wake_it_for_each_other():
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with paused():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(5)
    with paused():
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join(5)
    assert gc.isenabled()


def test_many_objects_are_set_aside_for_good():
    before = gc.get_freeze_count()
    with paused():
        kept = [[n] for n in range(150_000)]
    try:
        assert gc.get_freeze_count() - before >= len(kept)
    finally:
        gc.unfreeze()


def test_things_are_let_go_of_one_by_one_and_what_others_hold_stays():
    gone: list[int] = []

    class Thing:
        def __init__(self, number: int) -> None:
            self.number = number

        def __del__(self) -> None:
            gone.append(self.number)

    several, named = [Thing(0), Thing(1)], {"a": Thing(2)}
    mine = several[0]
    pieces = pieces_of(several, named, "text", None)
    del several, named
    assert gone == [], "the pieces are held until it is their turn"
    let_go(pieces)
    assert gone == [2, 1]
    assert mine.number == 0
