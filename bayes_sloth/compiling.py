"""What compiling takes: how much effort, for programs that run once or twice, and memory."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

# XLA's own words for little effort; JAX sets the same where `jax_disable_most_optimizations` is on. Forecasts
# by a full posterior compile in 4 s instead of 7 and run in .8 s instead of .6, prior draws compile in 5
# instead of 12.
LITTLE_EFFORT: Final = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def give_back_memory() -> None:
    """Give back to the system what has been freed: compiling a large table's chains leaves a gigabyte so.

    Running them leaves a fifth as much. The C library keeps freed memory for itself otherwise, and large
    arrays never get it. Does nothing where the library is not glibc.

    Examples
    --------
    >>> give_back_memory()
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
