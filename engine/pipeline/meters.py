"""What the runner tells the metrics after each step; the core itself only counts."""

from engine.measure.metrics import Metrics, raise_to
from engine.model.moment import Effects
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

    def stepped(self, core: Core, effects: Effects, now: float) -> None:
        """After a step whose effects are committed; ``now`` is the clock's."""
        metrics = self._metrics
        for moment in effects.moments:
            metrics.moments.labels(str(moment.decision.verdict), str(moment.decision.reason)).inc()
            metrics.latency.observe(max(0.0, now - moment.at))
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

    def stands(self, core: Core, queued: int, committed: int) -> None:
        """Gauges, asked for at each scrape."""
        self._metrics.queue_depth.set(queued)
        self._metrics.journal_end.set(core.state.offset)
        self._metrics.journal_committed.set(committed)
        self._metrics.devices.set(core.sense.devices())
