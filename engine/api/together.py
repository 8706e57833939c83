"""Signals that come one by one, in many requests and frames: what one turn of the loop brings is read as one array and
queued as one. Phones send one signal at a time; many of them together cost each a fraction."""

from asyncio import Future, get_running_loop
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from engine.api.engine import Engine
from engine.ingest import fast

Receipt = Future[tuple[int, int]]  # (accepted, duplicates), once durable
Told = Callable[[Receipt | None], None]
_Waiting = tuple[Sequence[bytes], Told]
_MOST = 512  # signals that are read in one go


class Together:
    """What waits for the turn of the loop to end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[_Waiting] = []

    def put(self, bodies: Sequence[bytes], told: Told) -> None:
        """Take bodies of one signal each, from a sender who may speak for any device. ``told`` is called soon, in the
        order of calls; with None where nothing was done and the bodies are to be looked at by themselves."""
        if not self._waiting:
            get_running_loop().call_soon(self._take)
        self._waiting.append((bodies, told))

    def _take(self) -> None:
        waiting, self._waiting = self._waiting, []
        for part in _parts(waiting):
            receipts = self._offered([bodies for bodies, _ in part])
            for k, (_, told) in enumerate(part):
                told(receipts[k] if receipts else None)

    def _offered(self, groups: Sequence[Sequence[bytes]]) -> list[Receipt]:
        """A receipt for each group; none where they cannot be taken together."""
        engine = self._engine
        bodies, now = [body for group in groups for body in group], engine.clock.now()
        try:
            signals = fast.together(bodies, now, now + engine.config.policy.sense.max_future)
            if signals is None:
                return []
            whole, fresh = engine.offer_each(signals)
        except Exception:  # whatever it is, each meets it again by itself, and its sender is told
            return []
        shares, begin = list[tuple[Receipt, tuple[int, int]]](), 0
        for group in groups:
            end = begin + len(group)
            own = len(group) if fresh is None else bisect_left(fresh, end) - bisect_left(fresh, begin)
            shares.append((whole.get_loop().create_future(), (own, len(group) - own)))
            begin = end
        whole.add_done_callback(partial(_share, shares))
        return [receipt for receipt, _ in shares]


def _parts(waiting: Sequence[_Waiting]) -> Iterator[Sequence[_Waiting]]:
    """In pieces of so many signals, or one that has more."""
    begin, size = 0, 0
    for k, (bodies, _) in enumerate(waiting):
        if size and size + len(bodies) > _MOST:
            yield waiting[begin:k]
            begin, size = k, 0
        size += len(bodies)
    yield waiting[begin:]


def _share(shares: Sequence[tuple[Receipt, tuple[int, int]]], whole: Receipt) -> None:
    """Each gets its part of the answer, or the one failure."""
    error = None if whole.cancelled() else whole.exception()
    for receipt, counts in shares:
        if receipt.done():  # nobody waits for it any more
            continue
        if whole.cancelled():
            receipt.cancel()
        elif error is not None:
            receipt.set_exception(error)
        else:
            receipt.set_result(counts)
