"""The heap of the C library, told to give memory back.

Left to itself it learns from the first large block that is freed to keep blocks up to 32 MB in the heap, where what
grows (columns of a million devices, what is read of a hundred thousand fences) leaves holes that nobody fills.
"""

import contextlib
import ctypes
import sys

_MMAP_THRESHOLD = -3
_APART = 1 << 20  # bytes from which a block has pages of its own, which go when it goes


def keep_large_blocks_apart() -> None:
    """For a process that lives long; does nothing where the C library knows nothing of it."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _APART)


def trim() -> None:
    """Return what is free. It takes some milliseconds: for a thread, after much was let go of."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
