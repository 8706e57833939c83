"""The inbox adapter: the row is the message, sending wakes the streams."""

import pytest

from adapters.inbox import open_adapter
from engine.errors import ConfigError


async def test_sending_wakes_the_streams_of_its_channel(env, notification) -> None:
    woken = []
    inbox = open_adapter({}, env("in-app", publish=lambda channel, n: woken.append((channel, n.person))))
    assert (await inbox.send(notification())).outcome == "sent"
    assert woken == [("in-app", "p9")]
    assert inbox.idempotent


async def test_a_failing_stream_is_tried_again(env, notification) -> None:
    def fail(channel: str, n: object) -> None:
        raise RuntimeError("queue closed")

    result = await open_adapter({}, env(publish=fail)).send(notification())
    assert result.outcome == "retry"


async def test_it_has_no_settings(env) -> None:
    with pytest.raises(ConfigError, match="unknown setting 'size'"):
        open_adapter({"size": 3}, env())
