"""Streams signals over real HTTP: personas as their day goes by, or a recorded track."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.errors import HerenowError
from engine.simulate.personas import Persona
from engine.simulate.tracks import Body, city_track
from engine.simulate.weather import city_facts

BATCH = 100
TRIES = 30
FACTS_EVERY = 1800.0
"""Simulated seconds between two pushes of the city's facts."""


class Report(Struct):
    """What became of the signals that were sent. ``waits``: how often the server asked to slow down."""

    sent: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    waits: int = 0


class Sender:
    """Posts to one server; tries again (429, 503, a broken connection) up to ``TRIES`` times."""

    def __init__(self, session: aiohttp.ClientSession, url: str, pause: Clock) -> None:
        self._session, self._url, self._pause = session, url.rstrip("/"), pause
        self.report = Report()

    async def signals(self, batch: Sequence[Body]) -> None:
        """Send one batch and count the answer; returns once the server has it durably."""
        answer = await self.call("POST", "/v1/signals", list(batch))
        self.report.sent += len(batch)
        self.report.accepted += int(answer.get("accepted", 0))
        self.report.duplicates += int(answer.get("duplicates", 0))
        self.report.rejected += len(answer.get("rejected", ()))

    async def call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """One JSON call. Raises ``HerenowError`` with the server's own words when it refuses for good."""
        last = "no answer"
        for attempt in range(TRIES):
            try:
                async with self._session.request(method, self._url + path, data=msgspec.json.encode(body)) as response:
                    raw = await response.read()
                    if response.status not in (429, 503):
                        return _answer(response.status, raw, f"{method} {path}")
                    wait, last = _retry_after(response.headers.get("Retry-After")), f"answered {response.status}"
            except (aiohttp.ClientConnectionError, TimeoutError) as problem:
                wait, last = min(5.0, 0.1 * 2.0**attempt), str(problem) or type(problem).__name__
            self.report.waits += 1
            await self._pause.sleep(wait)
        raise HerenowError(f"the server did not take {method} {path}: {last}.", self._url, "Is it running there?")


def _answer(status: int, raw: bytes, call: str) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(raw) if raw.strip() else {}
    except msgspec.DecodeError:
        answer = {"detail": raw[:200].decode("utf-8", "replace")}
    answer = answer if isinstance(answer, dict) else {"answer": answer}
    if status == 422 and "rejected" in answer:
        return answer
    if status >= 400:
        words = answer.get("detail") or answer.get("title") or "no reason given"
        hint = "Give a key with --key or HERENOW_KEY." if status in (401, 403) else ""
        raise HerenowError(f"{call} was refused ({status}): {words}", fix=hint)
    return answer


def _retry_after(value: str | None) -> float:
    try:
        return min(30.0, max(0.1, float(value or 1.0)))
    except ValueError:
        return 1.0


@asynccontextmanager
async def open_sender(url: str, key: str | None, pause: Clock) -> AsyncIterator[Sender]:
    """A sender with its own connection; ``pause`` is the real clock, for waits that the server asked for."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        yield Sender(session, url, pause)


async def introduce(sender: Sender, personas: Iterable[Persona]) -> None:
    """Tell the server who they are: ``PUT /v1/profiles/{person}``, all at once (each answer waits for a commit)."""
    await asyncio.gather(*(sender.call("PUT", f"/v1/profiles/{p.id}", _profile(p)) for p in personas))


def _profile(person: Persona) -> dict[str, Any]:
    return {
        "attributes": {"name": person.name} | person.profile,
        "devices": list(person.devices),
        "consent": person.consent,
        "language": person.language,
        "time_zone": person.time_zone,
    }


async def simulate(
    url: str,
    key: str | None,
    clock: Clock,
    personas: Sequence[Persona],
    until: float | None = None,
    *,
    pause: Clock,
    seed: int = 1,
    every: float = 15.0,
) -> Report:
    """Live the personas' days on ``clock`` from now on, until that instant (None: until cancelled).

    ``every`` is how many seconds of ``clock`` pass between two batches, ``pause`` the real clock.
    """
    start = clock.now()
    end = until if until is not None else float("inf")
    async with open_sender(url, key, pause) as sender:
        await introduce(sender, personas)
        await _live(sender, clock, city_track(personas, seed, start, end), end, seed, every)
        return sender.report


async def _live(sender: Sender, clock: Clock, bodies: Iterator[Body], end: float, seed: int, every: float) -> None:
    waiting = next(bodies, None)
    facts_due = clock.now()
    while waiting is not None or clock.now() < end:
        now = clock.now()
        if now >= facts_due:
            await sender.call("PUT", "/v1/context/global", {"facts": city_facts(now, seed), "ttl": "2h"})
            facts_due = now + FACTS_EVERY
        batch, waiting = _due(bodies, waiting, now)
        if batch:
            await sender.signals(batch)
        if len(batch) < BATCH:
            soonest = end if waiting is None else waiting["at"]
            await clock.sleep(min(max(every, soonest - now), max(0.0, facts_due - now), max(0.0, end - now)))


def _due(bodies: Iterator[Body], waiting: Body | None, now: float) -> tuple[list[Body], Body | None]:
    """Up to ``BATCH`` signals that happened by ``now``, and the first one that is left."""
    batch: list[Body] = []
    while waiting is not None and waiting["at"] <= now and len(batch) < BATCH:
        batch.append(waiting)
        waiting = next(bodies, None)
    return batch, waiting


async def send_track(
    url: str, key: str | None, bodies: Sequence[Body], clock: Clock, *, pause: Clock, live: bool = False
) -> Report:
    """Send a recorded track: at once with its own times, or ``live``: from now on, at the pace of ``clock``."""
    shift = clock.now() - bodies[0]["at"] if live and bodies else 0.0
    moved = iter([body | {"at": body["at"] + shift} for body in bodies])
    async with open_sender(url, key, pause) as sender:
        waiting = next(moved, None)
        while waiting is not None:
            if live:
                await clock.sleep(waiting["at"] - clock.now())
            batch, waiting = _due(moved, waiting, clock.now() if live else float("inf"))
            if batch:
                await sender.signals(batch)
        return sender.report
