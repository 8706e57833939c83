"""Reading requests: bodies within bounds of size and time, query strings, checked structs."""

import asyncio
import math
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from engine.api.problems import Refused
from engine.ingest.body import BadBody, check_utf8, inflate, kind_of
from engine.ingest.diagnose import plain_json_error
from engine.ingest.signals import has_control
from engine.model.config import Limits

T = TypeVar("T")
BODY_SECONDS = 30.0
SMALL = 65_536  # beyond this, work on a body leaves the loop free


async def read_body(request: web.Request, limits: Limits) -> bytes:
    """The whole body, inflated. 413 above a limit, 408 when it dawdles, 400 when the transfer is broken."""
    length = request.content_length
    if length is not None and length > limits.body:
        raise _too_large(limits)
    content = request.content
    if content.is_eof():  # it came with the headers: nothing to wait for
        body = content.read_nowait()
        if len(body) > limits.body:
            raise _too_large(limits)
    else:
        body = await _slow_body(request, limits)
    encoding = request.headers.get("Content-Encoding")
    if encoding:
        if len(body) > SMALL // 16:
            return await asyncio.to_thread(inflate, body, encoding, limits.inflated)
        return inflate(body, encoding, limits.inflated)
    return body


async def read_large(request: web.Request, limits: Limits) -> bytes | bytearray:
    """Like ``read_body``, for a body of a hundred megabytes: nothing is copied while others wait."""
    if request.content_length is not None and request.content_length > limits.body:
        raise _too_large(limits)
    body, encoding = await _gathered(request, limits), request.headers.get("Content-Encoding")
    return body if not encoding else await asyncio.to_thread(inflate, bytes(body), encoding, limits.inflated)


async def _slow_body(request: web.Request, limits: Limits) -> bytes:
    return bytes(await _gathered(request, limits))


async def _gathered(request: web.Request, limits: Limits) -> bytearray:
    parts = bytearray()
    try:
        async with asyncio.timeout(request.app[DEADLINE]):
            while not request.content.at_eof():
                parts += await request.content.readany()
                if len(parts) > limits.body:
                    raise _too_large(limits)
    except TimeoutError:
        raise BadBody(408, "the body did not arrive in time", "Send it faster, or in smaller parts.") from None
    except web.RequestPayloadError as error:
        raise BadBody(400, f"the body's transfer is broken: {error}") from None
    return parts


def _too_large(limits: Limits) -> BadBody:
    return BadBody(413, f"the body is larger than {limits.body} bytes", "Send smaller requests, or use gzip.")


DEADLINE = web.AppKey("deadline", float)


async def read_json(request: web.Request, limits: Limits, kind: type[T], empty: T | None = None) -> T:
    """A JSON body as a checked struct: 400 not JSON, 415 content type, 422 naming the field. ``empty`` stands for no
    body at all, where that is allowed."""
    body = await read_body(request, limits)
    if not body and empty is not None:
        return empty
    if kind_of(request.headers.get("Content-Type", "")) != "json":
        raise BadBody(415, "one JSON object is wanted", "Send application/json.")
    check_utf8(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.strip("`.")
        raise BadBody(422, f"{field}: {message}" if field else message, extra={"field": field}) from None
    except RecursionError:
        raise BadBody(400, f"the body is nested deeper than {limits.depth} levels") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadBody(400, f"the body is not JSON: {plain_json_error(error)}") from None


def check_plain(value: Any, what: str, size: int, depth: int = 8) -> None:
    """What goes into the journal as free data: bounded in size and depth, numbers that fit 64 bits. Raises 422."""
    if _too_deep(value, depth):
        raise BadBody(422, f"{what} is nested deeper than {depth} levels", extra={"field": what})
    try:
        packed = msgspec.msgpack.encode(value)
    except OverflowError:
        raise BadBody(422, f"{what} has a number beyond 64 bits", extra={"field": what}) from None
    if len(packed) > size:
        raise BadBody(422, f"{what} has more than {size} bytes", extra={"field": what})


def _too_deep(value: Any, left: int) -> bool:
    if isinstance(value, (dict, list)):
        children = value.values() if isinstance(value, dict) else value
        return left == 0 or any(_too_deep(child, left - 1) for child in children)
    return False


# ------------------------------------------------------------------ query strings


def text_of(request: web.Request, name: str) -> str | None:
    """A query parameter, None when absent or empty; 400 when it could be no id of anything."""
    text = request.query.get(name) or None
    if text is not None and (len(text) > 200 or has_control(text)):
        raise Refused(400, f"{name} must have at most 200 characters and no control characters", extra={"field": name})
    return text


def named(request: web.Request, part: str) -> str:
    """An id from the path, 422 unless it could be one."""
    name = request.match_info[part]
    if not 0 < len(name) <= 200 or has_control(name):
        raise Refused(422, f"{part} must have 1 to 200 characters and no control characters", extra={"field": part})
    return name


def whole_of(request: web.Request, name: str, low: int, high: int) -> int | None:
    """A whole number from the query; 400 when it is none, or out of bounds."""
    text = text_of(request, name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18 or not low <= int(text) <= high:
        raise Refused(400, f"{name} must be a whole number from {low} to {high}", extra={"field": name})
    return int(text)


def number_of(request: web.Request, name: str, low: float, high: float) -> float | None:
    """A number from the query; 400 when it is none, or out of bounds."""
    text = text_of(request, name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise Refused(400, f"{name} must be a number from {low:g} to {high:g}", extra={"field": name})
    return number


def instant_of(request: web.Request, name: str) -> float | None:
    """Epoch seconds from the query: a number, or ISO 8601 with a time zone; 400 otherwise."""
    text = text_of(request, name)
    if text is None:
        return None
    value = instant(text)
    if value is None:
        fix = "Send epoch seconds or ISO 8601 with a time zone, such as 2026-11-24T08:15:00Z (write + as %2B)."
        raise Refused(400, f"{name} is not an instant", fix, extra={"field": name})
    return value


def instant(text: str) -> float | None:
    """Epoch seconds, or None when the text is no instant between 1900 and 5000."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            seconds = moment.timestamp() if moment.tzinfo else float("nan")
        except (ValueError, OverflowError):
            return None
    return seconds if -2_208_988_800.0 <= seconds <= 95_617_584_000.0 else None
