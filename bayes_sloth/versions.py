"""Versions of the packages that decide a fit's numbers."""

from __future__ import annotations

import sys
from importlib import metadata

from bayes_sloth import __version__


def versions_of_packages() -> dict[str, str]:
    """Return the versions of this package, of the numerical ones, and Python's minor release.

    Examples
    --------
    >>> sorted(versions_of_packages())
    ['bayes_sloth', 'jax', 'jaxlib', 'numpy', 'numpyro', 'python']
    """
    found = {name: metadata.version(name) for name in ("numpyro", "jax", "jaxlib", "numpy")}
    return found | {
        "bayes_sloth": __version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
