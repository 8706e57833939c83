"""``herenow schema``: what editors need to complete and check authored files. Made from the tables of the readers, so
that a key which is read is a key which editors know."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.author import schema_places, schema_rules, schema_scenarios, schema_settings

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "rules": schema_rules.schema,
    "geofences": schema_places.schema,
    "config": schema_settings.schema,
    "scenarios": schema_scenarios.schema,
}
