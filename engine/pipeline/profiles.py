"""Profile changes and who belongs to which device."""

from typing import TypeVar

from engine.decide import hand_over
from engine.model.person import Person, Profile
from engine.model.record import ProfileChange
from engine.pipeline.roster import zone_of
from engine.pipeline.state import CoreState

V = TypeVar("V")


def change(state: CoreState, record: ProfileChange, now: float) -> Person:
    """Apply a PUT (replace) or PATCH; None removes a key. Devices named here move to this person. A consent that was
    withdrawn stays so, whatever is replaced, until the key is told again."""
    person = state.people.get(record.person)
    if person is None:
        person = state.people[record.person] = Person(record.person)
    clock = zone_of(person)
    if record.replace:
        person.profile = Profile(consent={key: given for key, given in person.profile.consent.items() if not given})
    profile = person.profile
    _merge(profile.attributes, record.attributes)
    _merge(profile.consent, record.consent)
    profile.language = record.language if record.replace else record.language or profile.language
    profile.time_zone = record.time_zone if record.replace else record.time_zone or profile.time_zone
    if clock != zone_of(person):
        person.moved = (clock, now)
    if record.devices is not None:
        for device in [d for d in person.devices if d not in record.devices]:
            unlink(state, device)
        for device in record.devices:
            unlink(state, device)
            link(state, device, record.person)
    return person


def link(state: CoreState, device: str, person: str) -> bool:
    """Link an unlinked device; one that is linked stays where it is (re-linking is a profile change). Whether it was
    linked just now."""
    if device in state.links:
        return False
    state.links[device] = person
    held = state.people.get(person)
    if held is None:
        held = state.people[person] = Person(person)
    held.devices.append(device)
    _move_history(state, device, held)
    return True


def unlink(state: CoreState, device: str) -> None:
    """Forget to whom a device belongs. Where it is now it takes along: its owner would never leave."""
    owner = state.people.get(state.links.pop(device, ""))
    if owner is None:
        return
    if device in owner.devices:
        owner.devices.remove(device)
    present = [visit for visit in owner.stays if visit.device == device]
    if present and owner.id != device:
        owner.stays = [visit for visit in owner.stays if visit.device != device]
        alone = state.people.setdefault(device, Person(device))
        alone.stays = sorted(alone.stays + present, key=lambda v: (v.enter, v.fence, v.device))


def _move_history(state: CoreState, device: str, person: Person) -> None:
    """What an unlinked device lived through was lived by the person it turns out to belong to."""
    before = state.people.get(device)
    if before is None or before is person:
        return
    person.visits = sorted(person.visits + before.visits, key=lambda v: (v.enter, v.fence, v.device))
    person.events = sorted(person.events + before.events, key=lambda e: (e.at, e.event))
    person.sent = sorted(person.sent + before.sent, key=lambda s: (s.at, s.moment))
    before.visits, before.events, before.sent = [], [], []
    hand_over(before, person)


def _merge(held: dict[str, V], changes: dict[str, V | None]) -> None:
    for key, value in changes.items():
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value
