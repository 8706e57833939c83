"""``rules/journeys.yaml``: whose a journey is, and its stages in order."""

from engine.author.nodes import Items, Mapping, Node, Scalar
from engine.author.report import clip
from engine.author.source import Source
from engine.author.targets import read_names
from engine.model.rule import Journey, Stage

JOURNEY_KEYS = ("about", "owner", "persona", "stages")
STAGE_KEYS = ("expectation", "response", "goal", "channels")
_FIX = "Add 'stages:' with their names, in order."


def read_journeys(source: Source) -> dict[str, Journey]:
    """``journeys:``, each with its stages: names (a list, or ``a, b``), or keys that say what each is for."""
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return {}
    top = source.mapping(root, "the file", ("journeys",))
    if top is None or "journeys" not in top.entries:
        return {}
    found = (_journey(source, *entry) for entry in source.entries(top.entries["journeys"], "journeys"))
    return {journey.id: journey for journey in found if journey is not None}


def _journey(source: Source, key: str, place: Scalar, node: Node) -> Journey | None:
    texts: dict[str, str] = {}
    stages: Node | None = node
    if isinstance(node, Mapping):
        source.mapping(node, f"journey '{clip(key)}'", JOURNEY_KEYS)
        stages = node.entries.get("stages")
        texts = _texts(source, node, ("about", "owner", "persona"))
    if stages is None or (isinstance(stages, Scalar) and stages.empty):
        source.error(place, "MISSING", f"The journey '{clip(key)}' has no stages.", _FIX)
        return None
    return Journey(id=key, stages=_stages(source, stages), where=source.where(place), **texts)


def _stages(source: Source, node: Node) -> tuple[Stage, ...]:
    if isinstance(node, Mapping):
        return tuple(_stage(source, key, place, node.entries[key]) for key, place in node.keys.items())
    if not isinstance(node, Items):
        return tuple(Stage(name, where=source.where(node)) for name in read_names(source, node, "stages") or ())
    stages: list[Stage] = []
    for item in node.items:
        if isinstance(item, Mapping) and len(item.entries) == 1:
            stages += _stages(source, item)
        elif (name := source.text(item, "stage")) is not None:
            stages.append(Stage(name, where=source.where(item)))
    for number, stage in enumerate(stages):
        if any(other.id == stage.id for other in stages[:number]):
            source.error(node, "DUPLICATE_STAGE", f"The stage '{clip(stage.id)}' is there twice.", "Name it otherwise.")
    return tuple(stages)


def _stage(source: Source, key: str, place: Scalar, node: Node) -> Stage:
    """``NAME:`` alone, ``NAME: goal``, or with its keys."""
    where = source.where(place)
    if isinstance(node, Scalar):
        return Stage(key, goal=node.text.strip(), where=where)
    stage = source.mapping(node, f"stage '{clip(key)}'", STAGE_KEYS)
    if stage is None:
        return Stage(key, where=where)
    channels: tuple[str, ...] = ()
    if (listed := stage.entries.get("channels")) is not None:
        channels = read_names(source, listed, "channels") or ()
        for channel in channels:
            source.use("channel", channel, listed)
    return Stage(id=key, channels=channels, where=where, **_texts(source, stage, ("expectation", "response", "goal")))


def _texts(source: Source, mapping: Mapping, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: source.text(mapping.entries[name], name) for name in names if name in mapping.entries}
    return {name: text for name, text in found.items() if text is not None}
