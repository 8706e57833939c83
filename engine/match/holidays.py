"""Public holidays, of a country or a part of it: data of the build, read only where a rule asks for it."""

from collections.abc import Callable
from datetime import date
from functools import cache
from importlib import import_module
from typing import Any


def calendar(code: str) -> Callable[[date], bool]:
    """Whether a date is a public holiday in ``DE`` or ``DE-BE``. ``LookupError`` where no such calendar is known."""
    country, _, part = code.partition("-")
    if part not in ("", *known()[country]):
        raise LookupError(code)
    return _calendar(country, part)


@cache
def known() -> dict[str, tuple[str, ...]]:
    """Every country, with the parts of it that have calendars of their own."""
    return {country: tuple(parts) for country, parts in _library().list_supported_countries().items()}


@cache
def _calendar(country: str, part: str) -> Callable[[date], bool]:
    held = _library().country_holidays(country, subdiv=part or None)
    return lambda day: day in held


@cache
def _library() -> Any:
    """Loading it takes a tenth of a second, which projects without holidays need not spend."""
    return import_module("holidays")
