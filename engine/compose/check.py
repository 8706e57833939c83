"""Is a template fit to be loaded? Read, then tried out: with nothing known, and with every question answered yes."""

from datetime import UTC, datetime

from babel import Locale
from liquid.exceptions import LiquidError, LiquidTypeError

from engine.compose.guard import Job
from engine.compose.problems import TemplateError
from engine.compose.simple import outputs
from engine.compose.templates import parse, said

_TRIAL = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)


def check_template(source: str) -> str | None:
    """None, or what is wrong and how to mend it, in one or two sentences. Always answers, quickly."""
    if outputs(source) is not None:
        return None  # text and plain names: nothing in it can go wrong
    try:
        _try_out(source)
    except TemplateError as error:
        return f"{error.problem} {error.fix}".strip()
    except LiquidError as error:
        return f"{said(error)}."
    except Exception as error:  # whatever a library makes of hostile text: an answer, never a crash
        return f"The template cannot be read: {type(error).__name__}. Write it more simply."
    return None


def _try_out(source: str) -> None:
    template = parse(source)
    for truth in (False, True):
        job = Job(_TRIAL, Locale("en"), trial=True, truth=truth)
        try:
            template.fill({}, job)
        except LiquidTypeError:
            # Unknown values compare with nothing; only what goes wrong with constants alone is the template's fault.
            continue
