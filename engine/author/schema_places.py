"""The JSON Schema of ``geofences/*.geojson``: features that are fences, with the properties that the reader knows."""

from typing import Any

from engine.author import properties
from engine.author.schema_shapes import DRAFT, DURATION, MAP, METRES_TEXT, TEXT, Words, described
from engine.author.shapes import GEOMETRIES, MAX_RADIUS

_METRES = {"anyOf": [{"type": "number", "minimum": 0, "maximum": MAX_RADIUS}, METRES_TEXT]}
_SECONDS = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, DURATION]}
_ID = {"type": ["string", "number"]}
_ROUND = ("Point", "LineString")  # shapes only with a radius

PROPERTY: Words = {
    "id": (_ID, "The fence's id, where the feature has none."),
    "name": (TEXT, "What templates call it: fence.name."),
    "tags": ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, "Rules ask for 'tag X'."),
    "schedule": (TEXT, "When it is open, in its own time zone: mon-fri 08:00-18:00. A closed one is as if not there."),
    "valid": (TEXT, "First and last local day on which it counts: 2026-11-01 to 2026-12-24."),
    "on_open": (
        {"enum": ["enter", "ignore"]},
        "What it means to be inside already when it opens: an enter (so it is unless said), or nothing.",
    ),
    "dwell": ({"anyOf": [_SECONDS, {"type": "array", "items": _SECONDS}]}, "Stays to be told: 10 minutes."),
    "catchment": (_METRES, "Metres by which the shape that is tested is larger."),
    "cross": ({"type": "boolean"}, "Whether passing through without a fix inside counts."),
    "metadata": (MAP, "Facts about the place: rules read them as fence.KEY."),
    "radius": (_METRES, "Metres around a Point (a circle) or a LineString (a corridor). 100 or more for phones."),
}


def schema() -> dict[str, Any]:
    """Of one feature, or of a collection of them."""
    return {
        "$schema": DRAFT,
        "title": "Herenow geofences",
        "definitions": {"feature": _feature(), "properties": _properties(), "position": _POSITION},
        "type": "object",
        "required": ["type"],
        "if": {"properties": {"type": {"const": "Feature"}}},
        "then": {"$ref": "#/definitions/feature"},
        "else": {
            "properties": {
                "type": {"const": "FeatureCollection"},
                "features": {"type": "array", "items": {"$ref": "#/definitions/feature"}},
            },
            "required": ["features"],
        },
    }


_POSITION = {
    "type": "array",
    "items": [{"type": "number", "minimum": -180, "maximum": 180}, {"type": "number", "minimum": -90, "maximum": 90}],
    "additionalItems": {"type": "number"},
    "minItems": 2,
    "maxItems": 4,
    "description": "[longitude, latitude]",
}


def _properties() -> dict[str, Any]:
    """Unknown ones are kept as metadata."""
    return {"type": ["object", "null"], "properties": {key: described(key, PROPERTY) for key in properties.KNOWN}}


def _feature() -> dict[str, Any]:
    inside = {"properties": {"type": "object", "required": ["id"]}}
    return {
        "type": "object",
        "required": ["type", "geometry"],
        "properties": {
            "type": {"const": "Feature"},
            "id": _ID,
            "properties": {"$ref": "#/definitions/properties"},
            "geometry": {"oneOf": [_geometry(kind) for kind in GEOMETRIES]},
        },
        "anyOf": [{"required": ["id"]}, {"required": ["properties"], "properties": inside}],
        "if": {"properties": {"geometry": {"properties": {"type": {"enum": list(_ROUND)}}}}},
        "then": {"required": ["properties"], "properties": {"properties": {"type": "object", "required": ["radius"]}}},
    }


def _geometry(kind: str) -> dict[str, Any]:
    depth = {"Point": 0, "LineString": 1, "Polygon": 2, "MultiPolygon": 3}[kind]
    coordinates: dict[str, Any] = {"$ref": "#/definitions/position"}
    for _ in range(depth):
        coordinates = {"type": "array", "items": coordinates, "minItems": 1}
    return {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {"type": {"const": kind}, "coordinates": coordinates},
    }
