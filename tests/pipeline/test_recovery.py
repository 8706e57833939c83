"""What a start makes of the journal's tail."""

from typing import Any

import pytest

from engine.author.project import Bundle
from engine.model.record import ReleaseChange
from engine.pipeline.core import Core
from engine.ports import MomentQuery

OTHER = b"""
rules:
  goodbye:
    purpose: transactional
    when:
      event: hello
    message:
      body: Goodbye
"""


async def fell_behind(runner: Any, hello: Any) -> str:
    """Frames of one signal, of which only the first ones were committed; the release that came between, by hash."""
    for n in range(30):
        await runner.ingest([hello(n, f"d{n}")])
    await runner.flush(applied=True)
    bundle = Bundle({"rules/all.yaml": OTHER}, runner.config.policy)
    await runner.releases.keep(bundle)
    for n in range(30, 90):
        records = [ReleaseChange(bundle.hash, source="push")] if n == 60 else [hello(n, f"d{n}")]
        await runner.store.append(0, records, runner.clock.now())
    return bundle.hash


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each step took."""
    taken, step = list[int](), Core.step

    def counted(core: Core, frames: Any) -> Any:
        taken.append(len(frames))
        return step(core, frames)

    monkeypatch.setattr(Core, "step", counted)
    return taken


async def test_a_tail_of_single_signals_is_stepped_together_up_to_what_changes_the_rules(
    start, kill, hello, steps
) -> None:
    runner = await start()
    release = await fell_behind(runner, hello)
    end = await runner.store.end_offset(0)
    await kill(runner)
    steps.clear()
    runner = await start(rules=None)
    assert len(steps) <= 5
    assert sum(steps) >= 90
    assert (runner.core.state.offset, runner.core.state.release, runner.divergence) == (end, release, 0)
    told = await runner.store.moments(MomentQuery())
    assert sorted(stored.moment.rule for stored in told) == ["goodbye"] * 29 + ["hello"] * 60


async def test_what_was_committed_is_not_sent_again_by_a_step_that_goes_beyond_it(start, kill, hello) -> None:
    runner = await start()
    await fell_behind(runner, hello)
    before = await runner.store.counts()
    await kill(runner)
    runner = await start(rules=None)
    after = await runner.store.counts()
    assert (sum(before.values()), sum(after.values())) == (30, 89)
    assert await runner.store.committed(0) == runner.core.state.offset


async def test_what_the_tail_holds_is_a_repeat_when_it_comes_again(start, kill, hello) -> None:
    """Of keys, a checkpoint has what came before it; of what came after, the journal has."""
    runner = await start()
    signals = [hello(1), hello(2)]
    assert await runner.ingest(signals[:1]) == (1, 0)
    await runner.flush(applied=True)
    await runner.checkpoint()
    assert await runner.ingest(signals[1:]) == (1, 0)
    await kill(runner)
    runner = await start(rules=None)
    assert await runner.ingest([*signals, hello(3)]) == (1, 2)
