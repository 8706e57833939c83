"""From the outbox to people: the worker, retries, breakers, the adapter registry and the egress guard."""

from engine.deliver.egress import guarded_session
from engine.deliver.lane import LanePolicy, LaneStatus, lane_policies
from engine.deliver.registry import installed, notes, open_adapters
from engine.deliver.trial import send_test
from engine.deliver.worker import Deliverer

__all__ = [
    "Deliverer",
    "LanePolicy",
    "LaneStatus",
    "guarded_session",
    "installed",
    "lane_policies",
    "notes",
    "open_adapters",
    "send_test",
]
