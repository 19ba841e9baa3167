"""Set up JAX and the shape checks before any test imports the package."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxlib
import pytest
from jaxtyping import install_import_hook


def numerics() -> list[str]:
    """Name the modules that carry jaxtyping shapes: these run with every shape and dtype enforced."""
    spec = importlib.util.find_spec("bayes_sloth")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    typed = (p for p in root.rglob("*.py") if "from jaxtyping import" in p.read_text(encoding="utf-8"))
    return [".".join(p.relative_to(root.parent).with_suffix("").parts) for p in typed]


# Half the work of a run is compiling, and this halves it. Later releases may not know these flags, and XLA
# stops a process at a flag that it does not know.
if jaxlib.__version__.startswith("0.10."):
    QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_opt_preset=FAST_COMPILE"
    os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".strip()
os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window
CACHE = tempfile.TemporaryDirectory(prefix="bayes_sloth_tests_")
os.environ["BAYES_SLOTH_CACHE_DIR"] = CACHE.name  # no test reads or fills the user's cache of fits
if "BAYES_SLOTH_TEST_PROGRAMS" not in os.environ:
    # Made by the first process of a run and found by its workers: what one compiled, or fitted for all tests,
    # the others need not.
    PROGRAMS = tempfile.TemporaryDirectory(prefix="bayes_sloth_programs_")
    os.environ["BAYES_SLOTH_TEST_PROGRAMS"] = PROGRAMS.name
jax.config.update("jax_enable_x64", True)
# Tracing makes many objects that live on; looking among them for garbage took a twentieth of a run.
gc.set_threshold(100_000, 50, 50)
SHAPE_CHECKED = numerics()
install_import_hook(SHAPE_CHECKED, "beartype.beartype")


@pytest.fixture(scope="module", autouse=True)
def compiled_with_little_effort(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile without most optimisations, but where a module says `RUNS_LONG`: there running takes longer."""
    runs_long = getattr(request.module, "RUNS_LONG", False)
    if runs_long:
        jax.clear_caches()  # type: ignore[no-untyped-call]
    jax.config.update("jax_disable_most_optimizations", not runs_long)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    if runs_long:  # or the next modules' numbers would differ in their last digits from another process's
        jax.clear_caches()  # type: ignore[no-untyped-call]


MODULES = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def little_kept_in_memory() -> Iterator[None]:
    """Drop compiled programs now and then: those of a whole run take more memory than small machines have."""
    yield
    if next(MODULES) % 6 == 0:  # seldom, for what two neighbours share is traced anew after it
        jax.clear_caches()  # type: ignore[no-untyped-call]
        gc.collect()
