"""The expression language of conditions: ``NAME OP VALUE`` joined by and, or, not and parentheses. A Pratt parser.

What stands left of an operator is a dotted name, a number or arithmetic of them; bare words on the right are text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from engine.author.report import TextError, clip
from engine.author.tokens import COMPARISONS, END, NAME, NUMBER, OP, TEXT, WORD, Token, tokenize
from engine.author.words import ROOTS, likely_name, root_fix, wrong_field
from engine.model.rule import Arith, Compare, Expr, Literal_, Logic, Name, Not

MAX_LENGTH = 2000
MAX_DEPTH = 24
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN = 1, 2, 3, 4, 5, 6, 7
_ORDERS = ("<", "<=", ">", ">=")
_PART = re.compile(r"\w+(?:-\w+)*")
_SIMPLE = re.compile(  # what most lines are, read at a look: profile.tier = gold, fence.weather.temp_c < 12
    r"((?:profile|context|fence|event|global)(?:\.[a-z_][a-z0-9_]*)+) "
    r"(=|!=|(?:<=|>=|<|>)(?= [0-9])) (?:([a-z_]+)|((?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?))"
)
_NOT_TEXT = frozenset(("and", "or", "not", "in", "contains", "between", "exists", "true", "false", "null"))
_VALUE_FIX = "Write for example profile.tier = gold, or fence.weather.temp_c < 12."


class ExpressionError(TextError):
    """An expression is wrong. ``column`` counts from 1 within its text."""

    def __init__(self, column: int, problem: str, fix: str = "", edit: tuple[str, str] | None = None) -> None:
        super().__init__(problem, fix, column - 1, edit)
        self.column = column


def parse(text: str, fields: Sequence[str] = (), root: str | None = None) -> Expr:
    """Parse one expression. ``fields`` are declared names to offer for a bare one, ``root`` the likeliest first part.

    Raises ``ExpressionError`` with the column (from 1), the problem and the fix.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            1, f"The expression is longer than {MAX_LENGTH} characters.", "Split it into several lines."
        )
    try:
        return _parse(text, tuple(fields), root)
    except TextError as error:
        raise ExpressionError(error.column + 1, error.problem, error.fix, error.edit) from error


@lru_cache(maxsize=16_384)  # the same line stands in many rules
def _parse(text: str, fields: tuple[str, ...], root: str | None) -> Expr:
    simple = _SIMPLE.fullmatch(text)
    if simple is None or simple[3] in _NOT_TEXT:
        return _Parser(text, fields, root).parse()
    name, op, word, number = simple.groups()
    value: str | float = word if number is None else float(number) if "." in number else int(number)
    return Compare(op, Name(tuple(name.split("."))), Literal_(value))


class _Parser:
    def __init__(self, text: str, fields: Sequence[str], root: str | None) -> None:
        self.text, self.fields, self.root = text, fields, root
        self.tokens, self.at, self.depth = tokenize(text), 0, 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += token.kind != END
        return token

    def accept(self, *words: str) -> bool:
        """Take the next tokens if they are these operators or words."""
        following = self.tokens[self.at : self.at + len(words)]
        if all(t.kind in (OP, WORD) and t.key == w for t, w in zip(following, words, strict=False)):
            self.at += len(words)
            return True
        return False

    def parse(self) -> Expr:
        if self.token.kind == END:
            raise TextError("The expression is empty.", _VALUE_FIX)
        expr = self.boolean(self.expression(0), 0)
        if self.token.kind != END:
            raise self.unexpected(self.token)
        return expr

    # -------------------------------------------------------------- Pratt

    def expression(self, least: int) -> Expr:
        """An expression whose operators bind more tightly than ``least``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TextError(
                f"The nesting is deeper than {MAX_DEPTH}.", "Use any_of, all_of and none_of.", self.token.column
            )
        start = self.token.column
        left = self.prefix()
        while True:
            power = self.power()
            if power <= least:
                break
            left = self.infix(left, power, start)
        self.depth -= 1
        return left

    def power(self) -> int:
        """How tightly the operator at hand binds (0: it is none)."""
        token = self.token
        if token.kind not in (OP, WORD):
            return 0
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)].key
        if token.key == "not" and following not in ("in", "contains", "between", "exists"):
            return 0
        return _POWERS.get(token.key, 0)

    def prefix(self) -> Expr:
        token = self.take()
        if token.kind == NUMBER:
            return Literal_(token.number)
        if token.kind == OP and token.key == "(":
            inner = self.expression(0)
            if not self.accept(")"):
                raise TextError("A ) is missing.", f"Close the ( of column {token.column + 1}.", self.token.column)
            return inner
        if token.kind == WORD and token.key == "not":
            column = self.token.column
            return Not(self.boolean(self.expression(_NOT), column))
        if token.kind == OP and token.key == "-":
            return self.negative(token)
        if token.kind == NAME:
            return self.name(token)
        if token.kind == TEXT and self.power() in (_COMPARE,):
            raise TextError("A text cannot stand on the left.", "Put the name on the left: NAME = VALUE.", token.column)
        raise self.unexpected(token)

    def negative(self, token: Token) -> Expr:
        item = self.number(self.expression(_SIGN), token.column)
        if isinstance(item, Literal_):
            return Literal_(-item.value)
        return Arith("-", Literal_(0), item)

    def infix(self, left: Expr, power: int, start: int) -> Expr:
        token = self.take()
        if power in (_OR, _AND):
            return self.logic(token, left, power, start)
        if power in (_SUM, _PRODUCT):
            column = self.token.column
            right = self.number(self.expression(power), column)
            return Arith(token.key, self.number(left, start), right)
        return self.comparison(token, self.value(left, start))

    def logic(self, token: Token, left: Expr, power: int, start: int) -> Expr:
        op = "and" if power == _AND else "or"
        column = self.token.column
        right = self.boolean(self.expression(power), column)
        left = self.boolean(left, start)
        items = left.items if isinstance(left, Logic) and left.op == op else (left,)
        return Logic("and" if op == "and" else "or", (*items, right))

    # -------------------------------------------------------------- comparisons

    def comparison(self, token: Token, left: Expr) -> Expr:
        op = token.key
        if op == "not":
            inner = self.take()
            if inner.key == "in":
                return self.once(Compare("not-in", left, self.listed()))
            return Not(self.comparison(inner, left))
        if op == "exists":
            if not isinstance(left, Name):
                raise TextError("Only a name can exist.", "Write for example profile.tier exists.", token.column)
            return self.once(Compare("exists", left, None))
        if op == "in":
            return self.once(Compare("in", left, self.listed()))
        if op == "between":
            return self.once(Compare("between", left, self.between(token)))
        column = self.token.column
        right = self.right()
        if op in _ORDERS and isinstance(right, Literal_) and not _ordered(right.value):
            raise TextError(f"'{op}' compares numbers, not '{clip(str(right.value))}'.", "Put a number there.", column)
        return self.once(Compare(op, left, right))

    def once(self, compare: Compare) -> Compare:
        """A comparison of a comparison is a mistake."""
        if self.power() == _COMPARE:
            raise TextError("Two comparisons follow each other.", "Join them with 'and'.", self.token.column)
        return compare

    def right(self) -> Expr:
        """What stands right of an operator: a name, a number or arithmetic; else a text of one or more words."""
        token = self.token
        if token.kind == NUMBER or (token.kind == OP and token.key in "-("):
            return self.after_number(token)
        if token.kind == NAME and token.path[0] in ROOTS and len(token.path) > 1:
            return self.value(self.expression(_COMPARE), token.column)
        return Literal_(self.item())

    def after_number(self, token: Token) -> Expr:
        """Arithmetic; or a text that begins with a number (``10 Downing Street``)."""
        start = self.at
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind == NUMBER and following.kind in (NAME, NUMBER, TEXT):
            return Literal_(self.item())
        self.at = start
        return self.number(self.expression(_COMPARE), token.column)

    def listed(self) -> Literal_:
        """``a, b, 3``, with or without parentheses."""
        wrapped = self.accept("(")
        first = self.token
        if first.kind == NAME and first.path[0] in ROOTS and len(first.path) > 1:
            fix = "To look into a list that a name holds, write: LIST contains VALUE."
            raise TextError("'in' needs the values themselves.", fix, first.column)
        values = [self.item()]
        while self.accept(","):
            values.append(self.item())
        if wrapped and not self.accept(")"):
            raise TextError("A ) is missing.", "Close the list.", self.token.column)
        return Literal_(tuple(values))

    def between(self, token: Token) -> Literal_:
        fix = "Write for example between 3 and 5."
        column = self.token.column
        low = self.item()
        if not self.accept("and"):
            raise TextError("'between' needs two values joined by 'and'.", fix, self.token.column)
        high = self.item()
        if not (_ordered(low) and _ordered(high)) or isinstance(low, str) != isinstance(high, str):
            raise TextError("'between' needs two numbers.", fix, column)
        if (isinstance(low, str) and low > str(high)) or (not isinstance(low, str) and low > float(high)):
            raise TextError(
                "The first value is the greater one: nothing is between.", f"Write: between {high} and {low}", column
            )
        return Literal_((low, high))

    def item(self) -> str | float | bool:
        """One constant: a quoted text, a number, true or false, or bare words up to the next operator."""
        token = self.take()
        if token.kind == TEXT:
            return token.text
        if token.kind == OP and token.key == "-" and self.token.kind == NUMBER:
            return -self.take().number
        if token.kind not in (NAME, NUMBER):
            raise self.no_value(token)
        last = token
        while self.token.kind in (NAME, NUMBER):
            last = self.take()
        if last is token and token.kind == NUMBER:
            return token.number
        word = self.text[token.column : last.end]
        if word in ("true", "false"):
            return word == "true"
        if word == "null":
            raise TextError("There is no null.", "Write NAME exists, or not NAME exists.", token.column)
        return word

    # -------------------------------------------------------------- kinds and complaints

    def name(self, token: Token) -> Expr:
        if token.path[0] not in ROOTS or len(token.path) < 2:
            word = ".".join(token.path)
            problem = f"'{clip(word)}' alone is no name." if len(token.path) < 2 else root_fix(token.path[0])
            if self.at > 1 and self.tokens[self.at - 2].key == "or":
                raise TextError(problem, f"For several values write: NAME in a, {clip(word)}.", token.column)
            full = likely_name(token.path, self.fields, self.root)
            raise TextError(problem, f"Did you mean {full}? Names begin with {', '.join(ROOTS)}.", token.column)
        if not all(_PART.fullmatch(part) for part in token.path):
            raise TextError(f"'{clip(token.text)}' is no name.", "Names are words joined by dots.", token.column)
        if (fix := wrong_field(token.path)) is not None:
            raise TextError(f"There is no '{clip('.'.join(token.path))}'.", fix, token.column)
        return Name(token.path)

    def boolean(self, expr: Expr, column: int) -> Expr:
        if isinstance(expr, (Compare, Logic, Not)):
            return expr
        named = ".".join(expr.path) if isinstance(expr, Name) else "This"
        example = f"{named} = true" if isinstance(expr, Name) else "profile.visits > 3"
        raise TextError(f"{named} is compared with nothing.", f"Write for example {example}.", column)

    def value(self, expr: Expr, column: int) -> Expr:
        if isinstance(expr, (Compare, Logic, Not)):
            raise TextError("A comparison cannot be compared again.", "Join the two with 'and'.", column)
        return expr

    def number(self, expr: Expr, column: int) -> Expr:
        if isinstance(expr, (Name, Arith)) or (isinstance(expr, Literal_) and not isinstance(expr.value, (str, tuple))):
            return expr
        raise TextError("Only numbers can be reckoned with.", "Use + - * / between names and numbers.", column)

    def no_value(self, token: Token) -> TextError:
        if token.kind == END:
            return TextError("The value is missing at the end.", _VALUE_FIX, token.column)
        fix = f"To mean the word itself, put quotes round it: '{token.text}'."
        return TextError(f"A value is missing before '{clip(token.text)}'.", fix, token.column)

    def unexpected(self, token: Token) -> TextError:
        if token.kind == END:
            return TextError("Something is missing at the end.", _VALUE_FIX, token.column)
        if token.key == ",":
            return TextError(
                "A comma cannot be here.", "Use 'in' for several values: profile.tier in gold, silver.", token.column
            )
        if token.key == ")":
            return TextError("There is a ) too many.", "Delete it.", token.column)
        fix = "Join comparisons with 'and' or 'or'." if token.kind != OP else _VALUE_FIX
        return TextError(f"'{clip(token.text)}' cannot be here.", fix, token.column)


_POWERS = dict.fromkeys((*COMPARISONS, "in", "not", "contains", "between", "exists"), _COMPARE)
_POWERS |= {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


def _ordered(value: object) -> bool:
    """Numbers have an order; so have dates and times written big-endian (2026-11-02, 08:30)."""
    if isinstance(value, str):
        return value[:1].isdigit() and all(c.isdigit() or c in "-:T.Z+" for c in value)
    return not isinstance(value, bool)
