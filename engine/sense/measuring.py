"""What the fixes of many (fix, fence) pairs say: inside or not, how far from the border, how likely inside."""

import numpy as np
import shapely

from engine.sense.arithmetic import Bools, Floats, Ints, arc
from engine.sense.chains import Band, Points
from engine.sense.fixes import Fixes
from engine.sense.mass import REACH, circle_mass, edges_mass, near_lost
from engine.sense.outlines import AREA, CIRCLE, LINE, NOTHING, Outlines

ROUNDING = 1e-6  # metres: nearer to an edge than this, Shapely is asked for the side
TOUCHING = 1e-3  # metres: nearer than this, which side a mass is counted from needs care
PLANE = 80.0  # degrees of latitude beyond which one plane does not serve
LOCAL = 12_000.0  # metres to the middle of a circle within which one plane serves


class Measuring(Outlines):
    """Outlines that can be measured against, many pairs at once."""

    def measure(self, fixes: Fixes, at: Ints, fences: Ints) -> tuple[Bools, Floats]:
        """For pairs (index into fixes, fence): inside or not (exactly), and signed metres to the border."""
        inside, metres = np.zeros(len(at), np.bool_), np.full(len(at), -np.inf)
        kind = self._kind[fences]
        round_ = np.flatnonzero(kind == CIRCLE)
        if len(round_):
            metres[round_] = self._to_circle(fixes, at[round_], fences[round_])
            inside[round_] = metres[round_] >= 0.0
        edged = np.flatnonzero((kind == AREA) | (kind == LINE))
        if len(edged):
            inside[edged], metres[edged] = self._to_edges(fixes, at[edged], fences[edged])
        return inside, metres

    def _to_circle(self, fixes: Fixes, at: Ints, fences: Ints) -> Floats:
        dx = fixes.lon[at] - self.index.lon[fences]
        dx -= 360.0 * np.rint(dx / 360.0)
        dx *= 0.5 * (fixes.east[at] + self._east[fences])
        dy = fixes.lat[at] - self.index.lat[fences]
        dy *= 0.5 * (fixes.north[at] + self._north[fences])
        away = np.sqrt(dx * dx + dy * dy)
        far = ((away > LOCAL) | (np.abs(fixes.lat[at]) > PLANE)).nonzero()[0]
        if len(far):
            centre, point = self._centre[fences[far]], at[far]
            x, y, z = (centre[:, k] - fixes.space[k][point] for k in range(3))
            away[far] = arc(x * x + y * y + z * z)
        return self._radius[fences] - away

    def _to_edges(self, fixes: Fixes, at: Ints, fences: Ints) -> tuple[Bools, Floats]:
        points = self.points(fixes, at, fences)
        inside, metres, _ = self._chains.measure(fences, points)
        return self.signed(fences, points, inside, metres)

    def points(self, fixes: Fixes, at: Ints, fences: Ints) -> Points:
        """Where the fixes of pairs are, as their fences see them: longitudes are moved by whole turns to where each
        fence was drawn."""
        lon = fixes.lon[at]
        lon -= 360.0 * np.rint((lon - self.index.lon[fences]) / 360.0)
        return Points(lon, fixes.lat[at], fixes.east[at], fixes.north[at])

    def signed(self, fences: Ints, points: Points, inside: Bools, metres: Floats) -> tuple[Bools, Floats]:
        """From parity and metres to the nearest edge to inside or not (exactly) and signed metres to the border."""
        area, grow = self._kind[fences] == AREA, self._grow[fences]
        inside &= area
        unsure = (area & (metres < ROUNDING)).nonzero()[0]
        if len(unsure):
            areas = np.array([self._area(fence) for fence in fences[unsure].tolist()], object)
            inside[unsure] = shapely.intersects_xy(areas, points.lon[unsure], points.lat[unsure])
        bent = (np.abs(points.lat) > PLANE) | self._seam[fences]
        for k in (bent & (self._kind[fences] != NOTHING)).nonzero()[0]:
            metres[k] = self._in_space(int(fences[k])).distance(float(points.lon[k]), float(points.lat[k]))
        signed = np.where(inside, metres, -metres)
        signed += grow
        return inside | ((grow > 0.0) & (signed >= 0.0)), signed

    def odd(self, fences: Ints, lat: Floats) -> Bools:
        """Pairs whose mass no plane with the drawn edges gives: grown shapes, polar fixes, rings around the Earth."""
        strange: Bools = (self._grow[fences] > 0.0) | (np.abs(lat) > PLANE) | self._seam[fences]
        return strange

    def mass(self, fixes: Fixes, at: Ints, fences: Ints, metres: Floats) -> Floats:
        """P(inside) of pairs with sigma > 0; ``metres`` as ``measure`` gave them."""
        out = np.where(metres >= 0.0, 1.0, 0.0)
        sigma = fixes.sigma[at]
        close = np.abs(metres) < REACH * sigma
        round_ = close & (self._kind[fences] == CIRCLE)
        edged = close & ~round_
        odd = edged & self.odd(fences, fixes.lat[at])
        touching = edged & ~odd & (np.abs(metres) < TOUCHING)
        some = round_.nonzero()[0]
        if len(some):
            out[some] = circle_mass(metres[some] / sigma[some], self._radius[fences[some]] / sigma[some])
        some = (edged & ~odd & ~touching).nonzero()[0]
        if len(some):
            out[some] = self._mass_near(fixes, at[some], fences[some], metres[some])
        some = touching.nonzero()[0]
        if len(some):
            out[some] = self._mass_whole(fixes, at[some], fences[some])
        for k in odd.nonzero()[0]:
            out[k] = self._mass_in_space(fixes, int(at[k]), int(fences[k]))
        return out

    def _mass_near(self, fixes: Fixes, at: Ints, fences: Ints, metres: Floats) -> Floats:
        reach = REACH * fixes.sigma[at]
        everywhere = Band(np.full(len(at), -np.inf), np.full(len(at), np.inf), reach * reach)
        _, _, near = self._chains.measure(fences, self.points(fixes, at, fences), everywhere)
        scale = 1.0 / fixes.sigma[at][near.owner]
        lost = near_lost(near.owner, len(at), *(end * scale for end in near[1:]))
        mass: Floats = np.minimum(np.maximum((metres >= 0.0) - lost, 0.0), 1.0)
        return mass

    def _mass_whole(self, fixes: Fixes, at: Ints, fences: Ints) -> Floats:
        """From all edges; right also on a border."""
        owner, *ends = self._chains.edges(fences, self.points(fixes, at, fences))
        sigma = fixes.sigma[at][owner]
        return edges_mass(owner, len(at), *(end / sigma for end in ends))

    def _mass_in_space(self, fixes: Fixes, at: int, fence: int) -> float:
        edges = self._in_space(fence, grown=self._grow[fence] > 0.0)
        ends = edges.plane(float(fixes.lon[at]), float(fixes.lat[at]))
        x1, y1, x2, y2 = (end / fixes.sigma[at] for end in ends)
        return float(edges_mass(np.zeros(len(x1), np.int64), 1, x1, y1, x2, y2)[0])
