"""What rules refer to: ``segments.yaml`` and ``offers.yaml``."""

from collections.abc import Iterator

from engine.author.codes import CodeBooks, too_few
from engine.author.conditions import read_conditions
from engine.author.nodes import Mapping, Node, Scalar, plain
from engine.author.report import clip
from engine.author.source import Source
from engine.author.times import parse_date_or_instant
from engine.model.rule import Condition, InSegment, Offer, Segment

OFFER_KEYS = ("about", "title", "code", "stock", "valid_until", "metadata", "codes")


def _named(source: Source, what: str) -> Iterator[tuple[str, Scalar, Node]]:
    """The entries below the one top key of a file; a file without content has none."""
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return
    top = source.mapping(root, "the file", (what,))
    if top is not None and what in top.entries:
        yield from source.entries(top.entries[what], what)


def read_segments(source: Source) -> dict[str, Segment]:
    """``segments:``, each with ``only_if`` (or the list itself)."""
    segments: dict[str, Segment] = {}
    places: dict[str, Scalar] = {}
    for key, place, node in _named(source, "segments"):
        conditions = node
        if isinstance(node, Mapping):
            segment = source.mapping(node, f"segment '{clip(key)}'", ("about", "only_if"))
            if segment is None or "only_if" not in segment.entries:
                source.error(place, "MISSING", f"The segment '{clip(key)}' has no 'only_if'.", "Add its conditions.")
                continue
            conditions = segment.entries["only_if"]
        segments[key] = Segment(key, read_conditions(source, conditions, "only_if"), source.where(place))
        places[key] = place
    for key in _circular(segments):
        fix = "Take one 'in_segment' out of the circle."
        source.error(places[key], "CIRCULAR", f"The segment '{clip(key)}' depends on itself.", fix)
    return segments


def _circular(segments: dict[str, Segment]) -> list[str]:
    """The segments that reach themselves through ``in_segment``."""
    needs = {key: sorted(set(_needed(segment.only_if))) for key, segment in segments.items()}

    def reaches_itself(start: str) -> bool:
        seen: set[str] = set()
        waiting = list(needs[start])
        while waiting:
            key = waiting.pop()
            if key == start:
                return True
            if key not in seen:
                seen.add(key)
                waiting += needs.get(key, [])
        return False

    return [key for key in segments if needs[key] and reaches_itself(key)]


def _needed(conditions: tuple[Condition, ...]) -> Iterator[str]:
    for condition in conditions:
        if isinstance(condition, InSegment):
            yield from condition.segments
        yield from _needed(getattr(condition, "items", ()))


def read_offers(source: Source, books: CodeBooks) -> dict[str, Offer]:
    """``offers:``, each with title, code or codes, stock, valid_until and metadata."""
    offers: dict[str, Offer] = {}
    for key, _, node in _named(source, "offers"):
        offer = source.mapping(node, f"offer '{clip(key)}'", OFFER_KEYS)
        if offer is not None:
            offers[key] = _offer(source, key, offer, books)
    return offers


def _offer(source: Source, key: str, offer: Mapping, books: CodeBooks) -> Offer:
    get = offer.entries.get
    title, code, stock, until, metadata, codes = (get(name) for name in OFFER_KEYS[1:])
    count = None if stock is None else source.number(stock, "stock", 0, 1e12)
    if stock is not None and count is not None and count != int(count):
        source.error(stock, "BAD_VALUE", "'stock' must be a whole number.", f"Write: {int(count)}")
    if code is not None and codes is not None:
        source.error(offer.keys["codes"], "BAD_VALUE", "An offer has 'code' or 'codes'.", "Delete one of them.")
    facts = None if metadata is None else source.mapping(metadata, "metadata")
    read = Offer(
        id=key,
        title="" if title is None else source.text(title, "title") or "",
        code="" if code is None else source.text(code, "code") or "",
        stock=None if count is None else int(count),
        valid_until=None if until is None else source.parse(until, "valid_until", parse_date_or_instant),
        metadata={} if facts is None else plain(facts),
        codes=() if codes is None else books.read(source, codes),
    )
    if codes is not None:
        too_few(source, codes, read)
    return read
