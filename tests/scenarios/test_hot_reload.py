"""Files that change while the server runs."""

from engine.errors import StoreError

HELLO = """
rules:
  hello:
    cooldown: 0s
    when:
      event: hi
    message:
      title: Hello
"""
DECIDE = 'quiet_hours = "none"\ncaps = []\n'


async def test_a_changed_file_is_taken_and_a_wrong_one_never_is(begin) -> None:
    story = await begin(HELLO, DECIDE)
    runner = story.here.server.runner
    first = runner.core.state.release

    story.write(HELLO.replace("event: hi", "evnt: hi"))
    await story.until(lambda: "rules" in runner.notes)
    assert "rules/all.yaml:6:7" in runner.notes["rules"]
    assert "Did you mean 'event'?" in runner.notes["rules"]
    assert runner.core.state.release == first
    assert runner.health()["ready"]
    await story.event("anna")
    assert [m["message"]["title"] for m in story.sink.got] == ["Hello"]

    story.write(HELLO.replace("Hello", "Hi there"))
    await story.until(lambda: "rules" not in runner.notes)
    assert runner.core.state.release != first
    await story.event("anna")
    assert [m["message"]["title"] for m in story.sink.got] == ["Hello", "Hi there"]


async def test_a_wrong_file_put_back_as_it_was_is_forgotten(begin) -> None:
    story = await begin(HELLO, DECIDE)
    runner = story.here.server.runner
    first, end = runner.core.state.release, runner.core.state.offset
    story.write("rules: [")
    await story.until(lambda: "rules" in runner.notes)
    story.write(HELLO)
    await story.until(lambda: "rules" not in runner.notes)
    assert (runner.core.state.release, runner.core.state.offset) == (first, end), "nothing was released"


async def test_a_link_to_nothing_is_told_and_forgotten_when_it_is_gone(begin) -> None:
    story = await begin(HELLO, DECIDE)
    runner = story.here.server.runner
    link = story.config.parent / "rules" / "more.yaml"
    link.symlink_to("/nowhere/more.yaml")
    await story.until(lambda: "more.yaml" in runner.notes.get("rules", ""))
    link.unlink()
    await story.until(lambda: "rules" not in runner.notes)


async def test_a_start_with_a_wrong_file_runs_on_with_the_last_good_release(begin) -> None:
    story = await begin(HELLO, DECIDE)
    first = story.here.server.runner.core.state.release
    await story.stop()
    (story.config.parent / "rules" / "gone.yaml").symlink_to("/nowhere")
    await story.start()
    runner = story.here.server.runner
    assert runner.core.state.release == first
    assert "rules" in runner.health()["notes"]
    await story.event("anna")
    assert story.told() == ["Mon 12:00 anna hello"]


async def test_a_folder_that_is_gone_stops_no_rule(begin) -> None:
    """A deployment that swaps folders, a volume that is not mounted: no campaign ends by that."""
    story = await begin(HELLO, DECIDE)
    runner = story.here.server.runner
    folder = story.config.parent / "rules"
    folder.rename(folder.with_name("away"))
    await story.until(lambda: "rules" in runner.notes)
    assert "is not there" in runner.notes["rules"]
    await story.restart()
    await story.event("anna")
    assert story.told() == ["Mon 12:00 anna hello"]
    folder.with_name("away").rename(folder)
    runner = story.here.server.runner
    await story.until(lambda: "rules" not in runner.notes)


async def test_a_change_that_the_store_could_not_take_is_taken_later(begin, monkeypatch) -> None:
    story = await begin(HELLO, DECIDE)
    runner = story.here.server.runner
    first, submit, failed = runner.core.state.release, runner.submit, []

    async def full(records, applied=False):
        failed.append(records)
        raise StoreError("no space left on device")

    monkeypatch.setattr(runner, "submit", full)
    story.write(HELLO.replace("Hello", "Hi"))
    await story.until(lambda: bool(failed))
    monkeypatch.setattr(runner, "submit", submit)
    await story.until(lambda: runner.core.state.release != first)
