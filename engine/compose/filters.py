"""The filters that templates may use: Liquid's own behind size guards, and date, money and number of ours."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from babel.numbers import UnknownCurrencyError, format_currency, format_decimal, validate_currency
from liquid import Environment
from liquid.exceptions import LiquidError

from engine.compose.dates import format_instant
from engine.compose.guard import Job, Missing, check_size
from engine.compose.problems import MAX_TEXT_CHARS, TemplateError, TooMuch

Filter = Callable[..., Any]

CASE = ("capitalize", "downcase", "upcase", "escape", "escape_once", "url_decode", "url_encode", "newline_to_br")
SPACE = ("lstrip", "rstrip", "strip", "strip_newlines", "squish")
PARTS = ("append", "prepend", "slice", "split", "truncate", "truncatewords", "remove", "remove_first", "remove_last")
REPLACE = ("replace", "replace_first", "replace_last")
NUMBERS = ("abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round", "times")
LISTS = ("compact", "concat", "first", "join", "last", "reverse", "size", "sort", "sort_natural", "sum", "uniq")
SEARCH = ("find", "has", "map", "reject", "where")


class HasJob(Protocol):
    """A render context of ours."""

    job: Job
    env: Environment


def allowed_filters() -> dict[str, Filter]:
    """Every filter by name."""
    stock: Mapping[str, Filter] = Environment().filters
    out = {name: _guarded(name, stock[name]) for name in (*CASE, *SPACE, *PARTS, *REPLACE, *LISTS, *SEARCH)}
    out |= {name: _guarded(name, _numeric(name, stock[name])) for name in NUMBERS}
    out["default"] = stock["default"]
    out |= {"date": _guarded("date", _date), "money": _guarded("money", _money), "number": _guarded("number", _number)}
    return out


def _guarded(name: str, inner: Filter) -> Filter:
    """Unknown values are named, not swallowed; what goes in and what comes out has a bounded size."""
    with_environment = getattr(inner, "with_environment", False)
    with_job = getattr(inner, "with_job", False)

    def run(left: Any, *args: Any, context: HasJob, **options: Any) -> Any:
        values = (left, *args, *options.values())
        for value in values:
            if isinstance(value, Missing):
                str(value)  # raises unless only tried out
                return value
        context.job.charge(1 + sum(check_size(value) for value in values) + _extra(name, values))
        if with_environment:
            options["environment"] = context.env
        if with_job:
            options["job"] = context.job
        result = _call(name, inner, left, args, options)
        if result is None:
            return Missing(f"the result of {name}", context.job.trial, context.job.truth)
        context.job.charge(check_size(result))
        return result

    run.with_context = True  # type: ignore[attr-defined]  # how the library knows to pass the context
    return run


def _call(name: str, inner: Filter, left: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    try:
        return inner(left, *args, **options)
    except TemplateError:
        raise
    except LiquidError as error:
        raise TemplateError(f"The filter {name} fails: {error.message}.", fix="Check what it is given.") from error
    except Exception as error:  # a library filter given odd values: never a crash
        raise TemplateError(f"The filter {name} cannot work on {str(left)[:60]!r}.", fix="Check the value.") from error


def _extra(name: str, values: tuple[Any, ...]) -> int:
    """Refuse results too large before they are made; count what costs more than its size."""
    left = values[0]
    if name in REPLACE and len(values) > 2:
        text, old, new = (str(value) for value in values[:3])
        times = (len(text) + 1 if old == "" else text.count(old)) if name == "replace" else 1
        if len(text) + times * len(new) > MAX_TEXT_CHARS + len(old) * times:
            raise TooMuch(f"replace makes a text of more than {MAX_TEXT_CHARS} characters.", fix="Replace less.")
    items = len(left) if isinstance(left, list | tuple | range) else 0
    if name == "join" and len(values) > 1 and items * len(str(values[1])) > MAX_TEXT_CHARS:
        raise TooMuch(f"join makes a text of more than {MAX_TEXT_CHARS} characters.", fix="Join less.")
    return items * items // 64 if name == "uniq" else 0


def _numeric(name: str, inner: Filter) -> Filter:
    """Liquid takes text that is no number for 0; a price of 0 is not what anybody meant."""

    def run(left: Any, *args: Any) -> Any:
        for value in (left, *args):
            to_decimal(name, value)
        return inner(left, *args)

    return run


def to_decimal(name: str, value: Any) -> Decimal:
    """A number, or text that is one; raises ``TemplateError`` for anything else."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise TemplateError(f"The filter {name} needs a number and got {str(value)[:60]!r}.", fix="Check the value.")


def _with_job(inner: Filter) -> Filter:
    inner.with_job = True  # type: ignore[attr-defined]
    return inner


@_with_job
def _date(value: Any, form: Any = None, *, job: Job) -> str:
    return format_instant(value, form, job.now, job.locale)


@_with_job
def _money(value: Any, currency: Any = None, *, job: Job) -> str:
    if not isinstance(currency, str) or len(currency) != 3 or not currency.isalpha():
        raise TemplateError("The money filter needs a currency.", fix="Write for example | money: 'EUR'.")
    amount = to_decimal("money", value)
    try:
        validate_currency(currency.upper())
        return str(format_currency(amount, currency.upper(), locale=job.locale))
    except UnknownCurrencyError as error:
        raise TemplateError(f"There is no currency {currency!r}.", fix="Use its ISO code, such as EUR.") from error


@_with_job
def _number(value: Any, *, job: Job) -> str:
    return str(format_decimal(to_decimal("number", value), locale=job.locale))
