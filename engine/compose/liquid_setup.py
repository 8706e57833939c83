"""Liquid as templates have it here: few tags, guarded filters, everything bounded, no clock and no files."""

from collections.abc import Mapping
from io import StringIO
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, RenderContext, Token
from liquid.builtin import content, illegal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags import (
    assign_tag,
    capture_tag,
    case_tag,
    comment_tag,
    for_tag,
    if_tag,
    inline_comment_tag,
    unless_tag,
)
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from engine.compose.filters import allowed_filters
from engine.compose.guard import Job, Missing, check_range, check_size
from engine.compose.problems import MAX_NESTING, MAX_TEXT_CHARS, TemplateError

TAGS = (
    content.Literal,
    illegal.Illegal,
    if_tag.IfTag,
    unless_tag.UnlessTag,
    case_tag.CaseTag,
    for_tag.ForTag,
    for_tag.BreakTag,
    for_tag.ContinueTag,
    assign_tag.AssignTag,
    capture_tag.CaptureTag,
    comment_tag.CommentTag,
    inline_comment_tag.InlineCommentTag,
)
BLOCKS = ("if", "unless", "case", "for", "capture", "comment")
INNER = ("elsif", "else", "when", "break", "continue", "assign", "#")
TAG_NAMES = (*BLOCKS, *(f"end{name}" for name in BLOCKS), *INNER)


class Template(BoundTemplate):
    """A parsed template; ``weight`` is the number of its nodes, what one turn of a loop may cost."""

    weight: int = 1

    def fill(self, names: Mapping[str, Any], job: Job) -> str:
        """Render with these names; raises ``TemplateError`` or a ``LiquidError``."""
        known = {**names, "now": job.now, "today": job.now.date()}
        context = Context(self, globals=known)
        context.job = job
        buffer: StringIO = self._get_buffer()
        self.render_with_context(context, buffer)
        return buffer.getvalue()


class Context(RenderContext):
    """Looks names up without swallowing what is unknown, and counts every step."""

    __slots__ = ("job",)
    job: Job

    def get(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """The value at ``path``, or ``Missing``; None is unknown too."""
        self.job.charge()
        try:
            value: object = self.scope[str(path[0])]
            for part in path[1:]:
                if isinstance(part, Missing):
                    return part
                value = self.get_item(value, part)
        except (KeyError, TypeError, IndexError):
            value = None
        if value is None:
            return Missing(".".join(map(str, path)), self.job.trial, self.job.truth)
        return value

    def assign(self, key: str, val: Any) -> None:
        """Keep a value under a name; large ones are refused."""
        self.job.charge(1 + check_size(val))
        super().assign(key, val)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Called when a loop begins: all its turns are paid for at once."""
        check_range(1, length)
        weight = self.template.weight if isinstance(self.template, Template) else 1
        self.job.charge(length * (1 + weight // 10))


class WholeOutputNode(OutputNode):
    """``{{ … }}``: writes text, numbers, true/false and lists of them; refuses what has no sensible text."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        items = value if isinstance(value, list | tuple) else (value,)
        if value is None or any(isinstance(item, Mapping) and not isinstance(item, Missing) for item in items):
            raise TemplateError(f"{self.expression} is no text.", fix="Name one of its values, as in profile.city.")
        check_size(value)
        text = "".join(to_liquid_string(item, autoescape=False) for item in items)
        return buffer.write(text)


class WholeOutput(Output):
    """The pseudo tag of ``{{ … }}``."""

    node_class = WholeOutputNode


class BoundedStop(Expression):
    """The end of a range, refused while it is still a number when the range is too long."""

    __slots__ = ("start", "stop")

    def __init__(self, start: Expression, stop: Expression) -> None:
        super().__init__(stop.token)
        self.start, self.stop = start, stop

    def evaluate(self, context: RenderContext) -> object:
        start, stop = self.start.evaluate(context), self.stop.evaluate(context)
        for end in (start, stop):
            if isinstance(end, Missing):
                str(end)
                return 0
        if not all(isinstance(end, int | float | str) for end in (start, stop)):
            raise TemplateError("A range needs two whole numbers.", fix="Write for example (1..5).")
        check_range(_whole(start), _whole(stop))
        return stop

    def children(self) -> list[Expression]:
        return [self.start, self.stop]


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (ValueError, OverflowError) as error:
        raise TemplateError(f"A range needs two whole numbers, not {str(value)[:60]!r}.") from error


class HouseEnvironment(Environment):
    """Only what is listed above."""

    block_nesting_limit = MAX_NESTING
    output_stream_limit = MAX_TEXT_CHARS * 4  # bytes; the composer checks characters per field
    local_namespace_limit = 20 * MAX_TEXT_CHARS
    template_class = Template

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Called by the library when it is made."""
        for tag in (*TAGS, WholeOutput):
            self.add_tag(tag)
        for name, function in allowed_filters().items():
            self.add_filter(name, function)


ENVIRONMENT = HouseEnvironment(undefined=Missing)
