"""``rules/messages.yaml``: messages that rules use by name, and the partials that texts are made of."""

from engine.author.message import read_message
from engine.author.nodes import Mapping, Scalar
from engine.author.partials import read_partials
from engine.author.shelf import NamedMessage, lend, weight
from engine.author.source import Source

TOPS = ("messages", "partials")


def read_messages(source: Source) -> None:
    """Both parts of the file, onto the shelf of the source."""
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return
    top = source.mapping(root, "the file", TOPS)
    if top is None:
        return
    lend(root, source.file)
    if "partials" in top.entries:
        read_partials(source, top.entries["partials"])
    if "messages" not in top.entries:
        return
    for key, _, node in source.entries(top.entries["messages"], "messages"):
        before = source.told.get("error", 0)
        if isinstance(node, Mapping) and "use" in node.entries:
            problem = "A named message cannot use another one."
            source.error(node.keys["use"], "MESSAGE_IN_MESSAGE", problem, "Use a partial for what they share.")
        elif read_message(source, node) is not None and isinstance(node, Mapping):
            wrong = source.told.get("error", 0) > before
            source.shelf.messages[key] = NamedMessage(node, weight(node), wrong)
            continue
        source.shelf.messages[key] = NamedMessage(Mapping(node.line, node.column), 0, wrong=True)
