"""One-time codes of an offer: who has which.

A person has one code of an offer and keeps it: every message of that offer says it again (a reminder does not cost a
second one). Codes are given in the order of their file. One goes back only when nothing that says it may have left the
house; it is given again only once no code is left that nobody ever had.
"""

from msgspec import Struct, field

from engine.model.moment import Check
from engine.model.person import Person
from engine.model.reason import Reason
from engine.model.rule import Offer

STEP = 5
TEST_CODE = "TEST"  # what test people are told: theirs would be gone for somebody else


class Given(Struct, array_like=True):
    """Of one offer: every code that somebody ever had, and those of them that came back, oldest first."""

    codes: dict[str, None] = field(default_factory=dict)
    back: dict[str, None] = field(default_factory=dict)

    @property
    def out(self) -> int:
        """How many people have."""
        return len(self.codes) - len(self.back)


class Drawer:
    """Finds the next code of an offer. How far each file is used up is remembered here, and nothing else: codes that
    were given stay in ``Given.codes``, so it only ever goes on."""

    def __init__(self, given: dict[str, Given]) -> None:
        self._given = given
        self._at: dict[str, int] = {}
        self._all: dict[str, frozenset[str]] = {}

    def ask(self, person: Person, offer: Offer) -> tuple[str, list[Check]]:
        """The person's code, or the next free one, with its checks; nothing is taken. Empty: there is none."""
        if own := own_code(person, offer.id):
            return own, [Check("code", True, own, "a code of their own", note="as before", step=STEP)]
        given = self._given.get(offer.id) or Given()
        checks = []
        if offer.stock is not None:
            left = offer.stock - given.out
            reason = None if left > 0 else Reason.OUT_OF_STOCK
            checks.append(Check("stock", left > 0, left, "at least 1 left", reason=reason, step=STEP))
            if left <= 0:
                return "", checks
        code = self._next(offer, given)
        reason = None if code else Reason.OUT_OF_STOCK
        return code, [*checks, Check("code", bool(code), code or None, "a code of their own", reason=reason, step=STEP)]

    def _next(self, offer: Offer, given: Given) -> str:
        at, codes = self._at.get(offer.id, 0), offer.codes
        while at < len(codes) and codes[at] in given.codes:
            at += 1
        self._at[offer.id] = at
        if at < len(codes):
            return codes[at]
        known = self._all.get(offer.id)
        if known is None:
            known = self._all[offer.id] = frozenset(codes)
        return next((code for code in given.back if code in known), "")


def own_code(person: Person, offer: str) -> str:
    """The code of this offer that the person has; empty: none."""
    return next(iter(person.codes.get(offer, ())), "")


def take(person: Person, given: dict[str, Given], offer: str, code: str) -> None:
    """One more message says this code to this person."""
    of = given.setdefault(offer, Given())
    of.codes[code] = None
    of.back.pop(code, None)
    theirs = person.codes.setdefault(offer, {})
    theirs[code] = theirs.get(code, 0) + 1


def release(person: Person, given: dict[str, Given], offer: str, code: str) -> None:
    """A message that said this code did not go: without another one that did, or may yet, the code is free."""
    theirs = person.codes.get(offer, {})
    theirs[code] = theirs.get(code, 0) - 1
    if theirs[code] <= 0:
        del theirs[code]
        given.setdefault(offer, Given()).back[code] = None
    if not theirs:
        person.codes.pop(offer, None)


def hand_over(before: Person, person: Person) -> None:
    """What a device was told, its person knows; of two codes of one offer the person's own stays the first."""
    for offer, codes in before.codes.items():
        theirs = person.codes.setdefault(offer, {})
        for code, messages in codes.items():
            theirs[code] = theirs.get(code, 0) + messages
    before.codes = {}
