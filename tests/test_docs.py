"""The documentation names all that is public, its links lead somewhere, and its code runs."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fits
import pytest
from test_readme import python_blocks, run

import bayes_sloth as bs
from bayes_sloth import laws, protocols
from bayes_sloth.checking import CHECKS, CONVERGENCE
from bayes_sloth.model import sloth
from bayes_sloth.names import SITE_DIMS
from bayes_sloth.plots import checks as pictures

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
if not (DOCS / "conf.py").is_file():
    pytest.skip("a source distribution has no documentation", allow_module_level=True)

PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"_build", "notebooks", "reference"} & set(p.parts))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FENCE = re.compile(r"^(?P<mark>`{3,})(?P<kind>[^\n]*)\n(?P<text>.*?)^(?P=mark)\s*$", re.M | re.S)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
SUMMARY = re.compile(r"currentmodule:: (?P<module>\S+)\n.*?autosummary::\n(?P<names>.*?)\Z", re.S)
CAPTION = re.compile(r"^:caption: (?P<name>\S+\.csv)\n", re.M)


def text_of(page: Path) -> str:
    """Return a page's Markdown; of a notebook, the Markdown of its cells."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n\n".join(
        "".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"
    )


def fenced(page: Path, kind: str) -> Iterator[str]:
    """Yield the fenced blocks of a kind, such as `python`."""
    yield from (m["text"] for m in FENCE.finditer(text_of(page)) if m["kind"].strip().startswith(kind))


def documented() -> set[str]:
    """Name everything that the reference has a page for, with its module."""
    blocks = (SUMMARY.search(block) for block in fenced(DOCS / "api.md", "{eval-rst}"))
    found = [(b["module"], re.findall(r"^ +([A-Za-z_]\w*)$", b["names"], re.M)) for b in blocks if b]
    return {f"{module}.{name}" for module, names in found for name in names}


def public_functions(module: Any) -> set[str]:
    """Name the public functions that a module defines itself."""
    here = inspect.getmembers(module, inspect.isfunction)
    return {name for name, thing in here if name[0] != "_" and thing.__module__ == module.__name__}


def anchors(page: Path) -> set[str]:
    """Return what a link may name behind #: headings as GitHub and MyST write them."""
    words = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", word).strip().lower().replace(" ", "-") for word in words}


def test_every_public_name_has_a_page() -> None:
    wanted = {f"bayes_sloth.{name}" for name in bs.__all__}
    wanted |= {f"bayes_sloth.laws.{name}" for name in (*laws._HOMES, "Law", "Forecast")}
    kinds = (t for _, t in inspect.getmembers(protocols, inspect.isclass))
    own = [t.__name__ for t in kinds if t.__module__ in (protocols.__name__, "bayes_sloth.fold_tables")]
    wanted |= {f"bayes_sloth.protocols.{name}" for name in own}
    wanted |= {f"bayes_sloth.simulation.{name}" for name in ("Simulation",)}
    assert not wanted - documented(), "add these to docs/api.md"


def test_every_plot_has_a_page_and_a_picture() -> None:
    gallery = text_of(DOCS / "gallery.md")
    for path in sorted(Path(pictures.__file__).parent.glob("[a-z]*.py")):
        module = __import__(f"bayes_sloth.plots.{path.stem}", fromlist=["plots"])
        for name in public_functions(module):
            assert f"{module.__name__}.{name}" in documented(), f"add {name} to docs/api.md"
            assert f"{name}(" in gallery, f"show {name} in docs/gallery.md"
    for name in pictures.PICTURES:
        assert f'plot_finding(found["{name}"])' in gallery, f"show the picture of {name} in docs/gallery.md"


def test_what_the_reference_names_exists() -> None:
    for name in documented():
        module, _, last = name.rpartition(".")
        assert hasattr(__import__(module, fromlist=[last]), last), name


def test_every_quantity_is_in_the_notation_table() -> None:
    told = set(re.findall(r"`(\w+)`", text_of(DOCS / "model.md")))
    scalars = {"tail", "inheritance", "moe_weight"}
    source = inspect.getsource(inspect.getmodule(sloth))  # type: ignore[arg-type]
    assert all(f'sample("{name}"' in source for name in scalars)
    assert (set(SITE_DIMS) | scalars) <= told


def test_every_check_is_explained() -> None:
    assert {CONVERGENCE, *CHECKS} <= set(re.findall(r"^### (.+)$", text_of(DOCS / "trust.md"), re.M))


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS, ROOT / "README.md"], ids=lambda p: p.stem)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(text_of(page)):
        target, _, anchor = link["target"].partition("#")
        if re.match(r"\w+:", target):
            continue
        place = (page.parent / target).resolve() if target else page
        # The site shows notebooks beside the pages.
        place = ROOT / "notebooks" / place.name if place.parent == DOCS / "notebooks" else place
        assert place.exists(), f"{page.name}: {link['target']}"
        assert not anchor or anchor in anchors(place), f"{page.name}: {link['target']}"


@pytest.mark.parametrize("page", [p for p in PAGES if "{toctree}" in p.read_text()], ids=lambda p: p.stem)
def test_contents_name_pages(page: Path) -> None:
    for block in fenced(page, "{toctree}"):
        for line in block.splitlines():
            entry = line.split("<")[-1].rstrip(">").strip()
            if entry and not entry.startswith(":") and "*" not in entry:
                assert (page.parent / f"{entry}.md").is_file(), f"{page.name}: {entry}"


def test_every_page_is_in_the_contents() -> None:
    listed = {
        (page.parent / line.split("<")[-1].rstrip(">").strip()).resolve()
        for page in PAGES
        for block in fenced(page, "{toctree}")
        for line in block.splitlines()
    }
    assert [p.name for p in PAGES if p.with_suffix("") not in listed | {DOCS / "index"}] == []


def test_notebooks_have_no_outputs() -> None:
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None, f"clear {path.name}"


def code_of(page: Path) -> str:
    """Return all the Python of a page, blocks that take too long for a test included."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return "\n".join([*fenced(page, "python"), *(_bare(b) for b in fenced(page, "{code-cell}"))])


def _bare(cell: str) -> str:
    return "\n".join(line for line in cell.splitlines() if not line.startswith(":"))


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda p: p.stem)
def test_calls_name_arguments_that_exist(page: Path) -> None:
    """In code that is not run here, too."""
    for node in ast.walk(ast.parse(code_of(page))):
        name = re.fullmatch(r"bs\.(\w+)", ast.unparse(node.func if isinstance(node, ast.Call) else node))
        if name is None or name[1] in bs._GROUPS:
            continue
        assert name[1] in (*bs.__all__, *bs._GROUPS), f"{page.name}: {name[0]}"
        if isinstance(node, ast.Call):
            known = inspect.signature(getattr(bs, name[1])).parameters
            wrong = [k.arg for k in node.keywords if k.arg and k.arg not in known]
            assert not wrong, f"{page.name}: {name[0]} has no {wrong}"


@pytest.mark.long
@pytest.mark.parametrize("page", sorted((DOCS / "howto").glob("*.md")), ids=lambda p: p.stem)
def test_howtos_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few rows, and on stand-ins for fits: fitting is tested elsewhere."""
    monkeypatch.chdir(tmp_path)
    for block in fenced(page, "{code-block}"):
        if title := CAPTION.search(block):
            Path(title["name"]).write_text(block[title.end() :], encoding="utf-8")
    few, made = fits.table(), {"map": fits.map_fit(), "hmc": fits.ideal_fit()}
    monkeypatch.setitem(vars(bs), "load_leaderboard", lambda: few)
    monkeypatch.setitem(vars(bs), "fit", lambda *table, method="hmc", **options: made[method])
    with fits.compiled_quickly():
        left = run(text_of(page), str(page))
    assert set(left) > {"__name__", "__builtins__"} or not python_blocks(text_of(page)), "nothing ran"


def test_the_law_of_the_contributors_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    few = fits.table()
    monkeypatch.setitem(vars(bs), "load_leaderboard", lambda: few)
    assert "law" in " ".join(run(text_of(DOCS / "contributing.md"), "contributing.md")).lower()
