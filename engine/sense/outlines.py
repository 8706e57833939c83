"""Compiled outlines of fences, which are numbered here: boxes, circles, chains and their index; and shapes that are
made when first needed. How outlines are made, taken over from another set, given as columns, and made from those."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from engine.model.fence import Circle, Corridor, Polygons, Shape
from engine.model.fences import Fences
from engine.sense import compiling
from engine.sense import shape as shapes
from engine.sense.arithmetic import Floats, Ints, ecef, scales
from engine.sense.chains import Chains
from engine.sense.depths import Depths
from engine.sense.exact import SpaceEdges
from engine.sense.index import BoxIndex

CIRCLE, AREA, LINE, NOTHING = 0, 1, 2, 3
Columns = Mapping[str, Any]
_OWN = ("kind", "grow", "radius", "centre", "seam", "box")


class Outlines:
    """Those of ``fences``, in this order. ``like``: others that have some of them just so (positions here, positions
    there); what the first of them has is taken from there. ``made``: the columns of just these fences, as ``columns``
    gave them."""

    def __init__(
        self,
        fences: Fences,
        like: "Sequence[tuple[Outlines, Ints, Ints]]" = (),
        made: Columns | None = None,
    ) -> None:
        self.listed = fences
        if made is not None:
            self._restore(made)
        else:
            self._make(like)
        edged = (self._kind == AREA) | (self._kind == LINE)
        self._east, self._north = scales(self.index.lat)
        self.depths = Depths(self.index, edged & ~self._seam)
        self._areas: dict[int, BaseGeometry] = {}
        self._grown: dict[int, BaseGeometry] = {}
        self._space: dict[tuple[int, bool], SpaceEdges] = {}

    def _make(self, like: "Sequence[tuple[Outlines, Ints, Ints]]") -> None:
        count = len(self.listed)
        self._kind = np.full(count, NOTHING, np.int8)
        self._grow, self._radius = np.zeros(count), np.zeros(count)
        self._centre = np.zeros((count, 3))
        self._seam = np.zeros(count, np.bool_)
        self._box = np.zeros((count, 4))
        self._box[:, 2] = -1.0
        new = np.ones(count, np.bool_)
        parts: list[tuple[Chains, Ints, Ints]] = []
        for old, here, there in like:
            here, there = here[new[here]], there[new[here]]
            for name in _OWN:
                getattr(self, f"_{name}")[here] = getattr(old, f"_{name}")[there]
            parts.append((old._chains, there, here))
            new[here] = False
        fresh = np.flatnonzero(new)
        made = Chains(self._compile(fresh))
        parts.append((made, np.arange(len(fresh)), fresh))
        self._chains: Chains = made if len(fresh) == count else Chains.joined(parts, count)
        self.index: BoxIndex = self._indexed(None)

    def _indexed(self, made: Columns | None) -> BoxIndex:
        lon, lat, wide, high = self._box.T
        return BoxIndex(lon, lat, wide, high, made)

    def columns(self) -> dict[str, Any]:
        """All that compiling made, by name."""
        own = {name: getattr(self, f"_{name}") for name in _OWN}
        return own | self._chains.columns() | self.index.columns()

    def _restore(self, made: Columns) -> None:
        for name in _OWN:
            setattr(self, f"_{name}", made[name])
        self._chains = Chains.of(made)
        self.index = self._indexed(made)

    # ------------------------------------------------------------------ compiling

    def _compile(self, rows: Ints) -> list[list[Floats]]:
        """Fill the columns of these fences; their chains."""
        chains: list[list[Floats]] = []
        for at in range(0, len(rows), compiling.PORTION):
            chains += self._compiled(rows[at : at + compiling.PORTION])
        return chains

    def _compiled(self, rows: Ints) -> list[list[Floats]]:
        fences = [self.listed[row] for row in rows.tolist()]
        self._grow[rows] = [max(fence.catchment, 0.0) for fence in fences]
        plain = compiling.plain_rings(fences)
        self._kind[rows[list(plain)]] = AREA
        chains = [
            plain[k] if k in plain else self._chains_of(row, fence.shape)
            for k, (row, fence) in enumerate(zip(rows.tolist(), fences, strict=True))
        ]
        drawn = [k for k, rings in enumerate(chains) if rings]
        if drawn:
            around = compiling.bounds([chains[k] for k in drawn])
            self._box[rows[drawn]], self._seam[rows[drawn]] = compiling.frames(*around, self._grow[rows[drawn]])
        round_ = [k for k, fence in enumerate(fences) if isinstance(fence.shape, Circle)]
        self._circles(rows[round_], [fences[k].shape for k in round_])
        return chains

    def _chains_of(self, index: int, shape: Shape) -> list[Floats]:
        """What is not plain: lines, and polygons that need mending."""
        if isinstance(shape, Circle):
            return []
        if isinstance(shape, Corridor):
            self._grow[index] += shape.radius
            chains = [line] if len(line := shapes.line(shape)) else []
        else:
            chains = shapes.rings_of(shapes.area(shape))
            if chains or not self._grow[index]:
                self._kind[index] = AREA if chains else NOTHING
                return chains
            chains = shapes.outline(shape)
        if chains:
            self._kind[index] = LINE
        return chains

    def _circles(self, rows: Ints, shapes_: list[Shape]) -> None:
        if len(rows):
            lon, lat, radius = compiling.circles([shape for shape in shapes_ if isinstance(shape, Circle)])
            self._kind[rows], self._radius[rows] = CIRCLE, radius + self._grow[rows]
            self._centre[rows] = np.column_stack(ecef(lat, lon))
            self._box[rows] = np.column_stack([lon, lat, *compiling.spans(lat, self._radius[rows])])

    # ------------------------------------------------------------------ made when first needed

    def _area(self, fence: int) -> BaseGeometry:
        if fence not in self._areas:
            shape = self.listed[fence].shape
            self._areas[fence] = shapes.area(shape) if isinstance(shape, Polygons) else shapely.Polygon()
        return self._areas[fence]

    def _drawn(self, fence: int) -> list[Floats]:
        """The lines that make its border, or that are grown to make it."""
        shape = self.listed[fence].shape
        if isinstance(shape, Corridor):
            return [shapes.line(shape)]
        if isinstance(shape, Polygons):
            return shapes.rings_of(self._area(fence)) or shapes.outline(shape)
        return []

    def _polygons(self, fence: int) -> BaseGeometry:
        """The grown shape of a corridor or a fence with a catchment."""
        if fence not in self._grown:
            base = self._area(fence) if self._kind[fence] == AREA else None
            self._grown[fence] = shapes.grow(self._drawn(fence), base, float(self._grow[fence]))
        return self._grown[fence]

    def _in_space(self, fence: int, grown: bool = False) -> SpaceEdges:
        key = (fence, grown)
        if key not in self._space:
            chains = shapes.rings_of(self._polygons(fence)) if grown else self._drawn(fence)
            self._space[key] = SpaceEdges(chains, bool(self._seam[fence]))
        return self._space[key]
