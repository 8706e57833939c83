"""Bodies that are too large, however they come."""

from collections.abc import AsyncIterator
from pathlib import Path

from tests.support import OPEN_HOUSE, running, write_project

RULES = "rules:\n  hello:\n    when:\n      event: hi\n    message:\n      title: Hello\n"


async def test_a_body_that_does_not_tell_its_length_is_cut_off_at_the_bound(tmp_path: Path) -> None:
    config = write_project(tmp_path, OPEN_HOUSE + '[limits]\nbody = "64KB"\n', RULES, [])
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 1024
            yield b" " * 1024

    async with running(config) as here:
        url = here.server.url + "/v1/signals"
        headers = {"Content-Type": "application/json"}
        async with here.session.post(url, data=endless(), headers=headers) as answer:
            assert answer.status == 413
            assert (await answer.json())["detail"].startswith("the body is larger than")
        assert sent < 10_000_000
        await here.post("/v1/signals", {"device": "d1", "event": "hi"})
