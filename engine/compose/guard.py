"""How large values may be, what a step costs, and who counts: why no template can hang or fill the memory."""

from datetime import datetime
from typing import Any

from babel import Locale
from liquid.undefined import Undefined

from engine.compose.problems import MAX_ITEMS, MAX_NUMBER, MAX_STEPS, MAX_TEXT_CHARS, TemplateError, TooMuch

CHARS_PER_STEP = 64


class Job:
    """One rendering: the decision's instant in the person's zone, the language's locale, and the steps left.

    ``trial`` says that a template is only tried out: unknown values do no harm then, and count as ``truth`` in an if.
    """

    __slots__ = ("left", "locale", "now", "trial", "truth")

    def __init__(self, now: datetime, locale: Locale, trial: bool = False, truth: bool = False) -> None:
        self.now, self.locale, self.trial, self.truth = now, locale, trial, truth
        self.left = MAX_STEPS

    def charge(self, steps: int = 1) -> None:
        """Count; ``TooMuch`` when the steps are used up."""
        self.left -= steps
        if self.left < 0:
            raise TooMuch("It takes too many steps to fill in.", fix="Use fewer or shorter loops and filters.")


class Missing(Undefined):
    """A value that is not known. It may be asked about (``if``, ``default``) but not written."""

    __slots__ = ("harmless", "truth")
    force_liquid_default = True

    def __init__(self, name: str, harmless: bool = False, truth: bool = False, **_: Any) -> None:
        super().__init__(name)
        self.harmless, self.truth = harmless, truth

    def __liquid__(self) -> object:
        return True if self.truth else None

    def _used(self) -> None:
        if not self.harmless:
            fix = f"Write {{{{ {self.name} | default: 'something' }}}}, or ask {{% if {self.name} %}} first."
            raise TemplateError(f"{self.name} is unknown.", fix=fix)

    def __str__(self) -> str:
        self._used()
        return ""

    def __len__(self) -> int:
        self._used()
        return 0

    def __int__(self) -> int:
        self._used()
        return 0


def check_size(value: Any) -> int:
    """Refuse what is too large; else the steps that handling it costs."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARS:
            raise TooMuch(f"A text has more than {MAX_TEXT_CHARS} characters.", fix="Shorten it with truncate.")
        return len(value) // CHARS_PER_STEP
    if isinstance(value, range):
        check_range(value.start, value.stop - 1)
        return len(value) // CHARS_PER_STEP
    if isinstance(value, list | tuple):
        if len(value) > MAX_ITEMS:
            raise TooMuch(f"A list has more than {MAX_ITEMS} items.", fix="Use fewer.")
        total = sum(len(item) for item in value if isinstance(item, str))
        if total > MAX_TEXT_CHARS:
            raise TooMuch(f"A list holds more than {MAX_TEXT_CHARS} characters.", fix="Use fewer or shorter items.")
        return (len(value) + total) // CHARS_PER_STEP
    if isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:  # also NaN
        raise TooMuch("A number is too large.", fix=f"Stay within {MAX_NUMBER:.0e}.")
    return 0


def check_range(start: int, stop: int) -> None:
    """Refuse ``(start..stop)`` when it has too many numbers."""
    if stop - start >= MAX_ITEMS:
        fix = f"Use at most {MAX_ITEMS}."
        raise TooMuch(f"The range ({start}..{stop}) has more than {MAX_ITEMS} numbers.", fix=fix)
