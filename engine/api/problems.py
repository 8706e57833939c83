"""RFC 9457 problem+json: every refusal names the problem and, where there is one, the fix."""

import http
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import web

from engine.errors import Busy, HerenowError, StoreError
from engine.ingest.body import BadBody

log = structlog.get_logger("herenow.api")
_encode = msgspec.json.Encoder().encode
SERVER = "herenow"


class Refused(BadBody):
    """A request is refused: as ``BadBody``, with headers where the status wants some."""

    def __init__(
        self,
        status: int,
        problem: str,
        fix: str = "",
        extra: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, problem, fix, extra)
        self.headers = dict(headers or {})


def problem_document(status: int, detail: str, fix: str = "", **extra: Any) -> dict[str, Any]:
    """The members of a problem document; also what a WebSocket error frame carries."""
    told = detail.encode("utf-8", "backslashreplace").decode()  # a path need not be UTF-8
    document: dict[str, Any] = {"type": "about:blank", "title": title_of(status), "status": status, "detail": told}
    if fix:
        document["fix"] = fix
    return document | extra


def title_of(status: int) -> str:
    """The standard words for a status."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem(
    status: int, detail: str, fix: str = "", headers: Mapping[str, str] | None = None, **extra: Any
) -> web.Response:
    """A problem response."""
    response = web.Response(
        status=status,
        body=_encode(problem_document(status, detail, fix, **extra)),
        content_type="application/problem+json",
        headers={"Server": SERVER, "Cache-Control": "no-store", **(headers or {})},
    )
    if status in (408, 413):
        response.force_close()  # what is left of the body is not waited for
    return response


def document_of(error: Exception) -> dict[str, Any]:
    """Any exception as a problem document. What is unexpected is logged, and told without its inside."""
    if isinstance(error, BadBody):
        return problem_document(error.status, error.problem, error.fix, **error.extra)
    if isinstance(error, Busy):
        return problem_document(429, f"too much at once: {error.problem}", "Send it again after Retry-After seconds.")
    if isinstance(error, StoreError):
        return problem_document(503, f"the store cannot take this now: {error.problem}", error.fix or "Send it again.")
    if isinstance(error, HerenowError):
        return problem_document(422, error.problem, error.fix)
    if isinstance(error, web.HTTPException):
        return problem_document(error.status, error.reason)
    log.error("unexpected error", error=repr(error), exc_info=error)
    return problem_document(500, "an unexpected error; it was logged")


def problem_of(error: Exception) -> web.Response:
    """Any exception as a problem response."""
    document = document_of(error)
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(max(1, math.ceil(error.after)))
    elif document["status"] == 503:
        headers["Retry-After"] = "1"
    status, detail = document.pop("status"), document.pop("detail")
    extra = {key: value for key, value in document.items() if key not in ("type", "title", "fix")}
    return problem(status, detail, document.get("fix", ""), headers, **extra)
