"""One channel as the worker sees it: its adapter, its bounds and how it stands. Lanes share nothing."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.deliver.breaker import Breaker, State
from engine.deliver.retry import Schedule
from engine.errors import ConfigError
from engine.model.config import Channel, Config
from engine.ports import Adapter

TIMEOUT = 30.0
LONGEST_TIMEOUT = 100.0  # the core gives a moment up 120 s after its expiry
CONCURRENCY = 64
UNRECORDED = 4  # times as many results may be on their way to the journal as sends under way
_TIME = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(s|seconds?|m|minutes?)\s*")
OWN_SETTINGS = ("timeout", "concurrency")  # of [channels.NAME]: the worker's, not the adapter's


class LanePolicy(Struct, frozen=True):
    """Bounds of one channel: sends under way at once, real seconds each may take (None: 30), and when it is left alone:
    after ``failures`` different notifications failed in a row, for ``pause`` seconds at first."""

    concurrency: int = CONCURRENCY
    timeout: float | None = None
    failures: int = 5
    pause: float = 30.0


class LaneStatus(Struct, frozen=True):
    """How a channel stands, for health, metrics and the outbox page."""

    channel: str
    in_flight: int
    concurrency: int
    breaker: State
    open_until: float | None
    problem: str
    unrecorded: int  # results not yet in the journal


class Lane:
    """A channel's slots and breaker."""

    def __init__(self, name: str, adapter: Adapter, policy: LanePolicy) -> None:
        self.name, self.adapter, self.policy = name, adapter, policy
        self.timeout = policy.timeout if policy.timeout is not None else TIMEOUT
        self.schedule: Schedule = tuple(getattr(adapter, "schedule", ()))
        self.breaker = Breaker(policy.failures, policy.pause)
        self.in_flight = 0
        self.kept = 0  # slots of rows that are about to begin
        self.clear = False  # as far as is known, no row is due and waits
        self.unrecorded = 0
        self.swept = float("-inf")  # when expired rows were last looked for while nothing could begin

    def room(self, now: float) -> int:
        """How many sends may begin now."""
        begun = self.in_flight + self.kept
        free = min(self.policy.concurrency - begun, UNRECORDED * self.policy.concurrency - self.unrecorded)
        bound = self.breaker.room(now)
        return free if bound is None else min(free, bound)

    def status(self) -> LaneStatus:
        """A snapshot."""
        breaker = self.breaker
        return LaneStatus(
            channel=self.name,
            in_flight=self.in_flight,
            concurrency=self.policy.concurrency,
            breaker=breaker.state,
            open_until=breaker.until,
            problem=breaker.detail,
            unrecorded=self.unrecorded,
        )


def lane_policies(config: Config) -> dict[str, LanePolicy]:
    """``timeout`` and ``concurrency`` of every channel. Raises ``ConfigError``."""
    return {channel.name: lane_policy(channel) for channel in config.channels}


def lane_policy(channel: Channel) -> LanePolicy:
    """The worker's own settings of one channel. Raises ``ConfigError``."""
    where = f"[channels.{channel.name}]"
    concurrency = channel.settings.get("concurrency", CONCURRENCY)
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= 10_000:
        problem = f"concurrency is {concurrency!r}, which is not a whole number from 1 to 10000."
        raise ConfigError(problem, where, "Write for example concurrency = 64.")
    return LanePolicy(concurrency=concurrency, timeout=_timeout(channel.settings, where))


def _timeout(settings: Mapping[str, Any], where: str) -> float | None:
    value = settings.get("timeout")
    if value is None:
        return None
    seconds = -1.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (found := _TIME.fullmatch(value)):
        seconds = float(found[1]) * (60.0 if found[2].startswith("m") else 1.0)
    if not 0.0 < seconds <= LONGEST_TIMEOUT:
        problem = f"timeout is {value!r}, which is not a time of up to 100 seconds."
        raise ConfigError(problem, where, 'Write for example timeout = "15s".')
    return seconds
