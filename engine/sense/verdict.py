"""What a fix says of a fence: surely inside, surely outside, or how likely. For many pairs, only whether something may
change; for one pair, all of it."""

import math
from typing import NamedTuple

import numpy as np

from engine.model.release import SensePolicy
from engine.sense import plain
from engine.sense.arithmetic import Bools, Floats, Ints
from engine.sense.chains import Band
from engine.sense.fences import FenceSet
from engine.sense.fixes import Fixes
from engine.sense.machine import ENTERING, ENTERING_FIRST, LEAVING, UNKNOWN, Evidence
from engine.sense.mass import REACH, SIGMA_PER_ACCURACY, circle_mass, near_lost
from engine.sense.measuring import LOCAL, PLANE, ROUNDING, TOUCHING
from engine.sense.outlines import AREA, CIRCLE, NOTHING

# What is known of a pair before it is judged: no stay, simply inside, or anything else. Of some else it is known what
# changes nothing: being out while leaving, in while entering, neither while lost.
OUTSIDE, INSIDE, EITHER, AWAY, COMING, LOST = range(6)
KNOWN: Ints = np.full(8, EITHER)  # by the state of a stay
KNOWN[[0, LEAVING, ENTERING, ENTERING_FIRST, UNKNOWN]] = INSIDE, AWAY, COMING, COMING, LOST


class Thresholds:
    """A policy's probabilities, and the distances in sigmas at which they are certain whatever the shape: a disc of d
    sigmas holds 1 − e**(−d²/2) of the mass."""

    def __init__(self, policy: SensePolicy) -> None:
        self.enter = policy.enter_probability
        self.exit = round(1.0 - policy.exit_probability, 12)
        self.surely_in = _sigmas(1.0 - self.enter)
        self.surely_not_in = _sigmas(self.enter)
        self.surely_out = _sigmas(self.exit)
        self.surely_not_out = _sigmas(1.0 - self.exit)


def _sigmas(mass: float) -> float:
    return math.sqrt(-2.0 * math.log(min(max(mass, 1e-300), 1.0)))


class Fix(NamedTuple):
    """One usable fix, with what all fences need to know of it."""

    lon: float
    lat: float
    accuracy: float
    sigma: float
    east: float
    north: float

    @classmethod
    def of(cls, lon: float, lat: float, accuracy: float) -> "Fix":
        """From degrees and metres."""
        return cls(lon, lat, accuracy, accuracy * SIGMA_PER_ACCURACY, *plain.scales(lat))

    def to(self, other: "Fix", share: float) -> "Fix":
        """On the straight way (in lon/lat) to another fix, as sure as they are."""
        lon = self.lon + share * plain.wrap(other.lon - self.lon)
        accuracy = self.accuracy + share * (other.accuracy - self.accuracy)
        return Fix.of(lon, self.lat + share * (other.lat - self.lat), accuracy)

    def away(self, other: "Fix") -> float:
        """Metres between them, in one plane."""
        dx = plain.wrap(other.lon - self.lon) * (0.5 * (self.east + other.east))
        dy = (other.lat - self.lat) * (0.5 * (self.north + other.north))
        return math.sqrt(dx * dx + dy * dy)

    def column(self) -> Fixes:
        """The same as a column of one."""
        return Fixes.one(self.lat, self.lon, self.accuracy)


class Pairs(NamedTuple):
    """Pairs of fix and fence: what is ``known`` of them, and their ``bound`` (see ``Depths``). The first ones lie in
    the fence's box, at ``u`` and ``v``."""

    at: Ints
    fence: Ints
    known: Ints
    bound: Floats
    u: Floats
    v: Floats

    def lesson(self, some: Ints) -> tuple[Floats, Floats]:
        """Places in their boxes of those of some pairs (ascending) that lie there."""
        boxed = some[: int(np.searchsorted(some, len(self.u)))]
        return self.u[boxed], self.v[boxed]


class Judge:
    """Verdicts under one policy and one set of fences."""

    def __init__(self, fences: FenceSet, policy: SensePolicy) -> None:
        self.fences, self.policy, self.limits = fences, policy, Thresholds(policy)
        self._kind = fences._kind.data
        self._grow, self._radius = fences._grow.data, fences._radius.data
        self._seam = fences._seam.data
        self._lon, self._lat = fences.index.lon.data, fences.index.lat.data
        self._east, self._north = fences._east.data, fences._north.data
        chains = fences._chains
        self._chain = (chains.kind.data, chains.first.data, chains.rows.data)

    # ------------------------------------------------------------------ many pairs

    def many(self, fixes: Fixes, pairs: "Pairs") -> list[tuple[int, int, Evidence]]:
        """(fix, fence, evidence) of the pairs that may change something, in order."""
        limits, sigma, known = self.limits, fixes.sigma[pairs.at], pairs.known
        mine = known == INSIDE
        # what is farther in, or farther out, than this is sure to change nothing
        low = np.where(known == OUTSIDE, -(sigma * limits.surely_not_in), -np.inf)
        high = np.where(mine, sigma * limits.surely_not_out, np.inf)
        unsure = ((pairs.bound >= low) & (pairs.bound <= high)).nonzero()[0]
        if not len(unsure):
            return []
        at, fences, sigma, low, high = pairs.at[unsure], pairs.fence[unsure], sigma[unsure], low[unsure], high[unsure]
        inside, metres, mass = np.zeros(len(at), np.bool_), np.empty(len(at)), np.empty(len(at))
        round_ = self.fences._kind[fences] == CIRCLE
        some = round_.nonzero()[0]
        if len(some):
            metres[some] = self.fences._to_circle(fixes, at[some], fences[some])
            inside[some] = metres[some] >= 0.0
            mass[some] = self._round(fences[some], metres[some], sigma[some], low[some], high[some])
        if len(some) < len(at):
            some = (~round_).nonzero()[0] if len(some) else np.arange(len(at))
            inside[some], metres[some], mass[some] = self._edged(
                fixes, at[some], fences[some], sigma[some], low[some], high[some], pairs.lesson(unsure[some])
            )
        return self._tell(at, fences, known[unsure], inside, metres, mass, sigma)

    def _tell(
        self, at: Ints, fences: Ints, known: Ints, inside: Bools, metres: Floats, mass: Floats, sigma: Floats
    ) -> list[tuple[int, int, Evidence]]:
        limits, depth = self.limits, np.abs(metres)
        into = (mass >= limits.enter) & (inside | (depth <= sigma * limits.surely_not_in))
        into |= inside & (depth >= sigma * limits.surely_in)
        out = (mass <= limits.exit) & (~inside | (depth <= sigma * limits.surely_not_out))
        out |= ~inside & (depth >= sigma * limits.surely_out)
        precise = (sigma == 0.0).nonzero()[0]
        into[precise], out[precise], mass[precise] = inside[precise], ~inside[precise], inside[precise]
        told = np.where(known == OUTSIDE, into, out)
        rare = (known > INSIDE).nonzero()[0]
        if len(rare):
            state, into_, out_ = known[rare], into[rare], out[rare]
            told[rare] = (
                (state == EITHER)
                | ((state == AWAY) & ~out_)
                | ((state == COMING) & ~into_)
                | ((state == LOST) & (into_ | out_))
            )
        told = told.nonzero()[0]
        columns = (column[told].tolist() for column in (at, fences, into, out, mass, metres))
        return [(fix, fence, Evidence(*seen)) for fix, fence, *seen in zip(*columns, strict=True)]

    def _round(self, fences: Ints, metres: Floats, sigma: Floats, low: Floats, high: Floats) -> Floats:
        """P(inside) of circles, where it may matter."""
        mass = np.where(metres >= 0.0, 1.0, 0.0)
        some = ((metres > low) & (metres < high) & (np.abs(metres) < REACH * sigma)).nonzero()[0]
        if len(some):
            sigma = sigma[some]
            mass[some] = circle_mass(metres[some] / sigma, self.fences._radius[fences[some]] / sigma)
        return mass

    def _edged(
        self,
        fixes: Fixes,
        at: Ints,
        fences: Ints,
        sigma: Floats,
        low: Floats,
        high: Floats,
        lesson: tuple[Floats, Floats],
    ) -> tuple[Bools, Floats, Floats]:
        """Inside or not, signed metres, and P(inside) where it may matter, of shapes with edges."""
        all_, points = self.fences, self.fences.points(fixes, at, fences)
        odd, reach = all_.odd(fences, points.lat), REACH * sigma
        band = Band(np.maximum(np.where(odd, np.inf, low), -reach), np.minimum(high, reach), reach * reach)
        inside, metres, near = all_._chains.measure(fences, points, band)
        inside, metres = all_.signed(fences, points, inside, metres)
        boxed = len(lesson[0])
        all_.depths.learn(fences[:boxed], *lesson, metres[:boxed])
        mass = (metres >= 0.0).astype(np.float64)
        if len(near.owner):
            scale = 1.0 / sigma[near.owner]
            mass -= near_lost(near.owner, len(at), *(end * scale for end in near[1:]))
            mass = np.minimum(np.maximum(mass, 0.0), 1.0)
        rare = (metres > low) & (metres < high) & (np.abs(metres) < reach) & (odd | (np.abs(metres) < TOUCHING))
        some = rare.nonzero()[0]
        if len(some):
            mass[some] = all_.mass(fixes, at[some], fences[some], metres[some])
        return inside, metres, mass

    # ------------------------------------------------------------------ one pair

    def one(self, fix: Fix, fence: int, known: int, u: float = math.inf, v: float = 0.0) -> Evidence | None:
        """What a fix says of a fence; None where nothing can come of it. ``u``, ``v``: where in the fence's box the
        fix lies, if it does."""
        limits, sigma, depths = self.limits, fix.sigma, self.fences.depths
        boxed = u != math.inf
        if boxed:
            bound = depths.look_one(fence, u, v)
            if known == INSIDE:
                bored = bound > sigma * limits.surely_not_out
            else:
                bored = known == OUTSIDE and bound < -(sigma * limits.surely_not_in)
            if bored:
                return None
        inside, metres, near = self._measure(fix, fence)
        if boxed:
            depths.learn_one(fence, u, v, metres)
        if fix.accuracy == 0.0:
            if (known == INSIDE) == inside and known != EITHER:
                return None
            return Evidence(inside, not inside, 1.0 if inside else 0.0, metres)
        depth = abs(metres)
        into = inside and depth >= sigma * limits.surely_in
        out = not inside and depth >= sigma * limits.surely_out
        may_enter = known != INSIDE and (inside or depth <= sigma * limits.surely_not_in)
        may_leave = known != OUTSIDE and (not inside or depth <= sigma * limits.surely_not_out)
        if not may_enter and not may_leave:
            return None
        probability = self._mass(fix, fence, metres, near)
        if may_enter and not into:
            into = probability >= limits.enter
        if may_leave and not out:
            out = probability <= limits.exit
        if (known == INSIDE and not out) or (known == OUTSIDE and not into):
            return None
        return Evidence(into, out, probability, metres)

    def depth(self, fix: Fix, fence: int) -> float:
        """Signed metres to the border, positive inside."""
        return self._measure(fix, fence)[1]

    def probability(self, fix: Fix, fence: int) -> float:
        """P(inside)."""
        inside, metres, near = self._measure(fix, fence)
        return (1.0 if inside else 0.0) if fix.accuracy == 0.0 else self._mass(fix, fence, metres, near)

    def _measure(self, fix: Fix, fence: int) -> tuple[bool, float, list[plain.Edge] | None]:
        """Inside or not, signed metres, and the edges near by where they were looked at one by one."""
        kind = self._kind[fence]
        if kind == NOTHING:
            return False, -math.inf, None
        lon = self._frame(fix.lon, fence)
        if kind == CIRCLE and abs(fix.lat) <= PLANE:
            dx = plain.wrap(fix.lon - self._lon[fence]) * (0.5 * (fix.east + self._east[fence]))
            dy = (fix.lat - self._lat[fence]) * (0.5 * (fix.north + self._north[fence]))
            away = math.sqrt(dx * dx + dy * dy)
            if away <= LOCAL:
                return self._radius[fence] >= away, self._radius[fence] - away, None
        elif kind != CIRCLE and not self._seam[fence] and abs(fix.lat) <= PLANE and self._chain[2][fence] == 1:
            block, row = self._chain[0][fence], self._chain[1][fence]
            chains, reach = self.fences._chains, REACH * fix.sigma
            xs, ys = chains.blocks[block][row].tolist()
            odd, square, near = plain.trace(xs, ys, lon, fix.lat, fix.east, fix.north, reach * reach)
            away = math.sqrt(square)
            if kind != AREA:
                grow = self._grow[fence]
                return grow > 0.0 and grow - away >= 0.0, grow - away, None
            if away >= ROUNDING:
                grow = self._grow[fence]
                metres = (away if odd else -away) + grow
                return odd or (grow > 0.0 and metres >= 0.0), metres, near if grow == 0.0 else None
        inside, signed = self.fences.measure(fix.column(), np.array([0]), np.array([fence]))
        return bool(inside[0]), float(signed[0]), None

    def _frame(self, lon: float, fence: int) -> float:
        return lon - 360.0 * round((lon - self._lon[fence]) / 360.0)

    def _mass(self, fix: Fix, fence: int, metres: float, near: list[plain.Edge] | None) -> float:
        if abs(metres) >= REACH * fix.sigma:
            return 1.0 if metres >= 0.0 else 0.0
        if self._kind[fence] == CIRCLE:
            return plain.circle_mass(metres / fix.sigma, self._radius[fence] / fix.sigma)
        if near is not None and abs(metres) >= TOUCHING:
            mass = (1.0 if metres >= 0.0 else 0.0) - plain.lost(near, fix.sigma)
            return min(max(mass, 0.0), 1.0)
        mass_of = self.fences.mass(fix.column(), np.array([0]), np.array([fence]), np.array([metres]))
        return float(mass_of[0])
