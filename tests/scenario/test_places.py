"""Where the places of scenarios are."""

import json
import math

import pytest

from engine.author.geojson import read_fences
from engine.author.scenario_parts import Place
from engine.scenario.places import Atlas, between, length
from engine.sense import FenceSet

NEIGHBOURS = (0, 45, 90, 130, 230, 270, 315)  # degrees from north


def circle(id: str, lat: float, lon: float, radius: float) -> dict[str, object]:
    return {
        "type": "Feature",
        "id": id,
        "properties": {"radius": radius},
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
    }


@pytest.fixture
def fences() -> FenceSet:
    """A shop with neighbours on every side but the south: 90 m from it is free of them, 400 m is not."""
    around = [(math.cos(math.radians(d)) * 520 / 111_195, math.sin(math.radians(d)) * 520 / 67_700) for d in NEIGHBOURS]
    shapes = [circle("shop", 52.5, 13.4, 120)]
    shapes += [circle(f"house-{n}", 52.5 + north, 13.4 + east, 220) for n, (north, east) in enumerate(around)]
    data = {"type": "FeatureCollection", "features": shapes}
    found, findings = read_fences("geofences/a.geojson", json.dumps(data).encode())
    assert findings == []
    return FenceSet.compile(found)


def test_a_way_from_far_to_near_a_fence_does_not_lead_through_it(fences: FenceSet):
    atlas = Atlas(fences)
    far, near = Place("shop", None, 400.0), Place("shop", None, 90.0)
    straight = [between(atlas.point(far), atlas.point(near), n / 100) for n in range(101)]
    assert any("shop" in fences.containing(*point) for point in straight), "each at its own best place lead through it"
    start, end = atlas.way(far, near)
    way = [between(start, end, n / 100) for n in range(101)]
    assert not any(fences.containing(*point) for point in way)
    assert [round(-fences.distance("shop", *point)) for point in (start, end)] == [400, 90]
    assert length(start, end) == pytest.approx(310, abs=2)


def test_a_way_between_other_places_begins_and_ends_there(fences: FenceSet):
    atlas = Atlas(fences)
    shop, near = Place("shop"), Place("shop", None, 90.0)
    assert atlas.way(shop, near) == (atlas.point(shop), atlas.point(near))
