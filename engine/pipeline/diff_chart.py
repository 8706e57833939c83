"""Messages over time in both runs, as bars: inline SVG, coloured by the page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 12, 34
BARS = 96  # more hours than that are drawn by day
LABELS = 10

Hours = Sequence[tuple[int, int, int]]  # hour since 1970, messages before, after


def chart(hours: Hours) -> str:
    """An SVG element; "" where there is nothing to draw."""
    if not hours:
        return ""
    first, last = hours[0][0], hours[-1][0]
    size = 1 if last - first < BARS else 24
    start = first // size
    buckets = [[0, 0] for _ in range(last // size - start + 1)]
    for hour, before, after in hours:
        bucket = buckets[hour // size - start]
        bucket[0] += before
        bucket[1] += after
    top = _round_up(max(max(b) for b in buckets))
    label = f"Messages per {'hour' if size == 1 else 'day'} before and after"
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *_grid(top),
        *_bars(buckets, start, size, top),
        "</svg>",
    ]
    return "".join(parts)


def _grid(top: int) -> Iterator[str]:
    for n in range(5):
        value = top * n / 4
        y = _y(value, top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _bars(buckets: Sequence[Sequence[int]], start: int, size: int, top: int) -> Iterator[str]:
    step = (WIDTH - LEFT - RIGHT) / len(buckets)
    wide = min(22.0, step * 0.42)
    every = -(-len(buckets) // LABELS)
    for n, (before, after) in enumerate(buckets):
        when = _when((start + n) * size, size)
        x = LEFT + step * (n + 0.5)
        yield f"<g><title>{when}: {before} before, {after} after</title>"
        for value, at, kind in ((before, x - wide, "before"), (after, x, "after")):
            y = _y(value, top)
            high = HEIGHT - BOTTOM - y
            yield f'<rect class="{kind}" x="{at:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
        yield "</g>"
        if n % every == 0:
            yield f'<text class="axis" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{when}</text>'


def _y(value: float, top: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _when(hour: int, size: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%d %b %H:00" if size == 1 else "%d %b")


def _round_up(most: int) -> int:
    """The next of 4, 8, 20, 40, 80, 200…: its quarters are whole."""
    size = 4
    while size < most:
        size = size * 5 // 2 if str(size)[0] == "8" else size * 2
    return size


def balance(gained: int, lost: int, most: int) -> str:
    """One rule: lost to the left, gained to the right, both on one scale for all rules."""
    scale = 60 / max(1, most)
    return (
        f'<svg class="balance" viewBox="0 0 124 14" role="img" aria-label="{gained} gained, {lost} lost">'
        f'<rect class="lost" x="{62 - lost * scale:.1f}" y="2" width="{lost * scale:.1f}" height="10"/>'
        f'<rect class="gained" x="62" y="2" width="{gained * scale:.1f}" height="10"/>'
        '<line class="grid" x1="62" x2="62" y1="0" y2="14"/></svg>'
    )
