"""What differs between two releases, in plain words."""

from engine.author.project import Bundle, compile_bundle
from engine.model.release import DecidePolicy, Policy, Release
from engine.pipeline.changes import changes, headline

RULE = """
rules:
  hello:
    when:
      enters: tag cafe
    only_if:
      - global.weather.temp_c < 12
    conversion: purchase
    message:
      title: Hello
"""
FENCE = """{"type":"FeatureCollection","features":[
{"type":"Feature","id":"cafe","properties":{"tags":["cafe"],"radius":%d},"geometry":{"type":"Point","coordinates":[13.4,%s]}}]}"""

PLAIN = Policy()


def release(rules: str = RULE, radius: int = 100, lat: str = "52.5", policy: Policy = PLAIN) -> Release:
    files = {"rules/a.yaml": rules.encode(), "geofences/a.geojson": (FENCE % (radius, lat)).encode()}
    return compile_bundle(Bundle(files, policy))[0]


def lines(old: Release, new: Release) -> dict[str, tuple[str, ...]]:
    return {f"{c.what} {c.kind} {c.id}": c.lines for c in changes(old, new)}


def test_moving_a_rule_within_its_file_changes_nothing():
    assert changes(release(), release("# a comment\n\n" + RULE)) == []
    assert headline([]) == "nothing differs"


def test_conditions_texts_and_limits_are_told_as_written():
    new = (
        RULE.replace("< 12", "< 5")
        .replace("Hello", "Hi")
        .replace(
            "    conversion",
            "    canary: 10%\n    limits:\n      per_person: 1 per day\n    status: draft\n    conversion",
        )
    )
    (told,) = lines(release(), release(new)).values()
    assert told == (
        "only if, no longer: global.weather.temp_c < 12",
        "only if, new: global.weather.temp_c < 5",
        "title: Hello → Hi",
        "limit per person, new: 1 per day",
        "status: live → draft",
        "canary: 100% → 10%",
    )


def test_what_came_and_what_went():
    new = RULE.replace("hello:", "bye:").replace("enters: tag cafe", "dwells: cafe, for 10 minutes")
    assert lines(release(), release(new)) == {
        "added rule bye": ("wakes: dwells cafe for 10 minutes", "says: Hello"),
        "removed rule hello": (),
    }
    assert headline(changes(release(), release(new))) == "1 rule added, 1 rule removed"


def test_a_fence_that_moved_and_grew():
    assert lines(release(), release(radius=150, lat="52.501")) == {
        "changed geofence cafe": ("moved by 111 m", "radius: 100 m → 150 m")
    }


def test_settings_are_told_in_hours_and_shares():
    policy = Policy(decide=DecidePolicy(cooldown=3600.0, quiet_hours=None))
    assert lines(release(), release(policy=policy)) == {
        "changed setting decide.quiet_hours": ("quiet_hours: 21:00-08:00 → nothing",),
        "changed setting decide.cooldown": ("cooldown: 6 hours → 1 hour",),
    }


def test_every_kind_of_trigger_has_words():
    for when, words in (
        ("exits: cafe", "exits cafe"),
        ("event: open", "event open"),
        ("schedule: every weekday at 11:30", "schedule every weekday at 11:30"),
    ):
        new = RULE.replace("hello:", "new:").replace("enters: tag cafe", when).replace("title: Hello", "title: x")
        told = lines(release(), release(new))["added rule new"]
        assert words in told[0], when
