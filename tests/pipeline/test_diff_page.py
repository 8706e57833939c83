"""The page that is passed on: one file, nothing loaded, nothing run, everything escaped, light and dark."""

import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.pipeline.changes import Change
from engine.pipeline.diff import Delta, Outcome
from engine.pipeline.diff_chart import chart
from engine.pipeline.diff_map import map_of
from engine.pipeline.diff_page import page
from engine.pipeline.diff_words import Ground, Report, RuleLine

NOON = 1_795_521_600.0
NASTY = "<script>alert('x')</script>\"&"
VOID = {"meta", "br", "rect", "line", "path"}
SQUARE = Polygons((((((13.40, 52.50), (13.42, 52.50), (13.42, 52.52), (13.40, 52.52), (13.40, 52.50))),),))
FENCES = (
    Fence("cafe", Circle(13.405, 52.52, 100), NASTY, ("cafe",)),
    Fence("office", SQUARE, "Office"),
    Fence("walk", Corridor(((13.39, 52.51), (13.43, 52.52)), 60), "Walk"),
    Fence("far", Circle(-70.0, -33.0, 500), "Far away"),
)


class Page(HTMLParser):
    """Checks nesting, and keeps tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def of(self, tag: str, kind: str) -> int:
        return sum(t == tag and kind in (attrs.get("class") or "") for t, attrs in self.tags)


def delta(kind: str, lat: float | None = 52.52, person: str = NASTY) -> Delta:
    going = Outcome("send", "OK", NOON, ("push",), title=NASTY, body=NASTY)
    sides = {"gained": (None, going), "lost": (going, None)}.get(kind, (going, replace(going, title="new")))
    return Delta(kind, f"mom_{kind}", NASTY, person, NOON, *sides, ("text",), lat, None if lat is None else 13.405)


def told(**more: object) -> Report:
    rules = (RuleLine(NASTY, 3, 4, 2, 1, 1, 3, 4, 2, 1, 0, {NASTY: 2}, {"CAP": 1}),)
    totals = {"before": 3, "after": 4, "gained": 2, "lost": 1, "changed": 1, "other_reasons": 0, "people_touched": 3}
    ground = Ground(NOON, NOON + 7200, 10, ("a" * 40,), "b" * 40, changes=(Change("rule", NASTY, "changed", (NASTY,)),))
    parts: dict[str, object] = {
        "summary": (f"2 more people would have got {NASTY}.", "Careful: 1 person above 3 per day.", "Looked at it."),
        "ground": ground,
        "totals": totals,
        "rules": rules,
        "people": ({"person": NASTY, "gained": 1, "lost": 0, "changed": 0},),
        "moments": (delta("gained"), delta("lost"), delta("changed"), delta("gained", None)),
        "left_out": 0,
        "alarms": {},
        "guarded": (),
        "hours": ((498756, 1, 2), (498757, 2, 2)),
        "fences": FENCES,
    }
    return Report(**{**parts, **more})  # type: ignore[arg-type]


def test_it_opens_with_the_summary_and_holds_every_part():
    shown = Page(page(told()))
    headings = [tag for tag, _ in shown.tags if tag in ("h1", "h2")]
    assert headings[0] == "h1"
    assert shown.text.index("2 more people would have got") < shown.text.index("By rule")
    assert shown.of("p", "careful") == 1
    for words in ("Over time", "By rule", "Where", "Message by message", "What changed in the files", "taken as sent"):
        assert words in shown.text, words
    assert [attrs.get("role") for tag, attrs in shown.tags if tag == "svg"].count("img") == 3


def test_nothing_is_loaded_and_nothing_runs():
    html = page(told())
    shown = Page(html)
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "img", "iframe", "object", "embed", "use", "image"}
    for tag, attrs in shown.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "href", "style")], tag
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "http" not in html.lower().replace("http-equiv", "")
    assert "default-src 'none'" in html


def test_what_people_and_files_say_is_shown_and_never_obeyed():
    shown = Page(page(told()))
    assert shown.text.count("<script>alert('x')</script>") > 8
    assert "script" not in {tag for tag, _ in shown.tags}


def test_light_and_dark_use_the_same_page():
    assert "prefers-color-scheme:dark" in page(told())


def test_an_empty_comparison_makes_a_page_too():
    empty = told(rules=(), moments=(), people=(), hours=(), fences=(), ground=Ground(NOON, NOON, 0, (), "b"))
    shown = Page(page(empty))
    assert "Where" not in shown.text
    assert "Over time" not in shown.text


def test_lone_surrogates_and_control_characters_do_not_stop_it():
    page(told(moments=(delta("gained", person="\udcff\x00"),))).encode("utf-8", "replace")


# ------------------------------------------------------------------ map and chart


def test_the_map_shows_the_places_of_what_differs_and_the_fences_around():
    shown = Page(map_of(FENCES, [delta("gained"), delta("lost"), delta("gained", None)]))
    assert shown.of("circle", "dot gained") == 1
    assert shown.of("circle", "dot lost") == 1
    assert shown.of("g", "fence") == 3  # the one in another country is left out
    assert "Office" in shown.text
    for _, attrs in shown.tags:
        assert -60 < float(attrs.get("cx") or 0) < 1020
    assert re.search(r"\d+ k?m$", shown.words[-1])


def test_without_differences_the_map_shows_all_fences():
    shown = Page(map_of(FENCES[:3], []))
    assert shown.of("g", "fence") == 3
    assert map_of((), []) == ""


def test_many_moments_at_one_place_are_one_larger_dot():
    many = [delta("gained") for _ in range(100)]
    (dot,) = [attrs for tag, attrs in Page(map_of(FENCES, many)).tags if "dot" in (attrs.get("class") or "")]
    assert float(dot["r"] or 0) > 30


@pytest.mark.parametrize("lat", [89.9, -89.9, 0.0])
def test_the_map_works_near_the_poles(lat: float):
    Page(map_of((Fence("f", Circle(0.0, lat, 100)),), [replace(delta("gained"), lat=lat, lon=179.9)]))


def test_the_chart_has_a_bar_for_each_side_of_each_hour():
    shown = Page(chart(((498756, 1, 2), (498757, 2, 2))))
    assert (shown.of("rect", "before"), shown.of("rect", "after")) == (2, 2)
    assert "1 before, 2 after" in shown.text


def test_a_long_time_is_drawn_by_day():
    shown = Page(chart(tuple((498720 + n, 1, 1) for n in range(24 * 10))))
    assert shown.of("rect", "after") == 10
    assert "24 before, 24 after" in shown.text


def test_a_huge_count_has_a_readable_axis():
    shown = Page(chart(((498756, 123_456, 99_999),)))
    axis = [int(word) for word in shown.words if word.strip().isdigit()]
    assert max(axis) >= 123_456
    assert len(set(axis)) == 5
