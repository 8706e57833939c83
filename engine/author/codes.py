"""One-time codes of offers: ``codes: codes/flat-white.txt`` (a text or CSV file in ``rules/codes/``), or a list."""

import re
from collections.abc import Iterable, Mapping

from engine.author.nodes import Items, Node
from engine.author.report import clip, nearest
from engine.author.source import Source
from engine.errors import Finding
from engine.model.rule import Offer

FOLDER = "rules/codes/"
ENDS = (".txt", ".csv")
MAX_BYTES = 2_000_000
MAX_CODES = 100_000  # of one offer
_MOST_TOLD = 20  # of what is wrong with one file
_CODE = re.compile(r"[^\s,;\"']{1,64}")
_EXAMPLE = "A code is one word of up to 64 characters, for example FLAT-7K2M."
Place = tuple[str, int, int]
Placed = tuple[str, Place]  # a code and where it stands


def is_code_file(name: str) -> bool:
    """Whether a file of a bundle holds codes."""
    return name.startswith(FOLDER) and name.endswith(ENDS)


class CodeBooks:
    """The codes of all offers: what one of them gave away, another cannot."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {name: data for name, data in files.items() if is_code_file(name)}
        self._seen: dict[str, Place] = {}
        self.used: set[str] = set()

    def read(self, source: Source, node: Node) -> tuple[str, ...]:
        """The codes that ``codes:`` names, in their order; what is wrong is told and left out."""
        if isinstance(node, Items):
            placed = self._listed(source, node)
        else:
            path = source.text(node, "codes")
            if path is None:
                return ()
            name = f"rules/{path}"
            if name not in self._files:
                self._unknown(source, node, path)
                return ()
            self.used.add(name)
            placed = _lines(source, name, self._files[name])
            if not placed:
                problem = f"There are no codes in {name}."
                source.error(node, "NO_CODES", problem, "Write one code a line, or delete 'codes'.")
        if len(placed) > MAX_CODES:
            problem = f"These are more than {MAX_CODES} codes ({len(placed)})."
            source.error(node, "TOO_LARGE", problem, "Make several offers of them.")
            return ()
        return self._once(source, placed)

    def _listed(self, source: Source, node: Items) -> list[Placed]:
        if not node.items:
            source.error(node, "NO_CODES", "'codes' is an empty list.", "Give it codes, or delete the line.")
        texts = ((source.text(item, "codes"), item) for item in node.items)
        places = ((text, (source.file_of(item), item.line, item.column)) for text, item in texts if text is not None)
        return [(text, place) for text, place in places if _right(source, text, place)]

    def _once(self, source: Source, placed: Iterable[Placed]) -> tuple[str, ...]:
        found: list[str] = []
        twice = 0
        for code, place in placed:
            first = self._seen.setdefault(code, place)
            if first is place:
                found.append(code)
                continue
            twice += 1
            if twice <= _MOST_TOLD:
                problem = f"The code '{clip(code)}' is there already ({first[0]}:{first[1]})."
                fix = "Delete one: nobody shares a one-time code."
                _tell(source, Finding(*place, "error", "DUPLICATE_CODE", problem, fix))
        return tuple(found)

    def _unknown(self, source: Source, node: Node, path: str) -> None:
        near = nearest(path, [name.removeprefix("rules/") for name in self._files])
        fix = f"Did you mean {near}?" if near else "Codes are in a .txt or .csv file in rules/codes/."
        source.error(node, "UNKNOWN_CODES", f"There is no file rules/{clip(path)}.", fix)


def too_few(source: Source, node: Node, offer: Offer) -> None:
    """Warn of a stock that the codes cannot meet."""
    if offer.stock is not None and offer.codes and len(offer.codes) < offer.stock:
        problem = f"The offer '{clip(offer.id)}' has a stock of {offer.stock} and {len(offer.codes)} codes."
        source.tell(
            node, "warning", "FEWER_CODES", problem, "Add codes, or leave 'stock' out: the codes are the stock."
        )


def unused(source_files: Iterable[str], used: Iterable[str]) -> list[Finding]:
    """Code files that no offer names."""
    told = frozenset(used)
    return [
        Finding(name, 1, 1, "info", "UNUSED", "No offer uses these codes.", "Name the file in an offer, or delete it.")
        for name in sorted(source_files)
        if is_code_file(name) and name not in told
    ]


def _lines(source: Source, name: str, data: bytes) -> list[Placed]:
    """One code a line; of a CSV file the first column, without its heading. ``#`` begins a comment."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = (name, data.count(b"\n", 0, error.start) + 1, 1)
        _tell(source, Finding(*place, "error", "ENCODING", "This is not UTF-8 text.", "Save the file as UTF-8."))
        return []
    found: list[Placed] = []
    wrong = 0
    for number, line in enumerate(text.split("\n"), 1):
        code = line.strip()
        if name.endswith(".csv"):
            code = re.split("[,;\t]", code, maxsplit=1)[0].strip().strip('"')
            if number == 1 and code.lower() in ("code", "codes"):
                continue
        if not code or code.startswith("#"):
            continue
        if _CODE.fullmatch(code):
            found.append((code, (name, number, 1)))
        elif (wrong := wrong + 1) <= _MOST_TOLD:
            _right(source, code, (name, number, 1))
    return found


def _right(source: Source, code: str, place: Place) -> bool:
    if _CODE.fullmatch(code):
        return True
    _tell(source, Finding(*place, "error", "BAD_VALUE", f"'{clip(code)}' is no code.", _EXAMPLE))
    return False


def _tell(source: Source, finding: Finding) -> None:
    """Note an error at a place that need not be in the source's own file."""
    source.told["error"] = source.told.get("error", 0) + 1
    source.findings.append(finding)
