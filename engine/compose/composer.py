"""Messages from rules: templates compiled once per release, filled in per decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from liquid.exceptions import LiquidError

from engine.compose.guard import Job
from engine.compose.problems import TemplateError, TooMuch
from engine.compose.simple import filled, outputs, roots, simple
from engine.compose.templates import is_plain, parse, said
from engine.model.moment import Message
from engine.model.release import Release
from engine.model.rule import MessageText, Rule

MAX_TITLE = 500
MAX_BODY = 4_000
MAX_LINK = 2_000
MAX_DATA_KEYS = 20
MAX_DATA_VALUE = 2_000
DEFAULT_LOCALE = Locale("en")

Fill = Callable[[Mapping[str, Any], Job], str]


@dataclass(frozen=True, slots=True)
class Texts:
    """The templates of one language, each with its name and its bound in characters."""

    title: Fill
    body: Fill
    link: Fill
    data: tuple[tuple[str, Fill], ...]
    locale: Locale
    language: str | None
    roots: frozenset[str] | None  # what the names that they write begin with; None: there is no telling


class Composer:
    """All messages of a release."""

    def __init__(self, texts: Mapping[str, Mapping[str, Texts]]) -> None:
        self._texts = texts

    @classmethod
    def compile(cls, release: Release) -> "Composer":
        """Read every template of a release; raises ``TemplateError`` naming the place of the first that is wrong."""
        shop = _Shop()
        return cls({rule.id: shop.texts(rule) for rule in release.rules})

    def roots(self, rule: Rule, language: str | None) -> frozenset[str] | None:
        """What the names begin with that the message may write; None: they may be any."""
        return _choose(self._texts[rule.id], language).roots

    def compose(
        self, rule: Rule, names: Mapping[str, Any], language: str | None, now: float, zone: ZoneInfo
    ) -> Message:
        """The message of a rule in the person's language, at journal time ``now`` in their zone.

        Raises ``TemplateError`` when a value it writes is unknown, when it comes out too long, or empty.
        """
        texts = _choose(self._texts[rule.id], language)
        job = Job(datetime.fromtimestamp(now, zone), texts.locale)
        try:
            title, body, link = texts.title(names, job), texts.body(names, job), texts.link(names, job)
            data = {key: fill(names, job) for key, fill in texts.data}
        except TemplateError as error:
            raise TemplateError(error.problem, error.where or rule.message.where, error.fix) from error
        if not title and not body:
            raise TemplateError("The message comes out empty.", rule.message.where, "Give it a title or a body.")
        return Message(title, body, link, data, texts.language)


class _Shop:
    """Compiles; equal sources are read once."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, str, int], Fill] = {}

    def texts(self, rule: Rule) -> dict[str, Texts]:
        """By language, lower case; "" is the text without one. What a language leaves out is taken from there."""
        spec, where = rule.message, rule.message.where
        out = {"": self._one(spec.text, MessageText(), None, where)}
        for language, text in spec.languages.items():
            out[_norm(language)] = self._one(text, spec.text, language, where)
        return out

    def _one(self, text: MessageText, fallback: MessageText, language: str | None, where: str) -> Texts:
        data = {**fallback.data, **text.data}
        if len(data) > MAX_DATA_KEYS:
            problem = f"The message has {len(data)} data fields; {MAX_DATA_KEYS} is the most."
            raise TooMuch(problem, where, "Send fewer.")
        title, body, link = text.title or fallback.title, text.body or fallback.body, text.link or fallback.link
        named = [roots(source) for source in (title, body, link, *data.values())]
        return Texts(
            self._fill("title", title, MAX_TITLE, where),
            self._fill("body", body, MAX_BODY, where),
            self._fill("link", link, MAX_LINK, where),
            tuple((key, self._fill(f"data.{key}", data[key], MAX_DATA_VALUE, where)) for key in data),
            _locale(language),
            language,
            None if None in named else frozenset(root for some in named for root in some or ()),
        )

    def _fill(self, name: str, source: str, most: int, where: str) -> Fill:
        key = (name, source, most)
        if key not in self._done:
            try:
                self._done[key] = _compile(name, source, most)
            except TemplateError as error:
                raise TemplateError(f"{name}: {error.problem}", where, error.fix) from error
        return self._done[key]


def _compile(name: str, source: str, most: int) -> Fill:
    if is_plain(source):
        fixed = _bounded(name, source, most)
        return lambda names, job: fixed
    easy = simple(source)
    template = parse(source) if outputs(source) is None else None  # a simple one is read when first needed

    def fill(names: Mapping[str, Any], job: Job) -> str:
        nonlocal template
        try:
            if easy is not None and (text := filled(easy, names, job)) is not None:
                return _bounded(name, text, most)
            if template is None:
                template = parse(source)
            return _bounded(name, template.fill(names, job), most)
        except TemplateError as error:
            raise TemplateError(f"{name}: {error.problem}".removeprefix(f"{name}: {name}: "), "", error.fix) from error
        except LiquidError as error:
            raise TemplateError(f"{name}: {said(error)}.") from error
        except Exception as error:  # whatever a library makes of odd values: no message, and the core goes on
            raise TemplateError(f"{name}: it cannot be filled in ({type(error).__name__}).") from error

    return fill


def _bounded(name: str, text: str, most: int) -> str:
    text = text.strip()
    if len(text) > most:
        problem = f"It comes out {len(text)} characters long; {most} is the most."
        raise TooMuch(problem, fix="Shorten it, for example with truncate.")
    return text


# ------------------------------------------------------------------ languages


def _choose(texts: Mapping[str, Texts], language: str | None) -> Texts:
    """The person's language, else its base ("de" for "de-AT"), else the text without a language."""
    wanted = _norm(language or "")
    while wanted:
        if wanted in texts:
            return texts[wanted]
        wanted = wanted.rpartition("-")[0]
    return texts[""]


def _norm(language: str) -> str:
    return language.replace("_", "-").strip().lower()


def _locale(language: str | None) -> Locale:
    """How dates and numbers are written; the text without a language, and unknown ones, are taken for English."""
    if language is None:
        return DEFAULT_LOCALE
    try:
        return Locale.parse(language.strip().replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return DEFAULT_LOCALE
