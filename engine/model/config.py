"""config.toml as the rest of the house sees it: parsed, checked, in seconds and bytes."""

from typing import Any, Literal

from msgspec import Struct, field

from engine.model.release import Policy


class Server(Struct, frozen=True):
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8080


class Paths(Struct, frozen=True):
    """Folders, absolute after loading."""

    rules: str = "rules"
    geofences: str = "geofences"
    data: str = "var"


class Retention(Struct, frozen=True):
    """How long things are held."""

    journal_days: float = 7.0
    journal_max: int = 20_000_000_000
    traces_days: float = 90.0


class Limits(Struct, frozen=True):
    """Bounds on what comes in: bytes, nesting, signals waiting."""

    body: int = 8_000_000
    inflated: int = 64_000_000
    depth: int = 32
    queue: int = 100_000


class Channel(Struct, frozen=True):
    """``[channels.NAME]``: the adapter's name and its own settings."""

    name: str
    adapter: str
    settings: dict[str, Any] = field(default_factory=dict)


class Config(Struct, frozen=True):
    """The whole of config.toml. ``policy`` is the part that travels in the release."""

    server: Server = Server()
    paths: Paths = Paths()
    store: str = "embedded:"
    retention: Retention = Retention()
    limits: Limits = Limits()
    unknown_fields: Literal["warn", "reject"] = "warn"
    channels: tuple[Channel, ...] = (Channel("console", "console"),)
    egress_allow: tuple[str, ...] = ()
    policy: Policy = Policy()
    source: str = ""  # the file it was read from; "" when none was there
