"""How the site is built: `sphinx-build -W --keep-going -b html docs site`."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib.metadata import version as version_of
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
PAGES = HERE / "notebooks"  # their copies, which Sphinx reads; git does not see them

os.environ.setdefault("MPLBACKEND", "agg")
# Pages fit small tables, whose programs take longer to compile than to run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
# No page finds a fit that somebody kept before, and none leaves one behind.
os.environ.setdefault("BAYES_SLOTH_CACHE_DIR", tempfile.mkdtemp(prefix="bayes_sloth_docs_"))

project = "bayes_sloth"
author = "bayes_sloth developers"
copyright = author
version = release = version_of("bayes_sloth")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "py:obj"  # names in single backticks become links where there is a page for them

autodoc_typehints = "none"  # docstrings give types in words, with dims and units
autosummary_imported_members = True
numpydoc_show_class_members = False  # the template of classes lists them
numpydoc_class_members_toctree = False

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_number_source_lines = False

html_theme = "pydata_sphinx_theme"
html_title = f"bayes_sloth {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "start": [], "model": [], "trust": [], "gallery": [], "changes": []}
html_theme_options = {
    "logo": {"text": "bayes_sloth"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}


def copy_notebooks() -> None:
    """Copy notebooks beside the pages; one that has been executed already is shown as it is."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") for cell in notebook.cells):
            notebook.metadata["mystnb"] = {"execution_mode": "off"}
        for cell in notebook.cells:
            cell.source = re.sub(r"\]\(\.\./docs/", "](../", cell.source)
        nbformat.write(notebook, PAGES / path.name)


copy_notebooks()
