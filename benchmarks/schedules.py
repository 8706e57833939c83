"""How long a schedule for everybody holds up signals: ``python -m benchmarks.schedules [PEOPLE]``.

Prints the longest step (processor time) and the cost of each person, while one rule is due for all of them and its
conditions hold for everybody, or for nobody.
"""

import gc
import sys
import time

from engine.author.project import Bundle
from engine.model.record import Frame, Genesis, ProfileChange, Record, ReleaseChange, Tick
from engine.model.release import DecidePolicy, Policy
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all

PEOPLE = 200_000
NOON = 1_795_521_600.0  # 2026-11-24 12:00 UTC
RULES = """
rules:
  lunch:
    purpose: service
    when:
      schedule: every day at 12:00
    only_if:
      - profile.tier = gold
    message:
      send_within: 8 hours
      title: "Lunch, {{ profile.name }}"
"""


def main(people: int) -> None:
    """One run with everybody, one with nobody in the segment."""
    for name, tier in (("everybody is told", "gold"), ("nobody is", "tin")):
        policy = Policy(decide=DecidePolicy(quiet_hours=None), sends_per_minute=10**9)
        bundle = Bundle({"rules/all.yaml": RULES.encode()}, policy)
        core = Core({bundle.hash: compile_all(bundle)[0]})
        records: list[Record] = [Genesis("p", "salt", 1), ReleaseChange(bundle.hash)]
        records += [ProfileChange(f"p{n:07d}", True, {"tier": tier, "name": f"n{n}"}) for n in range(people)]
        core.step([Frame(0, NOON - 60.0, records)])
        gc.collect()
        gc.disable()  # a pass of the collector over this many people takes longer than any slice, whoever causes it
        steps, moments, now = [], 0, NOON
        due: list[Record] = [*core.schedules.due(now)]
        while due:
            began = time.thread_time()
            moments += len(core.step([Frame(core.state.offset, now, due)]).moments)
            steps.append(time.thread_time() - began)
            coming = core.firings.next_due()
            now, due = (coming or now), ([Tick()] if coming is not None else [])
        gc.enable()
        total, longest = sum(steps), max(steps) * 1e3
        each = total / people * 1e6
        print(f"{name}: {people} people, {moments} moments, {len(steps)} steps; ", end="")
        print(f"longest {longest:.1f} ms, {each:.1f} µs for each person")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE)
