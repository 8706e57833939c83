"""One call of an adapter."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.deliver import call
from engine.model.moment import Notification, Result


async def test_an_answer_that_is_there_already_is_not_waited_for(
    adapter: Any, notification: Callable[..., Notification]
) -> None:
    task = call.start(adapter(), notification())
    await asyncio.sleep(0)
    seen = call.outcome(task, "push", 30.0, True)
    with pytest.raises(StopIteration) as ended:
        seen.send(None)
    assert ended.value.value == Result("sent")
