"""Metrics: named herenow_*, in a registry of their own, with bounded labels."""

from prometheus_client.parser import text_string_to_metric_families

from engine.measure import CONTENT_TYPE, Metrics, raise_to
from engine.model.reason import Reason, Verdict

NAMES = {
    "herenow_signals", "herenow_signal_warnings", "herenow_transitions", "herenow_moments", "herenow_misses",
    "herenow_notifications", "herenow_outbox", "herenow_queue_depth", "herenow_journal_end",
    "herenow_journal_committed", "herenow_devices", "herenow_step_seconds", "herenow_append_seconds",
    "herenow_signal_to_decision_seconds", "herenow_replay_divergence", "herenow_errors",
}  # fmt: skip


def samples(metrics):
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_metric_is_named_after_the_product():
    families = {f.name for f in text_string_to_metric_families(Metrics().render().decode())}
    assert {name for name in families if not name.endswith("_created")} == NAMES
    assert CONTENT_TYPE.startswith("text/plain")


def test_two_servers_in_one_process_do_not_mix():
    one, two = Metrics(), Metrics()
    one.signals_taken(accepted=3)
    assert samples(one)["herenow_signals_total", (("outcome", "accepted"),)] == 3
    assert samples(two)["herenow_signals_total", (("outcome", "accepted"),)] == 0


def test_signals_are_counted_by_what_became_of_them():
    metrics = Metrics()
    metrics.signals_taken(accepted=5, duplicates=2, rejected=1)
    metrics.signals_taken(accepted=1)
    assert [
        samples(metrics)["herenow_signals_total", (("outcome", o),)]
        for o in ("accepted", "duplicate", "rejected", "late")
    ] == [6, 2, 1, 0]


def test_unknown_fields_cannot_fill_the_memory():
    metrics = Metrics()
    metrics.warned(f"field{i}" for i in range(1000))
    metrics.warned(["field3"])
    found = {
        labels[0][1]: v for (name, labels), v in samples(metrics).items() if name == "herenow_signal_warnings_total"
    }
    assert len(found) == 101
    assert (found["other"], found["field3"]) == (900, 2)


def test_decisions_carry_the_same_words_as_traces():
    metrics = Metrics()
    metrics.moments.labels(Verdict.SUPPRESS, Reason.COOLDOWN).inc()
    assert samples(metrics)["herenow_moments_total", (("decision", "suppress"), ("reason", "COOLDOWN"))] == 1


def test_the_outbox_shows_every_status():
    metrics = Metrics()
    metrics.outbox_is({"waiting": 4, "dead": 1})
    metrics.outbox_is({"waiting": 2})
    found = {labels[0][1]: v for (name, labels), v in samples(metrics).items() if name == "herenow_outbox"}
    assert found == {"waiting": 2, "sending": 0, "sent": 0, "dead": 0, "cancelled": 0, "unknown": 0}


def test_totals_kept_elsewhere_raise_a_counter_once():
    metrics, seen = Metrics(), {}
    raise_to(metrics.transitions, seen, {"enter": 3})
    raise_to(metrics.transitions, seen, {"enter": 5, "exit": 1})
    raise_to(metrics.transitions, seen, {"enter": 2})  # the core was rebuilt and counts anew
    raise_to(metrics.transitions, seen, {"enter": 4})
    values = samples(metrics)
    assert values["herenow_transitions_total", (("kind", "enter"),)] == 7
    assert values["herenow_transitions_total", (("kind", "exit"),)] == 1
