"""A circuit breaker: a channel that keeps failing is left alone for a while, and its rows wait untouched."""

import math
from typing import Literal

State = Literal["closed", "open", "probing"]


class Breaker:
    """Opens when ``failures`` different notifications failed one after the other with no success between, so that one
    message the far side chokes on never closes a channel to others. After ``pause`` seconds one probe may pass; if it
    fails the pause doubles, up to ``longest``. Instants are epoch seconds of the process's clock.
    """

    def __init__(self, failures: int = 5, pause: float = 30.0, longest: float = 300.0) -> None:
        self._limit, self._first_pause, self._longest = failures, pause, longest
        self._failed: set[str] = set()
        self._pause = pause
        self._probe: str | None = None
        self.until: float | None = None  # no send before this instant; None: closed
        self.detail = ""  # the last failure

    @property
    def state(self) -> State:
        """Closed (sends pass), open (none pass), probing (one is under way)."""
        if self.until is None:
            return "closed"
        return "probing" if self._probe is not None else "open"

    def room(self, now: float) -> int | None:
        """How many sends may begin: None without bound, 0 while open, 1 when it is time for a probe."""
        if self.until is None:
            return None
        return 0 if self._probe is not None or now < self.until else 1

    def begun(self, notification: str) -> None:
        """A send begins; while not closed it is the probe."""
        if self.until is not None:
            self._probe = notification

    def succeeded(self) -> None:
        """The far side took a send, or refused that one alone: it is alive."""
        self._failed.clear()
        self._pause, self._probe, self.until, self.detail = self._first_pause, None, None, ""

    def failed(self, notification: str, now: float, detail: str, asked: float | None = None) -> None:
        """The far side did not take a send; ``asked``: seconds it wants to be left
        alone (``longest`` at most)."""
        self.detail = detail
        asked = min(asked, self._longest) if asked is not None and math.isfinite(asked) else 0.0
        if self.until is not None:
            if notification == self._probe:
                self._probe = None
                self._pause = min(self._longest, self._pause * 2)
                self.until = now + max(self._pause, asked)
            return
        self._failed.add(notification)
        if len(self._failed) >= self._limit:
            self._failed.clear()
            self.until = now + max(self._pause, asked)
