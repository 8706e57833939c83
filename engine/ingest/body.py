"""What comes before decoding: content type, charset, gzip within bounds."""

import zlib
from functools import lru_cache
from typing import Any, Literal

from engine.errors import HerenowError

Kind = Literal["json", "ndjson"]
_KINDS: dict[str, Kind] = {"": "json", "application/json": "json", "application/x-ndjson": "ndjson"}
_STEP = 262_144


class BadBody(HerenowError):
    """The whole body is refused: ``status`` is the 4xx to answer, ``extra`` more members for the problem document."""

    def __init__(self, status: int, problem: str, fix: str = "", extra: dict[str, Any] | None = None) -> None:
        super().__init__(problem, fix=fix)
        self.status, self.extra = status, extra or {}


@lru_cache(maxsize=256)
def _kind(content_type: str) -> Kind | str:
    """The kind of body, or (starting with ``!``) what is wrong with the header."""
    essence, *parameters = (part.strip() for part in content_type.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip("\"'").lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            return f"!charset {charset[:40]!r} is not supported"
    kind = _KINDS.get(essence.lower()) if essence or not content_type else None
    return kind or f"!content type {essence[:80]!r} is not supported"


def kind_of(content_type: str) -> Kind:
    """``json`` (also for a missing header) or ``ndjson``; anything else, or a charset that is not UTF-8, is 415."""
    kind = _kind(content_type)
    if kind == "json" or kind == "ndjson":
        return kind  # type: ignore[return-value]  # the literal, as just compared
    raise BadBody(415, kind[1:], "Send application/json or application/x-ndjson, in UTF-8.")


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its content encoding. At most ``limit`` bytes are ever held: a gzip bomb is refused while
    inflating (413); encodings other than gzip are 415, damage is 400."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadBody(415, f"content encoding {encoding[:40]!r} is not supported", "Send gzip, or no encoding.")
    parts: list[bytes] = []
    total, rest = 0, body
    while rest:  # a gzip file may have several members, one after the other
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                part = member.decompress(rest, min(_STEP, limit - total + 1))
            except zlib.error as error:
                raise BadBody(400, f"the gzip body is damaged: {error}") from None
            total += len(part)
            if total > limit:
                raise BadBody(413, f"the body inflates to more than {limit} bytes", "Send smaller requests.")
            parts.append(part)
            rest = member.unconsumed_tail
            if not part and not rest and not member.eof:
                raise BadBody(400, "the gzip body ends too early")
        rest = member.unused_data
    if not body:
        raise BadBody(400, "the gzip body is empty")
    return b"".join(parts)


def check_utf8(body: bytes) -> None:
    """400 naming the first bad byte, unless the body is UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadBody(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
