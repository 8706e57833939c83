"""Where the differences are: the fences of the release and the places of the moments, as inline SVG without tiles."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.pipeline import places
from engine.pipeline.diff import Delta
from engine.pipeline.places import Box

WIDTH, HEIGHT = 960, 560
MAX_FENCES = 3_000
MAX_POINTS = 60_000  # vertices drawn in all
NAMED = 40  # fences with their name on the map
DOT = 5.0
DRAWN = ("lost", "changed", "gained")  # the later lie on top
METRES = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


Spots = Counter[tuple[str, float, float]]  # kind, lon, lat


@dataclass(frozen=True)
class View:
    """A plain projection: degrees to pixels, straight in both directions."""

    west: float
    north: float
    across: float  # pixels per degree of longitude
    down: float  # pixels per degree of latitude

    def xy(self, lon: float, lat: float) -> tuple[float, float]:
        return (lon - self.west) * self.across, (self.north - lat) * self.down

    def pixels(self, metres: float) -> float:
        """A length as the map shows it."""
        return metres / places.METRES_PER_DEGREE * self.down


def map_of(fences: Sequence[Fence], deltas: Sequence[Delta]) -> str:
    """An SVG element; "" where there is nothing to draw."""
    spots: Spots = Counter(
        (d.kind, d.lon, d.lat) for d in deltas if d.kind in DRAWN and d.lat is not None and d.lon is not None
    )
    boxes = {fence.id: found for fence in fences if (found := places.box(fence.shape)) is not None}
    view = _view([(lon, lat) for _, lon, lat in spots], list(boxes.values()))
    if view is None:
        return ""
    seen = [fence for fence in fences if fence.id in boxes and _shows(view, boxes[fence.id])][:MAX_FENCES]
    label = f"Map: {len(seen)} geofences and {sum(spots.values())} moments that differ"
    parts = [
        f'<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        f'<clipPath id="frame"><rect width="{WIDTH}" height="{HEIGHT}"/></clipPath><g clip-path="url(#frame)">',
        *_fences(view, seen),
        *_names(view, seen, boxes),
        *_dots(view, spots),
        "</g>",
        *_scale(view),
        "</svg>",
    ]
    return "".join(parts)


def _view(spots: Sequence[tuple[float, float]], boxes: Sequence[Box]) -> View | None:
    """What differs, with the fences around it; all fences where nothing does."""
    if spots:
        core = _around(spots)
        near = [box for box in boxes if _overlap(box, core) and _height(box) < 3 * _height(core)]
        spans = [core, *near]
    else:
        spans = list(boxes)
    if not spans:
        return None
    west, south = min(s[0] for s in spans), min(s[1] for s in spans)
    east, north = max(s[2] for s in spans), max(s[3] for s in spans)
    middle, cosine = (west + east) / 2, max(0.05, math.cos(math.radians((south + north) / 2)))
    down = min(HEIGHT / max(1e-6, north - south), WIDTH / max(1e-6, (east - west) * cosine)) * 0.92
    across = down * cosine
    return View(middle - WIDTH / across / 2, (south + north) / 2 + HEIGHT / down / 2, across, down)


def _around(spots: Sequence[tuple[float, float]]) -> Box:
    """The box of the spots, a few hundred metres wide at least."""
    lons, lats = [s[0] for s in spots], [s[1] for s in spots]
    high = 0.003
    wide = high / max(0.05, math.cos(math.radians(min(89.0, max(map(abs, lats))))))
    return min(lons) - wide, min(lats) - high, max(lons) + wide, max(lats) + high


def _overlap(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _height(box: Box) -> float:
    return box[3] - box[1]


def _shows(view: View, box: Box) -> bool:
    (x1, y1), (x2, y2) = view.xy(box[0], box[3]), view.xy(box[2], box[1])
    return x1 <= WIDTH and x2 >= 0 and y1 <= HEIGHT and y2 >= 0


# ------------------------------------------------------------------ fences


def _fences(view: View, fences: Sequence[Fence]) -> Iterator[str]:
    left = MAX_POINTS
    for fence in fences:
        points = sum(1 for _ in places.points(fence.shape))
        left -= points
        if left < 0:
            return
        title = f"<title>{escape(fence.name or fence.id)} ({escape(fence.id)})</title>"
        yield f'<g class="fence">{title}{_shape(view, fence)}</g>'


def _shape(view: View, fence: Fence) -> str:
    match fence.shape:
        case Circle(lon, lat, radius):
            x, y = view.xy(lon, lat)
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{max(1.5, view.pixels(radius)):.1f}"/>'
        case Polygons():
            path = "".join(_path(view, ring) + "Z" for part in fence.shape.parts for ring in part)
            return f'<path fill-rule="evenodd" d="{path}"/>'
        case Corridor():
            line, width = fence.shape.line, max(1.5, 2 * view.pixels(fence.shape.radius))
            return f'<path class="corridor" stroke-width="{width:.1f}" d="{_path(view, line)}"/>'
    return ""


def _path(view: View, line: Iterable[tuple[float, float]]) -> str:
    """Points less than a pixel from the last one are left out."""
    out: list[str] = []
    last = (math.inf, math.inf)
    for lon, lat in line:
        x, y = view.xy(lon, lat)
        if out and abs(x - last[0]) + abs(y - last[1]) < 0.8:
            continue
        out.append(f"{'L' if out else 'M'}{x:.1f} {y:.1f}")
        last = (x, y)
    return "".join(out)


def _names(view: View, fences: Sequence[Fence], boxes: dict[str, Box]) -> Iterator[str]:
    """Names, the largest fences first, where they do not cover one another."""
    taken: list[tuple[float, float, float]] = []
    for fence in sorted(fences, key=lambda f: (-_height(boxes[f.id]), f.id)):
        box = boxes[fence.id]
        x, y = view.xy((box[0] + box[2]) / 2, box[1])
        name = (fence.name or fence.id)[:28]
        half = len(name) * 3.4
        y = min(y + 12, HEIGHT - 6)
        if not 0 < x < WIDTH or y <= 12:
            continue
        if any(abs(x - tx) < half + thalf and abs(y - ty) < 14 for tx, ty, thalf in taken):
            continue
        taken.append((x, y, half))
        yield f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(name)}</text>'
        if len(taken) == NAMED:
            return


# ------------------------------------------------------------------ moments


def _dots(view: View, spots: Spots) -> Iterator[str]:
    """One dot a place and kind; its area tells how many."""
    merged: Counter[tuple[str, int, int]] = Counter()
    for (kind, lon, lat), n in spots.items():
        x, y = view.xy(lon, lat)
        merged[kind, round(x / 4), round(y / 4)] += n
    for (kind, x4, y4), n in sorted(merged.items(), key=lambda item: (DRAWN.index(item[0][0]), -item[1], item[0])):
        size = min(40.0, DOT * math.sqrt(n))
        title = f"<title>{n} {kind}</title>"
        yield f'<circle class="dot {kind}" cx="{x4 * 4}" cy="{y4 * 4}" r="{size:.1f}">{title}</circle>'


def _scale(view: View) -> Iterator[str]:
    metres = max((m for m in METRES if view.pixels(m) <= WIDTH / 5), default=METRES[0])
    wide, y = view.pixels(metres), HEIGHT - 14
    words = f"{metres} m" if metres < 1_000 else f"{metres // 1_000} km"
    yield f'<path class="scale" d="M14 {y - 5}V{y}H{14 + wide:.1f}V{y - 5}"/>'
    yield f'<text class="axis" x="{20 + wide:.1f}" y="{y}">{words}</text>'
