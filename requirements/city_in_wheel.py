"""Build hook: a wheel carries the demo city, so that ``herenow serve --sandbox`` works in an empty folder."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CityInWheel(BuildHookInterface[Any]):
    """A checkout finds the city at its top; only a real wheel needs a copy."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the authored files to the wheel."""
        if version == "standard":
            for name in ("rules", "geofences", "config.toml"):
                build_data["force_include"][name] = f"engine/simulate/city/{name}"
