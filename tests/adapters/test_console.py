"""The console adapter: one readable line per notification."""

import io
import json

import pytest

from adapters.console import Console, open_adapter
from engine.clock import ManualClock
from engine.errors import ConfigError
from engine.model.moment import Message

CLOCK = ManualClock(1_795_508_101.0)
NOW = CLOCK.now


async def written(notification, form="text", stream=None) -> str:
    stream = stream or io.StringIO()
    console = Console(stream, NOW, form)
    result = await console.send(notification)
    await console.close()
    assert result.outcome == "sent"
    return stream.getvalue()


async def test_a_line_says_when_who_why_where_and_what(notification) -> None:
    assert await written(notification()) == (
        "2026-11-24 08:15:01Z p9 <- morning-coffee @ cafe-mitte [push] Cold out, Ana: 20 % off (shop://offers/1)\n"
    )


async def test_a_test_message_is_marked_and_an_empty_one_said(notification) -> None:
    assert "[push test] (empty message)" in await written(notification(message=Message(), test=True))


async def test_names_cannot_steer_the_terminal_or_break_the_line(notification) -> None:
    line = await written(notification(person="a\x1b[2Jb\r\nc", message=Message("x\u202ey", "z" * 10_000)))
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    assert len(line) < 1200


async def test_json_is_the_whole_notification_on_one_line(notification) -> None:
    line = await written(notification(message=Message("a\nb")), form="json")
    assert line.count("\n") == 1
    assert json.loads(line)["message"]["title"] == "a\nb"


async def test_a_terminal_that_knows_only_ascii_still_gets_the_line(notification) -> None:
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, "ascii"), NOW)
    assert (await console.send(notification(message=Message("Café ☕")))).outcome == "sent"
    assert b"Caf\\xe9 \\u2615" in raw.getvalue()
    await console.close()


async def test_a_closed_stream_is_a_failure_not_an_exception(notification) -> None:
    stream = io.StringIO()
    console = Console(stream, NOW)
    stream.close()
    result = await console.send(notification())
    await console.close()
    assert (result.outcome, (await console.send(notification())).outcome) == ("failed", "failed")


async def test_it_writes_to_standard_output(env, notification, capsys) -> None:
    console = open_adapter({}, env("console", clock=CLOCK))
    await console.send(notification())
    await console.close()
    assert "morning-coffee" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"format": "xml"}, "Invalid enum value 'xml'"), ({"fromat": "json"}, "Did you mean 'format'?")],
)
async def test_wrong_settings_are_named(env, settings, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_adapter(settings, env("console"))
    assert text in str(caught.value)
    assert caught.value.where == "config.toml [channels.console]"
