"""What the server counts: Prometheus metrics in a registry of their own, so that two servers in one process do not mix.

Every "no" carries the word of :class:`~engine.model.reason.Reason`. Labels are closed sets, or bounded here: what a
sender may name (unknown fields) is cut off after ``MAX_FIELDS`` names.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_FIELDS = 100
OTHER = "other"
STEP_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0)


class Metrics:
    """All metrics of one server. Counters whose counts come from elsewhere are raised with :func:`raise_to`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"herenow_{name}", says, labels, registry=registry)

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"herenow_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"herenow_{name}", says, buckets=buckets, registry=registry)

        self.signals = counter(
            "signals", "Signals, by what became of them: accepted, duplicate, rejected, late.", "outcome"
        )
        self.warnings = counter("signal_warnings", "Unknown fields in accepted signals, by field.", "field")
        self.transitions = counter("transitions", "Transitions sensed, by kind.", "kind")
        self.moments = counter("moments", "Moments, by decision and reason.", "decision", "reason")
        self.misses = counter("misses", "Rules woken in vain, by reason.", "reason")
        self.notifications = counter("notifications", "Attempts to send, by channel and outcome.", "channel", "outcome")
        self.errors = counter("errors", "Errors of the core's own, passed over, by stage.", "stage")
        self.outbox = gauge("outbox", "Notifications in the outbox, by status.", "status")
        self.queue_depth = gauge("queue_depth", "Signals that wait to be journaled.")
        self.journal_end = gauge("journal_end", "Offset after the last record in the journal.")
        self.journal_committed = gauge("journal_committed", "Offset up to which effects are committed.")
        self.devices = gauge("devices", "Devices held in memory.")
        self.step_seconds = histogram("step_seconds", "Time of one step of the core, over a whole batch.", STEP_BUCKETS)
        self.append_seconds = histogram("append_seconds", "Time to make one frame durable.", STEP_BUCKETS)
        self.latency = histogram(
            "signal_to_decision_seconds", "From a signal's arrival to the decision it caused.", LATENCY_BUCKETS
        )
        self.replay_divergence = counter("replay_divergence", "Moments that replay decided unlike the first time.")
        self._fields: set[str] = set()
        self._start_at_zero()

    def signals_taken(self, accepted: int = 0, duplicates: int = 0, rejected: int = 0) -> None:
        """Count what one request brought."""
        for child, count in ((self._accepted, accepted), (self._duplicate, duplicates), (self._rejected, rejected)):
            if count:
                child.inc(count)

    def warned(self, fields: Iterable[str]) -> None:
        """Count unknown fields; names beyond the first ``MAX_FIELDS`` are counted together."""
        for field in fields:
            if field not in self._fields and len(self._fields) >= MAX_FIELDS:
                field = OTHER
            self._fields.add(field)
            self.warnings.labels(field).inc()

    def outbox_is(self, counts: Mapping[str, int]) -> None:
        """How the outbox stands; a status that is not named has none."""
        for status in ("waiting", "sending", "sent", "dead", "cancelled", "unknown"):
            self.outbox.labels(status).set(counts.get(status, 0))

    def render(self) -> bytes:
        """The text that ``GET /metrics`` answers, of type ``CONTENT_TYPE``."""
        return generate_latest(self.registry)

    def _start_at_zero(self) -> None:
        """Series that a dashboard or an alert asks for are there from the first scrape."""
        self._accepted = self.signals.labels("accepted")
        self._duplicate = self.signals.labels("duplicate")
        self._rejected = self.signals.labels("rejected")
        self.signals.labels("late")
        self.outbox_is({})


def raise_to(counter: Counter, seen: dict[str, int], now: Mapping[str, int]) -> None:
    """Raise a counter with one label to totals that are kept elsewhere: ``seen`` remembers what was added so far."""
    for label, total in sorted(now.items()):
        added = total - seen.get(label, 0)
        if added > 0:
            counter.labels(label).inc(added)
        seen[label] = total
