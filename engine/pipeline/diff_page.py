"""A comparison as one HTML page: works from disk, loads nothing, runs nothing; light and dark."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from engine.measure.times import iso
from engine.pipeline.diff import Delta
from engine.pipeline.diff_chart import balance, chart
from engine.pipeline.diff_map import map_of
from engine.pipeline.diff_words import Report, RuleLine, delta_words, why_words

SHOWN = 400  # moments in the table
CHANGES = 300

STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5a6475;--paper:#fff;--card:#f5f6f8;--line:#dde1e8;
--before:#9aa5b8;--after:#2563b8;--gained:#16803c;--lost:#c0341d;--changed:#a66a00;--fence:#2563b8}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#9aa5b8;--paper:#14181f;--card:#1d232d;--line:#333c4a;
--before:#6b778c;--after:#6aa7f8;--gained:#4cc777;--lost:#f0705a;--changed:#e0a93b;--fence:#6aa7f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1040px;padding:24px 20px 60px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .6rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.summary{background:var(--card);border-left:4px solid var(--after);border-radius:6px;padding:14px 18px;font-size:1.1rem}
.summary p{margin:.25rem 0}.summary p.careful{color:var(--lost);font-weight:600}
.summary p.small,.soft{color:var(--soft);font-size:.9rem}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin-top:16px}
.tile{flex:1 1 120px;background:var(--card);border-radius:6px;padding:10px 14px}
.tile b{display:block;font-size:1.6rem;line-height:1.2}
svg{display:block;width:100%;height:auto}
.map{background:var(--card);border:1px solid var(--line);border-radius:6px}
.grid{stroke:var(--line)}.axis,.name{fill:var(--soft);font-size:12px}.name{font-size:11px}
.map text{paint-order:stroke;stroke:var(--card);stroke-width:3px}
rect.before,.key.before{fill:var(--before);background:var(--before)}rect.after,.key.after{fill:var(--after);background:var(--after)}
rect.gained,.dot.gained,.key.gained{fill:var(--gained);background:var(--gained)}
rect.lost,.dot.lost,.key.lost{fill:var(--lost);background:var(--lost)}
.dot.changed,.key.changed{fill:var(--changed);background:var(--changed)}
.dot{fill-opacity:.75;stroke:var(--paper);stroke-width:1}
.fence{fill:var(--fence);fill-opacity:.12;stroke:var(--fence);stroke-opacity:.7}
.fence .corridor{fill:none;stroke-opacity:.2;stroke-linecap:round;stroke-linejoin:round}
.scale{fill:none;stroke:var(--soft)}.balance{width:124px;height:14px}
.key{display:inline-block;width:10px;height:10px;border-radius:5px;margin:0 5px 0 14px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right}.one{white-space:nowrap}
.gained{color:var(--gained)}.lost{color:var(--lost)}.changed{color:var(--changed)}
ul{margin:.3rem 0;padding-left:1.2rem}code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
"""


def page(r: Report) -> str:
    """The whole document. Everything that comes from people or files is escaped."""
    body = "".join(
        (
            "<h1>What would have been different</h1>",
            *_summary(r),
            *_tiles(r),
            *_timeline(r),
            *_rules(r.rules),
            *_map(r),
            *_moments(r),
            *_people(r),
            *_changes(r),
            *_foot(r),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Replay: what would have been different</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _summary(r: Report) -> Iterator[str]:
    yield '<div class="summary">'
    last = len(r.summary) - 1
    for n, line in enumerate(r.summary):
        kind = "careful" if line.startswith("Careful") else "small" if n == last else ""
        yield f'<p class="{kind}">{escape(line)}</p>'
    yield "</div>"


def _tiles(r: Report) -> Iterator[str]:
    tiles = (
        ("before", "messages before", ""),
        ("after", "messages after", ""),
        ("gained", "gained", "gained"),
        ("lost", "lost", "lost"),
        ("changed", "changed", "changed"),
        ("people_touched", "people touched", ""),
    )
    yield '<div class="tiles">'
    for name, words, kind in tiles:
        yield f'<div class="tile"><b class="{kind}">{r.totals[name]:,}</b>{words}</div>'
    yield "</div>"


def _timeline(r: Report) -> Iterator[str]:
    drawn = chart(r.hours)
    if drawn:
        yield f"<h2>Over time</h2><p class=soft>{_key('before', 'before')}{_key('after', 'after')} (UTC)</p>{drawn}"


def _key(kind: str, words: str) -> str:
    return f'<span class="key {kind}"></span>{words}'


def _rules(rules: Sequence[RuleLine]) -> Iterator[str]:
    if not rules:
        return
    most = max((max(line.gained, line.lost) for line in rules), default=1)
    head = ("rule", "n:before", "n:after", "n:gained", "n:lost", "", "n:changed", "people", "what stood in the way")
    yield "<h2>By rule</h2>" + _table(head, (_rule(line, most) for line in rules[:CHANGES]))


def _rule(line: RuleLine, most: int) -> Iterator[str]:
    yield f"<td><code>{escape(line.rule)}</code></td>"
    yield f'<td class="n">{line.before}</td><td class="n">{line.after}</td>'
    yield f'<td class="n gained">{line.gained or ""}</td><td class="n lost">{line.lost or ""}</td>'
    yield f'<td>{balance(line.gained, line.lost, most)}</td><td class="n changed">{line.changed or ""}</td>'
    yield f'<td class="one">{line.people_after} instead of {line.people_before}</td>'
    whys = [f"{n} before: {escape(why_words(why))}" for why, n in list(line.why_gained.items())[:3]]
    whys += [f"{n} now: {escape(why_words(why))}" for why, n in list(line.why_lost.items())[:3]]
    yield f"<td>{'<br>'.join(whys)}</td>"


def _map(r: Report) -> Iterator[str]:
    drawn = map_of(r.fences, r.moments)
    if drawn:
        keys = "".join(_key(kind, kind) for kind in ("gained", "lost", "changed"))
        words = f"Geofences of the new files, and the places of what differs:{keys}"
        yield f"<h2>Where</h2><p class=soft>{words}</p>{drawn}"


def _moments(r: Report) -> Iterator[str]:
    told = [delta for delta in r.moments if delta.kind != "reason"]
    if not told:
        return
    yield "<h2>Message by message</h2>"
    yield _table(("", "when (UTC)", "person", "rule", "how"), (_moment(delta) for delta in told[:SHOWN]))
    left = sum(r.totals[kind] for kind in ("gained", "lost", "changed")) - min(len(told), SHOWN)
    if left > 0:
        yield f"<p class=soft>and {left:,} more.</p>"


def _moment(delta: Delta) -> Iterator[str]:
    when = (iso(delta.at) or "").replace("T", " ").split(".")[0].rstrip("Z")
    yield f'<td class="{delta.kind}">{delta.kind}</td><td>{when}</td><td>{escape(delta.person)}</td>'
    yield f"<td><code>{escape(delta.rule)}</code></td><td>{escape(delta_words(delta))}</td>"


def _people(r: Report) -> Iterator[str]:
    if not r.people:
        return
    rows = (
        (
            f"<td>{escape(person['person'])}</td>",
            *(f'<td class="n {kind}">{person[kind] or ""}</td>' for kind in ("gained", "lost", "changed")),
        )
        for person in r.people[:50]
    )
    yield "<h2>The people most touched</h2>" + _table(("person", "n:gained", "n:lost", "n:changed"), rows)


def _changes(r: Report) -> Iterator[str]:
    if not r.ground.changes:
        return
    yield "<h2>What changed in the files</h2><ul>"
    for change in r.ground.changes[:CHANGES]:
        lines = "".join(f"<li>{escape(line)}</li>" for line in change.lines)
        below = f"<ul>{lines}</ul>" if lines else ""
        yield f"<li>{change.kind} <code>{escape(change.id)}</code> {change.what}{below}</li>"
    yield "</ul>"


def _foot(r: Report) -> Iterator[str]:
    old = ", ".join(name[:12] for name in r.ground.old) or "none"
    yield (
        "<h2>How it was found out</h2><p class=soft>The same past ran twice, with caps, quiet hours, cooldowns and "
        f"stock in force: under release {escape(old)} and under {escape(r.ground.new[:12])}. Messages that only the "
        "new files would have sent are taken as sent at once. How people would have answered them is not known.</p>"
    )


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """``n:`` before a heading: a column of numbers."""
    cells = "".join(f'<th class="n">{h[2:]}</th>' if h.startswith("n:") else f"<th>{h}</th>" for h in head)
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'
