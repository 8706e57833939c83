"""What holds for every test."""

from collections.abc import Iterator

import pytest

from engine.pipeline.faults import Faults
from engine.sense import Sense


@pytest.fixture(autouse=True)
def nothing_is_passed_over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The core goes on after an error of its own; a test must not, unless errors are what it is about (``faulty``)."""
    if request.node.get_closest_marker("faulty"):
        yield
        return
    met: list[Exception] = []
    note, failed = Faults.note, Sense._failed

    def noted(self: Faults, error: Exception, *args: object, **more: object) -> None:
        met.append(error)
        note(self, error, *args, **more)

    def sensed(self: Sense, record: int, device: str, error: Exception) -> None:
        met.append(error)
        failed(self, record, device, error)

    monkeypatch.setattr(Faults, "note", noted)
    monkeypatch.setattr(Sense, "_failed", sensed)
    yield
    if met:
        raise AssertionError(f"the core passed over {len(met)} error(s) of its own") from met[0]
