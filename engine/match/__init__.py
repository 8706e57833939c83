"""Which rules a cause wakes, and whether their conditions hold: True, False, or unknown."""

from engine.match import history
from engine.match.matcher import CompiledRule, Matcher, decisive
from engine.match.situation import Situation, Truth, World

__all__ = ["CompiledRule", "Matcher", "Situation", "Truth", "World", "decisive", "history"]
