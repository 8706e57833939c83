"""What rules refer to: ``segments.yaml``, ``offers.yaml``, ``journeys.yaml`` and ``schema.yaml``."""

from collections.abc import Iterator

from engine.author.conditions import read_conditions
from engine.author.nodes import Items, Mapping, Node, Scalar, plain
from engine.author.report import clip
from engine.author.source import Source
from engine.author.targets import read_names
from engine.author.times import parse_date_or_instant
from engine.author.words import ROOTS
from engine.model.rule import Condition, InSegment, Offer, Segment

_OFFER_KEYS = ("about", "title", "code", "stock", "valid_until", "metadata")
_TYPES = ("text", "number", "yes/no", "list", "date", "any")


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


def read_offers(source: Source) -> dict[str, Offer]:
    """``offers:``, each with title, code, stock, valid_until and metadata."""
    offers: dict[str, Offer] = {}
    for key, _, node in _named(source, "offers"):
        if isinstance(node, Mapping) and "codes" in node.entries:
            fix = "Use one 'code' for all until then."
            source.error(node.keys["codes"], "NOT_YET", "'codes' comes with a later version.", fix)
        offer = source.mapping(node, f"offer '{clip(key)}'", (*_OFFER_KEYS, "codes"))
        if offer is not None:
            offers[key] = _offer(source, key, offer)
    return offers


def _offer(source: Source, key: str, offer: Mapping) -> Offer:
    get = offer.entries.get
    title, code, stock, until, metadata = (get(name) for name in _OFFER_KEYS[1:])
    count = None if stock is None else source.number(stock, "stock", 0, 1e12)
    if stock is not None and count is not None and count != int(count):
        source.error(stock, "BAD_VALUE", "'stock' must be a whole number.", f"Write: {int(count)}")
    facts = None if metadata is None else source.mapping(metadata, "metadata")
    return Offer(
        id=key,
        title="" if title is None else source.text(title, "title") or "",
        code="" if code is None else source.text(code, "code") or "",
        stock=None if count is None else int(count),
        valid_until=None if until is None else source.parse(until, "valid_until", parse_date_or_instant),
        metadata={} if facts is None else plain(facts),
    )


def read_journeys(source: Source) -> dict[str, tuple[str, ...]]:
    """``journeys:``, each with its stages in order: a list, ``a, b``, or keys."""
    journeys: dict[str, tuple[str, ...]] = {}
    for key, place, node in _named(source, "journeys"):
        stages: Node | None = node
        if isinstance(node, Mapping):
            source.mapping(node, f"journey '{clip(key)}'", ("about", "owner", "stages"))
            stages = node.entries.get("stages")
        if stages is None:
            source.error(
                place, "MISSING", f"The journey '{clip(key)}' has no stages.", "Add 'stages:' with their names."
            )
            continue
        journeys[key] = _stages(source, stages)
    return journeys


def _stages(source: Source, node: Node) -> tuple[str, ...]:
    if isinstance(node, Mapping):
        return tuple(node.entries)
    if isinstance(node, Items):
        names: list[str] = []
        for item in node.items:
            keyed = isinstance(item, Mapping) and len(item.entries) == 1
            names += list(item.entries) if keyed and isinstance(item, Mapping) else [source.text(item, "stage") or ""]
        return tuple(names)
    return read_names(source, node, "stages") or ()


def read_schema(source: Source) -> tuple[str, ...]:
    """``fields:`` with the type of each name: the declared names."""
    fields: list[str] = []
    for key, place, node in _named(source, "fields"):
        if key.partition(".")[0] not in ROOTS or "." not in key:
            fix = f"Names begin with {', '.join(ROOTS)}: profile.{clip(key)}"
            source.error(place, "BAD_VALUE", f"'{clip(key)}' is no full name.", fix)
            continue
        source.choice(node, "type", _TYPES)
        fields.append(key)
    return tuple(fields)
