"""Rules tried before they ship: authored scenarios and generated days, played on the pure core with nothing sent."""

from engine.scenario.suite import Result, for_scenarios, run_all

__all__ = ["Result", "for_scenarios", "run_all"]
