"""numba, where it is installed (``herenow[fast]``): the same results, bit for bit, in less time. Never required.

``load`` is for those who sense much: it takes seconds the first time (what is compiled is kept on disk), so nobody is
to wait for it. Whoever binds fences after that goes by the kernels, and a ``Sense`` that is at work once it is told to
``hasten``.
"""

from pathlib import Path
from types import ModuleType

import numpy as np

from engine import loops
from engine.model.release import SensePolicy
from engine.model.signals import NUMBERS, Lines
from engine.sense import names
from engine.sense.columns import Devices, Stays
from engine.sense.fences import FenceSet
from engine.sense.swift import Given, Swift

kernels: ModuleType | None = None  # None: go by numpy


def load() -> bool:
    """Use the kernels from here on, where numba is installed; whether it is."""
    global kernels
    if kernels is None:
        try:
            with loops.kept_apart(Path(__file__).parent):
                from engine.sense import kernel_names  # noqa: PLC0415  (it may not be there, and takes its time)
                from engine.sense import kernels as found  # noqa: PLC0415
        except ImportError:
            return False
        _rehearse(found)
        kernels, FenceSet.grounded, names.loops = found, True, kernel_names
        Devices().names.rows_of(Lines("nobody"), 1, add=True)
        loops.keep(Path(__file__).parent)
    return True


def kept() -> bool:
    """Whether ``load`` has nothing to compile."""
    return kernels is not None or loops.kept(Path(__file__).parent)


def swift(fences: FenceSet, policy: SensePolicy) -> "Swift | None":
    """The kernels bound to some fences and a policy; None where they are not in use, or cannot go by that policy."""
    return None if kernels is None or policy.enter_probability <= 0.5 else Swift(kernels, fences, policy)


def _rehearse(made: ModuleType) -> None:
    """Compile, or fetch what is compiled."""
    devices, none = Devices(), np.zeros(1)
    given = Given(devices.rows(["nobody"]), np.zeros((len(NUMBERS), 1)), none, none.astype(np.uint8))
    swift = Swift(made, FenceSet.compile(()), SensePolicy())
    swift.advance(given, devices, Stays(), 0.0)
    swift.fire(given.rows, 0.0, devices, Stays())
