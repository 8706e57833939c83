"""Adapters by name: found, opened, closed, and clear about what is wrong."""

from importlib.metadata import EntryPoint

import pytest

from engine.clock import ManualClock
from engine.deliver import installed, lane_policies, notes, open_adapters, registry, send_test
from engine.errors import ConfigError
from engine.model.config import Channel, Config
from engine.model.moment import Result

CLOSED: list[str] = []


class Plain:
    idempotent = True

    def __init__(self, settings, env) -> None:
        self.settings, self.env = settings, env
        self.notes = ("is a test",)

    async def send(self, notification) -> Result:
        return Result("sent", notification.message.body)

    async def close(self) -> None:
        CLOSED.append(self.env.channel)
        if self.settings.get("sulks"):
            raise RuntimeError("no")


def broken(settings, env):
    raise KeyError("oops")


def incomplete(settings, env):
    return object()


NOT_CALLABLE = 7


@pytest.fixture
def plugged(monkeypatch):
    """Pretend these adapters are installed; values name things of this module."""

    def plug(**adapters: object) -> None:
        class Point:
            def __init__(self, name: str, value: object) -> None:
                self.name, self.value, self.dist, self._made = name, repr(value), None, value

            def load(self) -> object:
                if isinstance(self._made, Exception):
                    raise self._made
                return self._made

        points = [Point(name, value) for name, value in adapters.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)

    return plug


async def opened(config: Config):
    async with open_adapters(config, ManualClock(), {}, lambda channel, notification: None) as adapters:
        return adapters


def channels(*given: Channel) -> Config:
    return Config(channels=given, source="config.toml")


async def test_every_channel_gets_its_own_adapter_and_session_and_all_are_closed(plugged) -> None:
    plugged(plain=Plain)
    CLOSED.clear()
    config = channels(Channel("a", "plain", {"colour": "red"}), Channel("b", "plain", {"sulks": True}))
    async with open_adapters(config, ManualClock(), {}, lambda channel, notification: None) as adapters:
        a, b = adapters["a"], adapters["b"]
        assert isinstance(a, Plain)
        assert isinstance(b, Plain)
        assert (a.settings, a.env.channel) == ({"colour": "red"}, "a")
        assert a.env.session is not b.env.session
        assert notes(adapters) == ["[channels.a] is a test", "[channels.b] is a test"]
    assert CLOSED == ["b", "a"]
    assert a.env.session.closed
    assert b.env.session.closed


async def test_the_workers_own_settings_do_not_reach_the_adapter(plugged) -> None:
    plugged(plain=Plain)
    config = channels(Channel("a", "plain", {"timeout": "5s", "concurrency": 3, "x": 1}), Channel("b", "plain"))
    adapters = await opened(config)
    assert adapters["a"].settings == {"x": 1}  # type: ignore[attr-defined]
    assert adapters["a"].env.timeout == 5.0  # type: ignore[attr-defined]
    policies = lane_policies(config)
    assert (policies["a"].concurrency, policies["a"].timeout) == (3, 5.0)
    assert (policies["b"].concurrency, policies["b"].timeout) == (64, None)


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": "soon"}, {"timeout": 0}, {"timeout": -1}, {"timeout": True}, {"timeout": "5h"}, {"timeout": 1e9},
        {"concurrency": 0}, {"concurrency": "8"}, {"concurrency": True}, {"concurrency": 2.5}, {"concurrency": 10**9},
    ],
)  # fmt: skip
def test_wrong_bounds_name_the_channel_and_the_fix(settings) -> None:
    with pytest.raises(ConfigError) as caught:
        lane_policies(channels(Channel("push", "plain", settings)))
    assert caught.value.where == "[channels.push]"
    assert "Write for example" in caught.value.fix


@pytest.mark.parametrize(("written", "seconds"), [("5s", 5.0), ("2 seconds", 2.0), ("1m", 60.0), (7, 7.0), (0.5, 0.5)])
def test_a_timeout_is_seconds_or_a_short_duration(written, seconds: float) -> None:
    assert lane_policies(channels(Channel("p", "plain", {"timeout": written})))["p"].timeout == seconds


async def test_an_unknown_adapter_lists_those_installed_and_the_likely_one(plugged) -> None:
    plugged(webhook=Plain, console=Plain)
    with pytest.raises(ConfigError) as caught:
        await opened(channels(Channel("push", "webhok")))
    text = str(caught.value)
    assert text.startswith("config.toml [channels.push]: unknown adapter 'webhok'.")
    assert "Did you mean 'webhook'? Installed: console, webhook." in text


@pytest.mark.parametrize("adapter", [broken, incomplete, NOT_CALLABLE, ImportError("no module named x")])
async def test_an_adapter_that_cannot_be_made_is_named_with_its_channel(plugged, adapter) -> None:
    plugged(bad=adapter)
    with pytest.raises(ConfigError) as caught:
        await opened(channels(Channel("push", "bad")))
    assert caught.value.where == "config.toml [channels.push]"
    assert caught.value.fix


async def test_what_was_opened_before_a_failure_is_closed(plugged) -> None:
    plugged(plain=Plain, bad=broken)
    CLOSED.clear()
    with pytest.raises(ConfigError):
        await opened(channels(Channel("a", "plain"), Channel("b", "bad")))
    assert CLOSED == ["a"]


def test_two_packages_with_one_name_are_refused(monkeypatch) -> None:
    points = [EntryPoint("sms", "one:make", registry.GROUP), EntryPoint("sms", "two:make", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with pytest.raises(ConfigError, match="two installed packages"):
        installed()


def test_our_own_adapters_are_installed() -> None:
    assert {"console", "inbox", "webhook"} <= {found.name for found in installed()}


async def test_a_test_message_goes_straight_to_the_adapter() -> None:
    seen = []

    class Keeping(Plain):
        async def send(self, notification) -> Result:
            seen.append(notification)
            return await super().send(notification)

    clock = ManualClock(1000.0)
    adapter = Keeping({}, None)
    assert await send_test(adapter, "push", "me", "hello", clock) == Result("sent", "hello")
    await send_test(adapter, "push", "me", "hello", clock)
    first, second = seen
    assert (first.person, first.channel, first.test, first.message.body) == ("me", "push", True, "hello")
    assert first.id != second.id


async def test_a_test_message_to_a_failing_adapter_is_an_answer_not_an_exception() -> None:
    class Failing(Plain):
        async def send(self, notification) -> Result:
            raise RuntimeError("down")

    assert (await send_test(Failing({}, None), "push", "me", "hello", ManualClock())).outcome == "retry"
