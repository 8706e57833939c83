"""The compiled loops are made where nobody waits, and gone by once they are there."""

import asyncio
import os
import sys

import pytest

from engine import hastening

pytest.importorskip("numba")


class Standing:
    """A runner as far as this goes: what is bound anew."""

    def __init__(self):
        self.core = self.sense = self.compiled = self.fences = self
        self.ground, self.hastened = None, 0
        self.loops = "python"

    def hasten(self):
        self.hastened += 1


@pytest.fixture
def asked(monkeypatch):
    """What was done, in order; nothing of it is."""
    done = []

    async def begun(*command, **more):
        done.append(command)
        return await process(more["env"])

    async def process(env):
        assert env["PYTHONPATH"] == os.path.dirname(os.path.dirname(hastening.engine.__file__))
        return Child(done)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begun)
    monkeypatch.setattr(hastening, "load", lambda: done.append("load"))
    return done


class Child:
    def __init__(self, done, seconds=0.0):
        self.done, self.seconds, self.returncode = done, seconds, None

    async def wait(self):
        await asyncio.sleep(self.seconds)
        self.returncode = 0

    def kill(self):
        self.done.append("kill")


async def test_what_is_not_compiled_is_compiled_by_another_process_first(monkeypatch, asked):
    monkeypatch.setattr(hastening.sensing, "kept", lambda: False)
    runner = Standing()
    await hastening.hasten(runner)
    assert asked == [(sys.executable, "-P", "-m", "engine.hastening"), "load"]
    assert runner.hastened == 1


async def test_what_signals_go_by_is_told(monkeypatch, asked):
    runner, told = Standing(), []
    monkeypatch.setattr(hastening, "load", lambda: told.append(runner.loops))
    await hastening.hasten(runner)
    assert [*told, runner.loops] == ["coming", "compiled"]


async def test_loops_that_cannot_be_loaded_are_told_and_done_without(monkeypatch, asked):
    runner = Standing()
    monkeypatch.setattr(hastening, "load", lambda: 1 / 0)
    await hastening.hasten(runner)
    assert (runner.loops, runner.hastened) == ("python", 0)


async def test_what_is_compiled_is_only_loaded(monkeypatch, asked):
    for room in (hastening.reading, hastening.sensing):
        monkeypatch.setattr(room, "kept", lambda: True)
    await hastening.hasten(Standing())
    assert asked == ["load"]


async def test_a_compiler_that_takes_too_long_is_stopped_and_the_server_does_it(monkeypatch, asked):
    monkeypatch.setattr(hastening.reading, "kept", lambda: False)
    monkeypatch.setattr(hastening, "_PATIENCE", 0.01)
    monkeypatch.setattr(Child, "wait", lambda self: asyncio.Event().wait())
    await hastening.hasten(Standing())
    assert asked[1:] == ["kill", "load"]


async def test_without_numba_nothing_is_done(monkeypatch, asked):
    monkeypatch.setattr(hastening, "find_spec", lambda name: None)
    runner = Standing()
    await hastening.hasten(runner)
    assert asked == []
    assert runner.hastened == 0
