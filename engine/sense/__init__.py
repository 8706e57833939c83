"""Sense: geometry, the fence index, transitions and timers. Pure: signals and time in, transitions out."""

from engine.sense.fences import FenceSet
from engine.sense.fork import fork
from engine.sense.names import Names
from engine.sense.outlines import Columns, Outlines
from engine.sense.sense import Sense
from engine.sense.tables import read_tables

__all__ = ["Columns", "FenceSet", "Names", "Outlines", "Sense", "fork", "read_tables"]
