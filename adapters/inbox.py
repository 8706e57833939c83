"""The ``inbox`` adapter: the in-app channel, read through ``GET /v1/inbox/{person}``. No settings.

The outbox row is the message: once it is ``sent`` the inbox shows it, across restarts. Sending wakes the streams of
its person.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from adapters._settings import read_settings
from engine.model.moment import Notification, Result
from engine.ports import AdapterEnv


class Settings(Struct, frozen=True):
    """``[channels.NAME]`` of an in-app channel: nothing to set."""


def open_adapter(settings: Mapping[str, Any], env: AdapterEnv) -> "Inbox":
    """Made for each in-app channel. Raises ``ConfigError``."""
    read_settings(settings, Settings, env.channel)
    return Inbox(env.channel, env.publish)


class Inbox:
    """Wakes the streams of a person."""

    idempotent = True  # a reader knows a notification by its id, and a row is in the inbox once

    def __init__(self, channel: str, publish: Callable[[str, Notification], None]) -> None:
        self._channel, self._publish = channel, publish

    async def send(self, notification: Notification) -> Result:
        """Publish; nobody listening is fine, the inbox keeps it."""
        try:
            self._publish(self._channel, notification)
        except Exception as error:
            return Result("retry", f"the streams could not be woken ({type(error).__name__})")
        return Result("sent")

    async def close(self) -> None:
        """Nothing is held."""
