"""What has to be done for releases of the libraries underneath to work together."""

from __future__ import annotations

# Before ArviZ: its 1.x puts stand-ins that load later in place of samplers' packages it may need, and a
# submodule of NumPyro imported through a stand-in is lost when the package itself loads.
import numpyro
from arviz_stats.base.array import array_stats as array_stats

assert numpyro.distributions
