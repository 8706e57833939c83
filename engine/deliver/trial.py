"""One message straight to an adapter, past journal and outbox: ``herenow send-test``."""

from uuid import uuid4

from engine.clock import Clock
from engine.deliver import call
from engine.deliver.lane import TIMEOUT
from engine.model.moment import Message, Notification, Result
from engine.model.signal import Cause
from engine.ports import Adapter


async def send_test(
    adapter: Adapter, channel: str, person: str, text: str, clock: Clock, within: float = TIMEOUT
) -> Result:
    """Try once to send ``text`` to ``person``, ``within`` real seconds at most. Nothing is recorded; nothing raises."""
    notification = trial_notification(channel, person, text, clock.now())
    task = call.start(adapter, notification)
    return await call.outcome(task, channel, within, adapter.idempotent)


def trial_notification(channel: str, person: str, text: str, now: float) -> Notification:
    """A notification that belongs to no rule, marked ``test``."""
    unique = uuid4().hex
    return Notification(
        id=f"ntf_test_{unique}",
        moment=f"mom_test_{unique}",
        channel=channel,
        rule="send-test",
        release="",
        person=person,
        device=person,
        cause=Cause(f"send-test|{unique}", "event", now, event="send_test"),
        message=Message(title="Test message", body=text),
        not_before=now,
        deadline=now + 900.0,
        expires=now + 900.0,
        test=True,
    )
