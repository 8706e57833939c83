"""durable-rules, used only in the way that measured safe (docs/reference/config.md): rulesets made once and never
deleted, one session, one flat fact at a time, asserted and then retracted, and no thread, clock or timer of its own.

There is one host for the process. Rules of the same shape share one place in it, and every release does: a release
that is compiled again adds nothing.
"""

import json
from functools import lru_cache
from itertools import cycle
from threading import Lock
from typing import Any

import durable_rules_engine
from durable.engine import Host, MessageNotHandledException, Ruleset

from engine.match.durable_facts import Scalar

RULES_PER_SET = 64  # it tests at most 64 for one fact, and goes wrong beyond some 400 in a set
SESSION = "s"
IDS = tuple(f"f{i}" for i in range(10_000))  # one fact lives at a time, beside the session's own ("sid-s")

Place = tuple[str, str]
"""A ruleset and a rule in it."""


class _Rules(Ruleset):  # type: ignore[misc]  # durable-rules is untyped
    """A ruleset that notes what fired. The actions of durable-rules itself go by the wall clock: one that the machine
    interrupts for ten seconds would never be completed, and block the session for a minute."""

    fired: list[str]

    def do_actions(self, state: int, complete: Any) -> None:
        """Drain what the last fact set off."""
        self.fired = []
        started = durable_rules_engine.start_action_for_state(self._handle, state)
        messages = started and started[1]
        while messages:
            self.fired.append(next(iter(json.loads(messages))))
            messages = durable_rules_engine.complete_and_start_action(self._handle, state)
        complete(None, None)


class DurableHost(Host):  # type: ignore[misc]  # durable-rules is untyped
    """All rulesets of the process. Safe to use from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[str, Place] = {}
        self._definitions: dict[str, dict[str, str]] = {}
        self._ids = cycle(IDS)
        self._making = Lock()
        self._asking = Lock()

    def _run(self) -> None:
        """Starts nothing: the threads of durable-rules serve its timers, which are not used."""

    def register_rulesets(self, ruleset_definitions: dict[str, Any]) -> list[str]:
        """Make rulesets, in place of those of the same name."""
        for name, definition in ruleset_definitions.items():
            self._ruleset_directory[name] = _Rules(name, self, definition)
        return list(ruleset_definitions)

    def places(self, shapes: list[str]) -> list[Place]:
        """Where each shape stands; those never seen are put into new rulesets. Nobody who asks waits for it."""
        with self._making:
            new = [shape for shape in dict.fromkeys(shapes) if shape not in self._places]
            for start in range(0, len(new), RULES_PER_SET):
                name = f"g{len(self._definitions)}"
                self._definitions[name] = {f"r{i}": s for i, s in enumerate(new[start : start + RULES_PER_SET])}
                self._make(name)
                self._places.update((shape, (name, rule)) for rule, shape in self._definitions[name].items())
            return [self._places[shape] for shape in shapes]

    def fires(self, place: Place, values: dict[str, Scalar]) -> bool:
        """Whether the rule fires for a fact of these values. The fact names the rule: no other one can fire."""
        name, rule = place
        with self._asking:
            fact = {"id": next(self._ids), "sid": SESSION, rule: 1, **values}
            try:
                self.assert_fact(name, fact)
                fired = rule in self._ruleset_directory[name].fired
                self.retract_fact(name, fact)
            except MessageNotHandledException:
                return False  # nothing was kept of it
            except BaseException:
                self._make(name)  # whatever it left behind must not answer for the next fact
                raise
            return fired

    def _make(self, name: str) -> None:
        self.register_rulesets({name: {rule: _rule(rule, s) for rule, s in self._definitions[name].items()}})


@lru_cache(maxsize=1)
def host() -> DurableHost:
    """The host of this process."""
    return DurableHost()


def _rule(name: str, shape: str) -> dict[str, Any]:
    tests = [{name: 1}, *json.loads(shape)]
    return {"all": [{"m": {"$and": tests}}], "run": _noted}


def _noted(c: Any) -> None:
    """``_Rules`` notes the name of what fires."""
