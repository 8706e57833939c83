"""What may still happen to a message between the decision and its send: it was decided at ten in the evening, and is
held until eight."""

import pytest

HELD = """
rules:
  hello:
    when:
      - enters: cafe
      - event: hi
    message:
      send_within: 12 hours
      title: Hello
"""
EARLY = HELD.replace("    message:", "    cooldown: 0s\n    message:")


async def evening(begin, rules: str = HELD):
    """Anna enters the café in quiet hours; her message waits."""
    story = await begin(rules)
    await story.time("Tue 22:00")
    await story.enters("anna", "cafe")
    assert await story.outbox() == ["push waiting"]
    return story


async def test_who_left_the_place_is_not_told_any_more(begin) -> None:
    story = await evening(begin)
    await story.leaves("anna")
    await story.time("Wed 09:00")
    assert story.told() == []
    assert await story.outbox() == ["push cancelled LEFT"]


async def test_who_stayed_is_told(begin) -> None:
    story = await evening(begin)
    for hour in range(23, 32):  # a phone that is silent for half an hour is nowhere
        await story.time(f"{'Tue' if hour < 24 else 'Wed'} {hour % 24:02d}:00")
        await story.send("anna", **story.position("cafe"))
    await story.time("Wed 08:05")
    assert story.told() == ["Wed 08:00 anna hello"]


async def test_a_place_that_is_deleted_counts_as_left(begin) -> None:
    story = await evening(begin)
    fences = story.config.parent / "geofences" / "all.geojson"
    release = story.here.server.runner.core.state.release
    fences.write_text(fences.read_text().replace('"cafe"', '"bar"'))
    story.write(HELD.replace("cafe", "bar"))
    await story.until(lambda: story.here.server.runner.core.state.release != release)
    await story.time("Wed 09:00")
    assert story.told() == []
    assert await story.outbox() == ["push cancelled LEFT"]


@pytest.mark.parametrize("key", ["marketing", "push", "marketing.push"])
async def test_consent_withdrawn_while_waiting(begin, key: str) -> None:
    story = await evening(begin)
    await story.patch("anna", consent={key: False})
    assert await story.outbox() == ["push cancelled NO_CONSENT"], "the answer came once it was in force"
    await story.time("Wed 09:00")
    assert story.told() == []


async def test_consent_withdrawn_while_the_endpoint_fails_ends_the_tries(begin) -> None:
    story = await begin(HELD)
    await story.time("Tue 10:00")
    story.sink.answers["push"] = [503]
    await story.event("anna")
    assert await story.outbox() == ["push waiting"]
    await story.patch("anna", consent={"push": False})
    await story.time("Tue 12:00")
    assert len(story.sink.got) == 1
    assert await story.outbox() == ["push cancelled NO_CONSENT"]


SWITCHES = {
    "/v1/rules/hello": "RULE_PAUSED",
    "/v1/channels/push": "CHANNEL_PAUSED",
    "/v1/geofences/cafe": "FENCE_PAUSED",
    "/v1": "ALL_PAUSED",
}


@pytest.mark.parametrize("switch", SWITCHES)
async def test_a_pause_holds_what_waits_and_suppresses_what_comes_until_a_resume_sends_it(begin, switch: str) -> None:
    story = await evening(begin, EARLY)
    await story.post(f"{switch}/pause", why="wrong price")
    await story.time("Wed 08:10")
    assert story.told() == []
    assert await story.outbox() == ["push waiting"]
    await story.enters("bob", "cafe")
    assert await story.decided(person="bob") == [f"Wed 08:10 bob hello suppress {SWITCHES[switch]}"]
    await story.post(f"{switch}/resume", why="mended")
    assert story.told() == ["Wed 08:10 anna hello"]


@pytest.mark.parametrize("switch", SWITCHES)
async def test_a_resume_may_drop_what_waits(begin, switch: str) -> None:
    story = await evening(begin, EARLY)
    await story.post(f"{switch}/pause")
    await story.post(f"{switch}/resume", waiting="drop")
    await story.time("Wed 09:00")
    assert story.told() == []
    assert await story.outbox() == ["push cancelled DROPPED"]


async def test_a_pause_outlives_the_message_and_a_late_resume_sends_nothing(begin) -> None:
    story = await evening(begin)
    await story.post("/v1/pause")
    await story.time("Wed 10:30")
    await story.post("/v1/resume")
    await story.time("Wed 10:31")
    assert story.told() == []
    assert await story.outbox() == ["push dead EXPIRED"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("    when:", "    status: paused\n    when:"), "RULE_PAUSED"),
        (("    when:", "    status: ended\n    when:"), "ENDED"),
        (("  hello:", "  other:"), "ENDED"),
    ],
)
async def test_a_rule_that_its_file_stops_sends_nothing_that_waits(begin, change, reason: str) -> None:
    story = await evening(begin)
    release = story.here.server.runner.core.state.release
    story.write(HELD.replace(*change))
    await story.until(lambda: story.here.server.runner.core.state.release != release)
    await story.time("Wed 09:00")
    assert story.told() == []
    assert await story.outbox() == [f"push cancelled {reason}"]


async def test_what_waits_survives_a_restart_and_is_sent_once(begin) -> None:
    story = await evening(begin)
    await story.restart()
    await story.time("Wed 08:05")
    await story.restart()
    assert story.told() == ["Wed 08:00 anna hello"]
    assert len(story.sink.got) == 1
