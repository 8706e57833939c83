"""What can be wrong with a template, and how far one may go."""

from engine.errors import HerenowError

MAX_SOURCE_BYTES = 10_000
MAX_TAG_CHARS = 500
MAX_TEXT_CHARS = 10_000  # of any value on the way
MAX_ITEMS = 1_000  # of any list, range or loop
MAX_NUMBER = 10**15
MAX_STEPS = 20_000
MAX_NESTING = 20
MAX_EXPRESSION_DEPTH = 40


class TemplateError(HerenowError):
    """A template cannot be read, or a message cannot be made of it. The message is then not sent."""


class TooMuch(TemplateError):
    """A template went beyond its bounds: too long, too large or too many steps."""
