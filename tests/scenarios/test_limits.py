"""What keeps people from being told too much, at the wrong time, or at all."""

HELLO = """
rules:
  hello:
    when:
      - enters: cafe
      - event: hi
    message:
      title: Hello
"""
NOTHING_ELSE = 'quiet_hours = "none"\ncaps = []\n'
NO_LIMITS = NOTHING_ELSE + 'cooldown = "0s"\n'


async def test_cooldown_holds_for_its_six_hours_and_no_longer(begin) -> None:
    story = await begin(HELLO, NOTHING_ELSE)
    await story.time("Tue 09:00")
    await story.enters("anna", "cafe")
    await story.leaves("anna")
    await story.time("Tue 14:59")
    await story.enters("anna", "cafe")
    await story.leaves("anna")
    await story.time("Tue 15:10")
    await story.enters("anna", "cafe")
    assert story.told() == ["Tue 09:00 anna hello", "Tue 15:10 anna hello"]
    assert (await story.decided())[1] == "Tue 14:59 anna hello suppress COOLDOWN"


async def test_a_cap_per_day_is_the_day_of_the_person(begin) -> None:
    """In New York it is still Tuesday when Berlin has Wednesday."""
    story = await begin(HELLO, 'quiet_hours = "none"\ncooldown = "0s"\ncaps = ["2 per day"]\n')
    await story.here.put("/v1/profiles/nora", {"time_zone": "America/New_York"})
    for at in ("Tue 20:00", "Tue 21:00", "Wed 00:30", "Wed 05:59", "Wed 06:01"):
        await story.time(at)
        await story.event("nora")
    assert story.told() == ["Tue 20:00 nora hello", "Tue 21:00 nora hello", "Wed 06:01 nora hello"]
    assert [line.split()[-1] for line in await story.decided()] == ["OK", "OK", "CAP", "CAP", "OK"]


async def test_a_time_zone_that_decisions_do_not_know_is_refused(begin) -> None:
    """Where it is a file on this machine, but none of the build, quiet hours would silently be those of the place."""
    story = await begin(HELLO)
    for zone in ("localtime", "posix/Europe/Berlin", "Europe/Nowhere", "../UTC"):
        await story.here.put("/v1/profiles/anna", {"time_zone": zone}, 422)
    await story.here.put("/v1/profiles/anna", {"time_zone": "Asia/Tokyo"})


async def test_quiet_hours_hold_to_the_first_allowed_instant(begin) -> None:
    story = await begin(HELLO.replace("message:", "message:\n      send_within: 12 hours"))
    await story.time("Tue 22:00")
    await story.event("anna")
    await story.time("Wed 07:59")
    assert story.told() == []
    await story.time("Wed 08:01")
    assert story.told() == ["Wed 08:00 anna hello"]
    assert await story.decided() == ["Tue 22:00 anna hello hold QUIET_HOURS"]


async def test_quiet_hours_suppress_what_would_come_too_late(begin) -> None:
    story = await begin(HELLO)
    await story.time("Tue 22:00")
    await story.event("anna")
    await story.time("Wed 09:00")
    assert story.told() == []
    assert await story.decided() == ["Tue 22:00 anna hello suppress QUIET_HOURS"]


async def test_no_retry_begins_in_quiet_hours(begin) -> None:
    story = await begin(HELLO.replace("message:", "message:\n      send_within: 3 hours"))
    story.sink.answers["push"] = [503] * 20
    await story.time("Tue 20:50")
    await story.event("anna")
    await story.time("Tue 23:59")
    tries = [m["at"] for m in story.sink.got]
    assert len(tries) >= 2, "it is tried again while it may be"
    assert max(tries) < story.instant("Tue 21:00")
    assert await story.outbox() == ["push dead QUIET_HOURS"]


async def test_a_transactional_message_is_sent_at_night_and_without_consent(begin) -> None:
    story = await begin(HELLO.replace("    when:", "    purpose: transactional\n    when:"))
    await story.here.put("/v1/profiles/anna", {"consent": {"transactional": False, "push": False}})
    await story.time("Tue 23:00")
    await story.event("anna")
    assert story.told() == ["Tue 23:00 anna hello"]


async def test_without_consent_nothing_is_sent(begin) -> None:
    story = await begin(HELLO, NO_LIMITS)
    await story.here.put("/v1/profiles/anna", {"consent": {"marketing": False}})
    await story.event("anna")
    assert story.told() == []
    assert [line.split()[-1] for line in await story.decided()] == ["NO_CONSENT"]


async def test_a_test_person_skips_limits_and_quiet_hours_and_is_told_on_the_test_channel_alone(begin) -> None:
    story = await begin(HELLO, 'caps = ["1 per day"]\n')
    await story.time("Tue 23:00")
    await story.event("tess")
    await story.event("tess")
    assert await story.outbox() == ["inbox sent", "inbox sent"]
    assert story.told() == []
    assert [m["test"] for m in await story.here.moments()] == [True, True]
    assert (await story.here.get("/v1/profiles/tess"))["sent"] == [], "never counted"


async def test_an_offline_day_makes_history_and_no_messages(begin) -> None:
    again = """
  again:
    when:
      event: back
    only_if:
      - visited: cafe, in the last 1 day
    message:
      title: Welcome back
"""
    story = await begin(HELLO + again, NO_LIMITS)
    await story.time("Tue 18:00")
    morning = story.instant("Tue 09:00")
    day = [
        {"device": "anna", "id": f"o{n}", "at": morning + 60 * n, **story.position("cafe" if n < 30 else "street")}
        for n in range(60)
    ]
    assert (await story.here.post("/v1/signals", day))["accepted"] == 60
    await story.settle()
    assert story.told() == []
    assert await story.decided() == ["Tue 18:00 anna hello suppress EXPIRED"]
    visits = (await story.here.get("/v1/profiles/anna"))["visits"]
    assert [(v["fence"], v["enter"]) for v in visits] == [("cafe", "2026-11-24T08:00:00Z")]
    await story.event("anna", "back")
    assert story.told() == ["Tue 18:00 anna again"]


async def test_a_rule_that_sends_too_much_pauses_itself_until_somebody_looked(begin) -> None:
    story = await begin(HELLO, NO_LIMITS, more="[guard]\nsends_per_minute = 3\n")
    await story.time("Tue 09:00")
    for n in range(5):
        await story.event(f"d{n}")
    assert len(story.told()) == 3
    assert [line.split()[-1] for line in await story.decided()][3:] == ["BLAST_GUARD", "RULE_PAUSED"]
    health = story.here.server.runner.health()
    assert health["ready"]
    assert "paused itself" in health["notes"]["rule hello"]
    await story.post("/v1/rules/hello/resume", why="looked at it")
    await story.event("d9")
    assert story.told()[-1] == "Tue 09:00 d9 hello"
    assert story.here.server.runner.health()["notes"] == {}


async def test_limits_consent_and_pauses_survive_a_restart(begin) -> None:
    story = await begin(HELLO, 'quiet_hours = "none"\ncaps = ["1 per day"]\ncooldown = "0s"\n')
    await story.time("Tue 09:00")
    await story.event("anna")
    await story.here.put("/v1/profiles/bob", {"consent": {"marketing": False}})
    await story.restart()
    await story.event("anna")
    await story.event("bob")
    await story.post("/v1/rules/hello/pause", why="stop")
    await story.restart()
    await story.event("carl")
    assert story.told() == ["Tue 09:00 anna hello"]
    assert [line.split()[-1] for line in await story.decided()] == ["OK", "CAP", "NO_CONSENT", "RULE_PAUSED"]
