"""A small town of its own, so that the demo's rules can change without these tests."""

from engine.author.project import Bundle, compile_bundle
from engine.model.release import DecidePolicy, Policy, TestPolicy
from engine.model.rule import Cap
from engine.pipeline.versions import Compiled
from engine.scenario import for_scenarios

RULES = """
rules:
  hello:
    purpose: service
    when:
      enters: tag cafe
    message:
      title: Welcome to {{ fence.name }}
      body: "It is {{ global.weather.sky | default: 'fine' }}, {{ profile.first_name | default: 'you' }}"
  long-stay:
    priority: 60
    when:
      dwells: cafe, for 10 minutes
    only_if:
      - profile.tier = gold
      - global.weather.temp_c < 12
    unless:
      - did: complaint, in the last 24 hours
    cooldown: 0s
    message:
      channels: console, then inbox
      send_within: 20 minutes
      body: Still here?
    conversion: purchase
  regulars:
    when:
      event: app_open
    only_if:
      - visited: office, at least 2 times, in the last 7 days
      - context.mood = happy
    cooldown: 0s
    message:
      body: Good to see you
    conversion: purchase
  pilot:
    control_group: 50%
    canary: 1%
    when:
      exits: office
    message:
      body: Going home?
    conversion: purchase
"""

JOURNEY = """
rules:
  hello:
    when:
      enters: tag cafe
    conversion: purchase
    message:
      body: hi
  thanks:
    purpose: service
    when:
      after: hello clicked, within 2 hours
    message:
      body: thanks
  remind:
    purpose: service
    when:
      after: hello not converted, within 2 hours
    message:
      body: remember
  lunch:
    purpose: service
    when:
      schedule: every weekday at 11:30
      to: cafe
    message:
      body: lunch
"""

FENCES = """{"type": "FeatureCollection", "features": [
 {"type": "Feature", "id": "cafe", "properties": {"name": "The Café", "tags": ["cafe"], "radius": 120},
  "geometry": {"type": "Point", "coordinates": [13.405, 52.52]}},
 {"type": "Feature", "id": "office", "properties": {"name": "Office"}, "geometry": {"type": "Polygon", "coordinates":
  [[[13.42, 52.518], [13.426, 52.518], [13.426, 52.522], [13.42, 52.522], [13.42, 52.518]]]}},
 {"type": "Feature", "id": "lane", "properties": {"name": "Lane", "radius": 60},
  "geometry": {"type": "LineString", "coordinates": [[13.38, 52.51], [13.39, 52.51], [13.4, 52.515]]}}
]}"""

POLICY = Policy(
    decide=DecidePolicy(time_zone="Europe/Berlin", caps=(Cap(3, "day"),), cooldown=3600.0),
    test=TestPolicy(people=("me",)),
    channels=("console", "inbox"),
)


def release_of(rules: str = RULES, policy: Policy = POLICY) -> Compiled:
    """The small town with these rules."""
    files = {"rules/all.yaml": rules.encode(), "geofences/city.geojson": FENCES.encode()}
    return for_scenarios(compile_bundle(Bundle(files, policy))[0])
