"""The package's shape: which module may import which, what stays light, and what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import bayes_sloth as bs

ROOT = Path(bs.__file__).parent

# A module imports only from those before it. `__init__` and `__main__` stand outside and may import anything.
# The package itself is for the command line alone; the others take its version at most.
ORDER = (
    # words
    *("names", "errors", "arguments", "compute", "files", "versions", "watching", "compiling"),
    # the law
    *("links", "curve", "rotation", "spec"),
    # scores in
    *("catalogue", "tables"),
    *("scores", "assembly", "reading", "datasets"),
    # scores held out
    *("folds", "kinship", "fold_tables", "protocols"),
    # a table as the model sees it
    *("pooling", "covariates", "deviations", "lines", "typical", "design", "identify"),
    # the model, and fits of it
    *("observation", "effects", "benchmark_curve", "likelihood", "model", "pytree", "simulation", "space"),
    *("stretching", "kernels"),
    *(
        "modes",
        "checkpoints",
        "resuming",
        "snapshots",
        "transitions",
        "batch",
        "running",
        "sampling",
        "refitting",
    ),
    *(
        "posterior",
        "expectation",
        "pointwise",
        "diagnostics",
        "convergence",
        "distrust",
        "starting",
        "fitting",
    ),
    # what a fit says
    *(
        "questions",
        *("asking", "partial_scores", "local_effects"),
        "prediction",
        "weighting",
        "asked_skills",
        "conditioning",
        "metrics",
        "checks",
        "checking",
        "calibration",
    ),
    # what its skills say
    *("alignment", "summaries", "skill_tables", "skill_doubts", "skill_draws", "growing"),
    "score_curves",
    # judging and using it
    *(
        "laws",
        "scoring",
        "shelf",
        "evaluation",
        "evaluation_tables",
        *("skill_counts", "comparing"),
        *("scarce_tables", "scarce_model"),
        "scarce",
        "equivalent_tables",
        "equivalents",
        "passk",
        "plan",
    ),
    # showing it
    *("plots", "report", "caching", "cli"),
)
OUTSIDE = {"__init__", "__main__"}
TAKES_THE_PACKAGE = {"cli"}
MAY_LOAD_JAX = {
    "links",
    "curve",
    "observation",
    "effects",
    "benchmark_curve",
    "likelihood",
    "model",
    "pytree",
    "simulation",
    "space",
}
MAY_LOAD_JAX |= {"stretching", "snapshots", "transitions", "batch", "running", "starting"}
MAY_LOAD_JAX |= {
    "kernels",
    "modes",
    "sampling",
    "refitting",
    "expectation",
    "pointwise",
    "convergence",
    "distrust",
    "fitting",
}
MAY_LOAD_JAX |= {
    "questions",
    *("asking", "local_effects"),
    "prediction",
    "weighting",
    "asked_skills",
    "conditioning",
    "checks",
    "checking",
    "calibration",
    "scarce_model",
    "scarce",
    "equivalents",
    "items",
    "plan",
}
MAY_LOAD_JAX |= {
    "rotation",
    "alignment",
    "skill_draws",
    "growing",
    "comparing",
    "score_curves",
    "skill_counts",
}
HEAVY = ("pandas", "jax", "numpyro", "xarray")  # what neither `import bayes_sloth` nor `--help` may load
DRAWS = {"plots", "report"}


def module_of(path: Path, root: Path) -> str:
    """Name the first part below the package: `scores`, or `plots` for every file of plots/."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports_in(path: Path, root: Path) -> Iterator[tuple[str, int]]:
    """List the absolute dotted names a file imports, wherever in the file, with their lines."""
    package = (root.name, *path.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, node.module] if node.module else above)
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def wrong_edges(root: Path) -> list[str]:
    """Say in words which imports of ours point down the order, and which modules have no place in it."""
    present = {module_of(path, root) for path in root.rglob("*.py")} - OUTSIDE
    unplaced = present - set(ORDER)
    found = [f"add module {module} to ORDER in tests/test_architecture.py" for module in sorted(unplaced)]
    for path in sorted(root.rglob("*.py")):
        module = module_of(path, root)
        if module in OUTSIDE | unplaced:
            continue
        for name, line in imports_in(path, root):
            parts = name.split(".")
            if parts[0] != root.name or parts[1:] == ["__version__"]:
                continue
            if len(parts) == 1 and module in TAKES_THE_PACKAGE:
                continue
            target = parts[1] if len(parts) > 1 else "__init__"
            place = f"{path.relative_to(root)}:{line}"
            if target == module or target in unplaced:
                continue
            if target not in ORDER:
                found.append(f"{place} imports {name}: name the module that holds it, not the package")
            elif ORDER.index(target) > ORDER.index(module):
                found.append(f"{place} imports {target}, which stands after {module} in ORDER")
    return found


def public_definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """List the public functions and classes of a file, and the public methods of those classes."""
    level = list(ast.parse(path.read_text(encoding="utf-8")).body)
    for node in level:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node
            if isinstance(node, ast.ClassDef):
                level.extend(node.body)


def loaded_by(code: str, names: tuple[str, ...]) -> list[str]:
    """Run code in a new process and say which of the named packages it loaded."""
    probe = f"import sys\n{code}\nprint(*(n for n in {names!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_imports_follow_the_order() -> None:
    wrong = wrong_edges(ROOT)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("file", "code", "message"),
    [
        ("names.py", "import bayes_sloth.scores", "imports scores, which stands after names"),
        ("scores.py", "from bayes_sloth.cli import main", "imports cli, which stands after scores"),
        ("spec.py", "def f():\n    from bayes_sloth import fitting", "spec.py:2 imports fitting"),
        ("laws/ols.py", "from ..plan import cost", "imports plan, which stands after laws"),
        ("cli.py", "from bayes_sloth import fit", "name the module that holds it"),
        ("plan.py", "import bayes_sloth", "name the module that holds it"),
        ("novel.py", "", "add module novel to ORDER"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path: Path, file: str, code: str, message: str) -> None:
    path = tmp_path / "bayes_sloth" / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    wrong = wrong_edges(tmp_path / "bayes_sloth")
    assert len(wrong) == 1 and message in wrong[0]


def test_right_imports_pass(tmp_path: Path) -> None:
    (tmp_path / "bayes_sloth" / "laws").mkdir(parents=True)
    lines = ("import numpy", "from ..scores import Scores", "from . import sibling")
    lines += ("from bayes_sloth import names", "from bayes_sloth import __version__")
    (tmp_path / "bayes_sloth" / "laws" / "ols.py").write_text("\n".join(lines), encoding="utf-8")
    assert wrong_edges(tmp_path / "bayes_sloth") == []


def test_only_plots_and_report_import_matplotlib() -> None:
    users = {
        module_of(path, ROOT)
        for path in ROOT.rglob("*.py")
        for name, _ in imports_in(path, ROOT)
        if name.split(".")[0] == "matplotlib"
    }
    assert users <= DRAWS


def test_no_module_carries_the_name_of_a_public_function() -> None:
    modules = {module_of(path, ROOT) for path in ROOT.rglob("*.py")}
    assert not modules & set(bs.__all__)


@pytest.mark.parametrize("module", ["bayes_sloth", "bayes_sloth.cli"])
def test_import_is_light(module: str) -> None:
    assert loaded_by(f"import {module}", HEAVY) == []


def test_light_modules_load_without_jax() -> None:
    present = sorted({module_of(path, ROOT) for path in ROOT.rglob("*.py")} - MAY_LOAD_JAX - OUTSIDE)
    lines = (f"import bayes_sloth.{m}; assert 'jax' not in sys.modules, '{m} loads jax'" for m in present)
    assert loaded_by("\n".join(lines), ("jax", "numpyro")) == []


def test_public_names_are_few_and_resolve() -> None:
    assert len(bs.__all__) <= 30
    assert len(set(bs.__all__)) == len(bs.__all__)
    assert set(bs.__all__) | set(bs._GROUPS) | {"__version__"} == set(dir(bs))
    assert [getattr(bs, name).__name__ for name in bs._GROUPS] == [f"bayes_sloth.{n}" for n in bs._GROUPS]
    for name in bs.__all__:
        assert getattr(bs, name).__name__ == name


def test_type_checkers_see_the_same_names() -> None:
    seen = {
        alias.asname: node.module
        for block in ast.parse(Path(bs.__file__).read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"bayes_sloth.{home}" for name, home in bs._HOMES.items()}
    assert seen == homes | dict.fromkeys(bs._GROUPS, "bayes_sloth")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'forecast'"):
        _ = bs.forecast


def test_public_definitions_have_docstrings() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted(ROOT.rglob("*.py"))
        for node in public_definitions(path)
        if not ast.get_docstring(node)
    ]
    assert not bare, "without a docstring:\n" + "\n".join(bare)


def test_public_functions_show_an_example() -> None:
    things = {name: getattr(bs, name) for name in bs.__all__}
    functions = {name: thing for name, thing in things.items() if not inspect.isclass(thing)}
    assert [name for name, thing in functions.items() if ">>> " not in (inspect.getdoc(thing) or "")] == []


def test_shapes_are_enforced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook of conftest refuses a wrong shape, and every module with shapes came through it."""
    code = "from jaxtyping import Array, Float\ndef f(x: Float[Array, 'model skill']) -> None: ..."
    (tmp_path / "shaped_probe.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with install_import_hook("shaped_probe", "beartype.beartype"):
        probe = importlib.import_module("shaped_probe")
    vector = importlib.import_module("jax.numpy").zeros(3)
    with pytest.raises(Exception, match="Type-check error"):
        probe.f(vector)
    for path in ROOT.rglob("*.py"):
        if "from jaxtyping import" in path.read_text(encoding="utf-8"):
            name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
            loader = importlib.import_module(name).__spec__.loader
            assert type(loader).__module__.startswith("jaxtyping"), f"{name} was imported before the hook"


# As ArviZ 1.x does with packages it may need: they load when they are first used.
STAND_IN = """
import sys
from importlib import import_module, util
spec = util.find_spec("numpyro")
spec.loader = util.LazyLoader(spec.loader)
sys.modules["numpyro"] = util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["numpyro"])
import_module(sys.argv[1])
import numpyro
print(hasattr(numpyro.distributions, "distribution"))
"""


@pytest.mark.parametrize(
    ("name", "whole"), [("bayes_sloth.prediction", True), ("numpyro.distributions.util", False)]
)
def test_numpyro_is_whole_though_arviz_put_a_stand_in_in_its_place(name: str, whole: bool) -> None:
    done = subprocess.run([sys.executable, "-c", STAND_IN, name], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(whole)]


def test_numpyro_itself_is_imported_before_its_parts() -> None:
    """A part that is imported through a stand-in is lost; `from numpyro import` loads what stands behind."""
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        parts = [module for module in found if module.split(".")[0] == "numpyro"]
        assert not parts or parts[0] == "numpyro", f"{path.name}: begin with `from numpyro import`"
