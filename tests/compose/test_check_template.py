"""What an author is told about a template, and that no template, however hostile, hangs or fills the memory."""

import tracemalloc
from collections.abc import Callable

import pytest

from engine.compose import TemplateError, check_template
from engine.compose.guard import Job
from engine.compose.problems import MAX_STEPS

Title = Callable[..., str]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "Hello",
        "50 % off }} today",
        "Hi {{ profile.first_name | default: 'you' }}",
        "{{ fence.weather.temp_c | round }} {{ profile['first name'] }} {{ fence.tags[0] }}",
        "{% assign x = offer.price | times: 0.8 %}{{ x | money: 'EUR' }}",
        "{% for t in fence.tags limit: 2 %}{{ forloop.index }}{{ t }}{% else %}none{% endfor %}",
        "{% for i in (1..profile.stars) %}*{% endfor %}",
        "{% if profile.age >= 18 and profile.tier == 'gold' %}{{ event.amount | date: '%Y' }}{% endif %}",
        "{{ now | date: '%A %H:%M' }}",
        "{%- # a note -%}{%- if profile.vip -%}VIP{%- endif -%}",
    ],
)
def test_sound_templates_have_no_problem(source: str) -> None:
    assert check_template(source) is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Hi {{ profile.first_name", "line 1, column 4: '{{' is never closed. Close it with '}}'."),
        ("Hi\n  {% if profile.x", "line 2, column 3: '{%' is never closed. Close it with '%}'."),
        ("{% if profile.x %}", "endif"),
        ("{% endif %}", "unexpected tag 'endif'"),
        ("{% if %}x{% endif %}", "missing expression"),
        ("{{ }}", "'{{ }}' is empty. Write a name in it, as in {{ fence.name }}."),
        ("{{ first_name }}", "There is no name 'first_name'."),
        ("{{ first_name }}", "profile.first_name"),
        ("{{ profil.first_name }}", "Did you mean 'profile'?"),
        ("{% for x in items %}{% endfor %}", "There is no name 'items'."),
        ("{{ profile.x | upcse }}", "There is no filter 'upcse'. Did you mean 'upcase'?"),
        ("{% if profile.x %}{{ 'a' | frobnicate }}{% endif %}", "There is no filter 'frobnicate'."),
        ("{% assign x = 'a' | frobnicate %}", "There is no filter 'frobnicate'."),
        ("{% iff profile.x %}{% endif %}", "there is no tag 'iff'. Did you mean 'if'?"),
        ("{% include 'footer' %}", "'include' is not available yet. Write the text here instead."),
        ("{% render 'footer' %}", "'render' is not available yet."),
        ("{% raw %}{{{% endraw %}", "there is no tag 'raw'."),
        ("{{ now | date: '%Q' }}", "does not know '%Q'"),
        ("{{ now | date }}", "needs a form"),
        ("{{ 5 | money: 'EUROS' }}", "needs a currency"),
        ("{{ 5 | divided_by: 0 }}", "divided_by"),
        ("{{ 'ten' | plus: 1 }}", "plus needs a number"),
        ("x" * 10_001, "longer than 10000 bytes"),
        ("é" * 5_001, "longer than 10000 bytes"),
        ("\ud800", "half a character"),
        ("{{" + " " * 500 + "fence.name }}", "more than 500 characters stand between '{{' and '}}'"),
        ("{% if " + " or ".join("1" * 90) + " %}x{% endif %}", "nested more than 40 deep"),
    ],
)
def test_a_problem_is_named_with_its_fix(source: str, problem: str) -> None:
    said = check_template(source)
    assert said is not None
    assert problem in said
    assert "\n" not in said


HUGE = "(1..100000000)"
HOSTILE = {
    "loop over a huge range": f"{{% for i in {HUGE} %}}x{{% endfor %}}",
    "huge range, reversed": f"{{% for i in {HUGE} reversed %}}x{{% endfor %}}",
    "huge range, limited": f"{{% for i in {HUGE} limit: 3 %}}x{{% endfor %}}",
    "join of a huge range": f"{{{{ {HUGE} | join }}}}",
    "huge range as an argument": f"{{{{ 'a' | append: {HUGE} }}}}",
    "huge range assigned": f"{{% assign r = {HUGE} %}}{{{{ r | size }}}}",
    "huge range in a condition": f"{{% if {HUGE} contains 5 %}}x{{% endif %}}",
    "huge range in an elsif": f"{{% if false %}}{{% elsif {HUGE} contains 5 %}}x{{% endif %}}",
    "huge range in an unless": f"{{% unless {HUGE} contains 5 %}}x{{% endunless %}}",
    "huge range in a case": f"{{% case {HUGE} %}}{{% when 1 %}}x{{% endcase %}}",
    "huge range in a when": f"{{% case 1 %}}{{% when {HUGE} %}}x{{% endcase %}}",
    "a range that no machine can count": "{{ (1..99999999999999999999999999) | size }}",
    "huge range of text bounds": "{% for i in ('1'..'100000000') reversed %}x{% endfor %}",
    "nested loops": "".join(f"{{% for {name} in (1..900) %}}" for name in "abc") + "{% endfor %}" * 3,
    "one loop after another": "{% for a in (1..999) %}{{ a }}{% endfor %}" * 200,
    "loops behind a question": "{% if profile.x %}"
    + "{% for a in (1..999) %}" * 2
    + "{% endfor %}" * 2
    + "{% endif %}",
    "chained replace": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 12 + " }}",
    "replace of nothing": "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | replace: '', x %}" * 20,
    "chained append": "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60,
    "doubling capture": "{% assign x = 'ab' %}" + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 60,
    "doubling list": "{% assign x = 'a,b' | split: ',' %}" + "{% assign x = x | concat: x %}" * 60,
    "join with a growing separator": "{% assign s = 'aaaaaaaaaa' %}"
    + "{% assign s = s | append: s %}" * 9
    + "{{ (1..1000) | join: s }}",
    "growing numbers": "{{ 99999999999" + " | times: 99999999999" * 20 + " }}",
    "many fields": "{{ 'x' }}" * 1_100 + "{{ 'y' | append: '" + "z" * 400 + "' }}" * 30,
    "deep blocks": "{% if true %}" * 300 + "{% endif %}" * 300,
    "deep brackets": "{{ profile" + "[profile" * 60 + "]" * 60 + " }}",
    "long condition": "{% if " + " or ".join(["profile.a"] * 45) + " %}x{% endif %}",
    "unclosed openings": "{{" * 5_000,
    "unclosed tags": "{%" * 5_000,
    "spaces": "{{" + " " * 9_000 + "}}",
    "spaces again and again": ("{{" + " " * 480 + "\n}}") * 20,
    "raw without end": "{% raw %}" * 1_000,
    "comment without end": "{% comment %}" * 700,
    "doc without end": "{% doc %}" * 1_000,
    "quotes": "{{ '" + "'" * 490 + " }}" + "{{ \"'" * 900,
    "pipes": "{{ 1 " + "|" * 490 + " }}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_templates_are_refused_in_bounded_steps_and_memory(source: str) -> None:
    tracemalloc.start()
    try:
        assert check_template(source) is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..profile.n) %}x{% endfor %}",
        "{% for i in (1..profile.n) reversed %}x{% endfor %}",
        "{% assign r = (profile.low..5) %}{% for i in r %}x{% endfor %}",
        "{{ profile.text | replace: 'a', profile.text | size }}",
        "{{ profile.text | replace: '', profile.text | size }}",
        "{{ profile.long | upcase | size }}",
        "{{ profile.list | join }}",
        "{{ profile.list | sort | uniq | size }}",
        "{% for a in profile.some %}" * 3 + "{% endfor %}" * 3,
        "{{ profile.n | times: profile.n }}",
        "{% assign a = profile.some | uniq %}" * 20,
    ],
)
def test_values_that_turn_a_harmless_template_hostile_are_stopped_when_it_is_filled_in(
    title: Title, source: str
) -> None:
    assert check_template(source) is None
    values = {
        "n": 10**8,
        "low": -(10**8),
        "text": "a" * 9_000,
        "long": "a" * 10_001,
        "list": ["x"] * 10_001,
        "some": [str(i) for i in range(900)],
    }
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            title("t" + source, profile=values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_a_job_has_a_fixed_number_of_steps() -> None:
    job = Job.__new__(Job)
    job.left = MAX_STEPS
    job.charge(MAX_STEPS)
    with pytest.raises(TemplateError, match="too many steps"):
        job.charge()
