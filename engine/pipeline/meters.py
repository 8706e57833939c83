"""What the runner tells the metrics; the core itself only counts."""

from collections.abc import Sequence

from engine.measure.metrics import Metrics, raise_to
from engine.model.moment import Moment
from engine.pipeline.core import Core


class Meters:
    """Raises counters to what the core has counted since this process began."""

    def __init__(self, metrics: Metrics, core: Core) -> None:
        self._metrics = metrics
        self._misses: dict[str, int] = dict(core.misses)
        self._transitions: dict[str, int] = dict(core.transitions)
        self._attempts: dict[tuple[str, str], int] = dict(core.flight.attempts)
        self._late = core.sense.late()
        self._faults: dict[str, int] = {}

    def decided(self, moments: Sequence[Moment], now: float) -> None:
        """After a step whose moments are committed; ``now`` is the clock's."""
        for moment in moments:
            self._metrics.moments.labels(str(moment.decision.verdict), str(moment.decision.reason)).inc()
            self._metrics.latency.observe(max(0.0, now - moment.at))

    def stands(self, core: Core, queued: int, committed: int) -> None:
        """All else, asked for at each scrape."""
        metrics = self._metrics
        raise_to(metrics.misses, self._misses, core.misses)
        raise_to(metrics.errors, self._faults, core.faults.counts)
        raise_to(metrics.transitions, self._transitions, core.transitions)
        for labels, total in core.flight.attempts.items():
            added = total - self._attempts.get(labels, 0)
            if added:
                metrics.notifications.labels(*labels).inc(added)
                self._attempts[labels] = total
        late = core.sense.late()
        if late > self._late:
            metrics.signals.labels("late").inc(late - self._late)
            self._late = late
        metrics.queue_depth.set(queued)
        metrics.journal_end.set(core.state.offset)
        metrics.journal_committed.set(committed)
        metrics.devices.set(core.sense.devices())
