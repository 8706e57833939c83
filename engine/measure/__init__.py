"""Traces (why, why not) and metrics. Conversions, lift and funnels come here too."""

from engine.measure.metrics import CONTENT_TYPE, Metrics, raise_to
from engine.measure.sentences import decision_sentence, row_sentence, sentence
from engine.measure.times import iso
from engine.measure.trace import check_view, miss_view, moment_sentence, moment_view, row_view, summary_view

__all__ = [
    "CONTENT_TYPE",
    "Metrics",
    "check_view",
    "decision_sentence",
    "iso",
    "miss_view",
    "moment_sentence",
    "moment_view",
    "raise_to",
    "row_sentence",
    "row_view",
    "sentence",
    "summary_view",
]
