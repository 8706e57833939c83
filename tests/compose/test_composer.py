"""Messages: names, what is unknown, languages, bounds."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.compose import Composer, TemplateError
from engine.model.moment import Message
from engine.model.release import Release
from engine.model.rule import MessageSpec, MessageText, OnEvent, Rule

Title = Callable[..., str]
Compose = Callable[..., Message]


def test_every_field_of_a_message_is_a_template(compose: Compose) -> None:
    message = compose(
        title="Hi {{ profile.first_name }}",
        body="{{ offer.title }} off at {{ fence.name }}, {{ fence.weather.temp_c }} degrees\n",
        link="shop://offers/{{ fence.id | url_encode }}",
        data={"event": "{{ event.name }}", "who": "{{ person.id }}/{{ device.id }}"},
    )
    assert message == Message(
        "Hi Ada",
        "20 % off at Café Mitte, 4 degrees",
        "shop://offers/cafe-mitte",
        {"event": "app_open", "who": "p9/d1"},
    )


WORDS = "and as blank cols contains continue else empty false for if in limit nil not null offset or required reversed"


@pytest.mark.parametrize("word", [*WORDS.split(), "true", "with", "upcase", "size", "first", "last", "default"])
def test_a_name_may_be_a_word_of_the_template_language(title: Title, word: str) -> None:
    profile = {word: 3, "plan": {word: {"x": ["a", "b"]}}}
    assert title(f"{{{{ profile.{word} }}}}", profile=profile) == "3"
    for source, text in (
        ("{% if profile.WORD > 2 %}{{ profile.WORD | plus: 1 }}{% endif %}", "4"),
        ("{% for x in profile.plan.WORD.x limit: 1 %}{{ x }}{% endfor %}", "a"),
    ):
        assert title(source.replace("WORD", word), profile=profile) == text


def test_an_unknown_name_that_is_a_word_of_the_template_language_is_named_like_any_other(title: Title) -> None:
    with pytest.raises(TemplateError, match=r"profile\.limit is unknown"):
        title("{{ profile.limit }}")
    assert title("{{ profile.limit | default: 'see profile.if' }}") == "see profile.if"


def test_text_is_not_escaped_as_html(title: Title) -> None:
    assert title("{{ profile.x }} & <b>", profile={"x": "<Ada & Co>"}) == "<Ada & Co> & <b>"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("Hi {{ profile.nick }}", "profile.nick is unknown"),
        ("Hi {{ profile.nothing }}", "profile.nothing is unknown"),
        ("{{ fence.weather.rain.mm }}", "fence.weather.rain.mm is unknown"),
        ("{{ fence.tags[9] }}", "fence.tags.9 is unknown"),
        ("{{ profile.nick | upcase }}", "profile.nick is unknown"),
        ("{{ profile.points | plus: profile.bonus }}", "profile.bonus is unknown"),
        ("{{ 'Hi ' | append: profile.nick }}", "profile.nick is unknown"),
        ("{{ profile.nick | size }}", "profile.nick is unknown"),
        ("{% assign n = profile.nick %}Hi {{ n }}", "profile.nick is unknown"),
        ("{% for x in profile.nicks %}{{ x }}{% endfor %}!", "profile.nicks is unknown"),
        ("{{ fence[profile.nick] }}", "profile.nick is unknown"),
        ("{{ global.sale }}", "global.sale is unknown"),
        ("{{ profile.likes | where: 'x' | first }}", "the result of first is unknown"),
    ],
)
def test_a_half_sentence_is_never_sent_and_the_unknown_value_is_named(title: Title, source: str, named: str) -> None:
    with pytest.raises(TemplateError, match=named) as caught:
        title(source)
    assert caught.value.where == "rules/x.yaml:9"
    assert str(caught.value).startswith("rules/x.yaml:9: title: ")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ profile.nick | default: 'you' }}", "Hi you"),
        ("Hi {{ profile.nothing | default: profile.first_name }}", "Hi Ada"),
        ("{{ profile.nick | default: 'you' | upcase }}", "YOU"),
        ("Hi{% if profile.nick %} {{ profile.nick }}{% endif %}!", "Hi!"),
        ("{% unless profile.nick %}Hello{% endunless %}", "Hello"),
        ("{% if profile.nick == 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% if profile.age > 17 %}a{% else %}b{% endif %}", "b"),
        ("{% case profile.tier %}{% when 'gold' %}a{% else %}b{% endcase %}", "b"),
        (
            "{% for l in profile.likes %}{{ l }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
            "flat white, tea",
        ),
        ("{{ profile.likes | join: ' & ' }} {{ profile.likes.size }}", "flat white & tea 2"),
        ("{{ profile.zip | plus: 1 }} {{ profile.points | times: 1.5 }}", "13 10.5"),
        ("{% capture a %}{{ fence.name }}!{% endcapture %}{{ a }}{{ a }}", "Café Mitte!Café Mitte!"),
        ("{% for i in (1..3) reversed %}{{ i }}{% endfor %}", "321"),
        ("{% comment %}{{ profile.nick }}{% endcomment %}x", "x"),
    ],
)
def test_a_template_may_ask_and_offer_a_default(title: Title, source: str, text: str) -> None:
    assert title(source) == text


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ profile }}", "is no text"),
        ("{{ fence.weather }}", "is no text"),
        ("{{ 'abc' | plus: 1 }}", "plus needs a number"),
        ("{{ profile.first_name | date: '%Y' }}", "is not a date"),
        ("{{ profile.points | divided_by: 0 }}", "divided_by"),
        ("{% if profile.first_name > 3 %}x{% endif %}", "not supported"),
        ("{% for i in (1..profile.first_name) %}x{% endfor %}", "whole numbers"),
        ("{{ profile.x }}", "half|cannot be filled in"),
    ],
)
def test_what_makes_no_sense_is_an_error_not_a_message(compose: Compose, source: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        compose(title="fine", body=source, **({"profile": {"x": "\ud800"}} if "profile.x" in source else {}))


@pytest.mark.parametrize(("field", "most"), [("title", 500), ("body", 4_000), ("link", 2_000)])
def test_a_field_that_comes_out_too_long_is_refused(compose: Compose, field: str, most: int) -> None:
    texts = {"title": "t", field: "{{ profile.x }}"}
    assert compose(**texts, profile={"x": "é" * most})
    with pytest.raises(TemplateError, match=f"{field}: It comes out {most + 1} characters long"):
        compose(**texts, profile={"x": "é" * (most + 1)})


def test_data_has_at_most_twenty_fields(compose: Compose) -> None:
    assert len(compose(title="t", data={str(i): "x" for i in range(20)}).data) == 20
    with pytest.raises(TemplateError, match="21 data fields"):
        compose(title="t", data={str(i): "x" for i in range(21)})


def test_an_empty_message_is_refused(compose: Compose) -> None:
    with pytest.raises(TemplateError, match="comes out empty"):
        compose(title="{{ profile.nothing | default: '' }}", link="shop://x")


def test_a_template_that_cannot_be_read_fails_the_release_with_its_place() -> None:
    rule = Rule("r", (OnEvent("e"),), MessageSpec(MessageText("{{ fence.name"), where="rules/x.yaml:9"))
    with pytest.raises(TemplateError, match="never closed") as caught:
        Composer.compile(Release("h", (rule,)))
    assert caught.value.where == "rules/x.yaml:9"


# ------------------------------------------------------------------ languages

LANGUAGES = {"de": MessageText(title="Kalt?", data={"tone": "du"}), "pt_BR": MessageText(title="Frio?", body="Oi")}


@pytest.mark.parametrize(
    ("wanted", "text", "chosen"),
    [
        ("de", "Kalt?", "de"),
        ("de-AT", "Kalt?", "de"),
        ("DE_ch", "Kalt?", "de"),
        ("de-Latn-AT", "Kalt?", "de"),
        ("pt-BR", "Frio?", "pt_BR"),
        ("pt", "Cold?", None),
        ("fr", "Cold?", None),
        ("", "Cold?", None),
        (None, "Cold?", None),
    ],
)
def test_the_exact_language_wins_then_its_base_then_the_text_without_one(
    compose: Compose, wanted: str | None, text: str, chosen: str | None
) -> None:
    message = compose(title="Cold?", body="Come in", languages=LANGUAGES, language=wanted)
    assert (message.title, message.language) == (text, chosen)


def test_what_a_language_leaves_out_comes_from_the_text_without_one(compose: Compose) -> None:
    texts: dict[str, Any] = {"title": "Cold?", "body": "Come in", "link": "shop://x", "data": {"a": "1", "tone": "you"}}
    message = compose(**texts, languages=LANGUAGES, language="de")
    assert message == Message("Kalt?", "Come in", "shop://x", {"a": "1", "tone": "du"}, "de")
