"""Dates, money and numbers: by the decision's instant, in the person's zone and the message's language."""

from collections.abc import Callable

import pytest

from engine.compose import TemplateError
from engine.model.moment import Message
from engine.model.rule import MessageText

Title = Callable[..., str]
Compose = Callable[..., Message]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_now_is_the_decisions_instant_in_the_persons_zone(title: Title, zone: str) -> None:
    expected = {"UTC": "08:15", "Europe/Berlin": "09:15", "America/New_York": "03:15", "Asia/Kolkata": "13:45"}[zone]
    assert title("{{ now | date: '%H:%M' }}", zone=zone) == expected
    assert title("{{ 'now' | date: '%H:%M' }}", zone=zone) == expected


def test_today_is_the_persons_local_date(title: Title) -> None:
    late = 1_795_557_600.0  # 2026-11-24 22:00 UTC
    assert title("{{ today | date: '%F' }} {{ today }}", now=late) == "2026-11-24 2026-11-24"
    assert title("{{ 'today' | date: '%F' }}", now=late, zone="Asia/Tokyo") == "2026-11-25"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("'2026-12-24T18:00:00Z'", "2026-12-24 19:00"),
        ("'2026-12-24T18:00:00+05:00'", "2026-12-24 14:00"),
        ("'2026-12-24T18:00:00'", "2026-12-24 18:00"),
        ("'2026-12-24'", "2026-12-24 00:00"),
        ("1795508100", "2026-11-24 09:15"),
        ("'1795508100'", "2026-11-24 09:15"),
        ("offer.until", "2026-12-24 19:00"),
    ],
)
def test_instants_are_read_from_iso_text_and_epoch_seconds(title: Title, value: str, text: str) -> None:
    assert title(f"{{{{ {value} | date: '%Y-%m-%d %H:%M' }}}}", zone="Europe/Berlin") == text


@pytest.mark.parametrize("value", ["'tomorrow'", "'10:30'", "true", "1e30", "'99999999999999999999'", "profile.likes"])
def test_what_is_no_instant_is_refused(title: Title, value: str) -> None:
    with pytest.raises(TemplateError):
        title(f"{{{{ {value} | date: '%Y' }}}}")


def test_directives_are_written_the_same_on_every_machine(title: Title) -> None:
    form = "%A %a %B %b %-d %e %-m %y %j %I:%M %p %l %k %S %z %Z %u %w %T %R %%"
    at = "2026-03-05T07:04:09Z"
    assert title(f"{{{{ '{at}' | date: '{form}' }}}}") == (
        "Thursday Thu March Mar 5  5 3 26 064 07:04 AM  7  7 09 +0000 UTC 4 4 07:04:09 07:04 %"
    )
    assert title("{{ now | date: '%-H %-M %z' }}", now=1_795_478_400.0, zone="America/St_Johns") == "20 30 -0330"


def test_names_of_days_and_months_follow_the_language(compose: Compose) -> None:
    languages = {"de": MessageText(title="{{ now | date: '%A, %-d. %B' }} {{ now | date: 'long' }}")}
    assert compose(title="{{ now | date: 'long' }}", languages=languages).title == "November 24, 2026"
    german = compose(title="x", languages=languages, language="de-AT").title
    assert german == "Dienstag, 24. November 24. November 2026"


def test_money_and_numbers_follow_the_language(compose: Compose) -> None:
    source = "{{ offer.price | money: 'EUR' }}/{{ offer.price | number }}"
    languages = {"de": MessageText(title=source), "xx-nonsense": MessageText(title=source)}
    assert compose(title=source).title == "€1,234.50/1,234.5"
    assert compose(title=source, languages=languages, language="de").title == "1.234,50\xa0€/1.234,5"
    assert compose(title=source, languages=languages, language="xx-nonsense").title == "€1,234.50/1,234.5"


@pytest.mark.parametrize("filters", ["money", "money: 'EURO'", "money: 'XXY'", "money: 5", "number | money: 'EUR'"])
def test_money_needs_a_number_and_a_real_currency(title: Title, filters: str) -> None:
    with pytest.raises(TemplateError):
        title(f"{{{{ offer.price | {filters} }}}}")
