"""Signals of many requests and frames: what waits when an append begins is read as one array and queued as one. Phones
send one signal at a time; many of them together cost each a fraction."""

from asyncio import Future
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct

from engine.api.engine import Engine
from engine.errors import HerenowError
from engine.ingest import fast

Receipt = Future[tuple[int, int]]  # (accepted, duplicates), once durable
MOST = 4096  # signals that are read in one go


class Said(Struct, frozen=True):
    """The signals of one request, from a sender who may speak for any device: their ``text``, with commas between.
    ``told``: what will become of them; None where nothing was done and they are to be looked at by themselves, at once.
    """

    text: bytes
    told: Callable[[Receipt | None], None]


Ask = Callable[[], Said | None]  # None: there is nothing to read


class Together:
    """What waits for the next append. Nothing is judged before, so that what is queued is in order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[Ask] = []

    def put(self, ask: Ask) -> None:
        """``ask`` is called when the next append begins, in the order of calls."""
        if not self._waiting:
            self._engine.before_append(self._take)
        self._waiting.append(ask)

    def _take(self) -> None:
        waiting, self._waiting = self._waiting, []
        said = [one for ask in waiting if (one := ask()) is not None]
        most = min(MOST, self._engine.config.limits.queue)
        for part in _parts([(one, fast.braces(one.text)) for one in said], most):
            receipts = self._offered([one.text for one, _ in part], [count for _, count in part])
            for k, (one, _) in enumerate(part):
                one.told(receipts[k] if receipts else None)

    def _offered(self, texts: Sequence[bytes], counts: Sequence[int]) -> list[Receipt]:
        """A receipt for each; none where they cannot be taken together."""
        engine, now = self._engine, self._engine.clock.now()
        if sum(counts) > min(MOST, engine.config.limits.queue):
            return []
        try:
            latest = now + engine.config.policy.sense.max_future
            signals = fast.together(texts, counts, now, latest)
            if signals is None:
                return []
            whole, fresh = engine.offer_each(signals)
        except HerenowError as error:
            return [_failed(error, Future()) for _ in texts]
        except Exception:  # whatever it is, each meets it again by itself, and its sender is told
            return []
        shares, begin = list[tuple[Receipt, tuple[int, int]]](), 0
        for count in counts:
            end = begin + count
            own = count if fresh is None else bisect_left(fresh, end) - bisect_left(fresh, begin)
            shares.append((whole.get_loop().create_future(), (own, count - own)))
            begin = end
        whole.add_done_callback(partial(_share, shares))
        return [receipt for receipt, _ in shares]


def _parts(waiting: Sequence[tuple[Said, int]], most: int) -> Iterator[Sequence[tuple[Said, int]]]:
    """In pieces of so many signals; one that has more stands alone."""
    begin, size = 0, 0
    for k, (_, count) in enumerate(waiting):
        if size and size + count > most:
            yield waiting[begin:k]
            begin, size = k, 0
        size += count
    if waiting:
        yield waiting[begin:]


def _failed(error: Exception, receipt: Receipt) -> Receipt:
    receipt.set_exception(error)
    return receipt


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
