"""``python -m engine.pipeline.beside FOLDER``: one question about the past, answered from a data folder in which a
server may be at work. The question comes on standard input, the answer goes to standard output."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec

from engine.errors import HerenowError
from engine.model.record import Frame
from engine.pipeline.aside import Question
from engine.pipeline.releases import Releases
from engine.pipeline.why import answer
from engine.ports import Store, StoredMoment
from engine.store.past import Past

KINDNESS = 10  # the server comes first


class Beside:
    """As much of a store as a question needs."""

    def __init__(self, past: Past) -> None:
        self._past = past

    async def load_checkpoint(self, partition: int, at_most: float | None = None) -> tuple[int, bytes] | None:
        for saved in reversed(self._past.saved()):
            if at_most is None or saved.received <= at_most:
                blob = self._past.checkpoint(saved)
                if blob is not None:
                    return saved.offset, blob
        return None

    async def first_offset(self, partition: int) -> int:
        return self._past.first

    async def read(self, partition: int, start: int = 0) -> AsyncIterator[Frame]:
        for frame in self._past.frames(start):
            yield frame

    async def get_object(self, key: str) -> bytes | None:
        return self._past.object(key)

    async def moment(self, moment: str) -> StoredMoment | None:
        return self._past.moment(moment)


async def _main(folder: str) -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    store = cast(Store, Beside(Past(Path(folder))))  # nothing else is asked of it
    told = await answer(store, Releases(store), question)
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    os.nice(KINDNESS)
    try:
        asyncio.run(_main(sys.argv[1]))
    except HerenowError as error:
        sys.exit(str(error))
