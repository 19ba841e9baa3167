"""The examples in the package's docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

import bayes_sloth
from bayes_sloth.fitting import fit

ROOT = Path(bayes_sloth.__file__).parent
TABLES: Final[dict[str, Any]] = {}  # by their digests
PROMPT = re.compile(r"^\s*>>> ", re.M)


def modules_with_examples() -> list[str]:
    """Name the modules whose text holds a doctest prompt."""
    shown = (path for path in sorted(ROOT.rglob("*.py")) if PROMPT.search(path.read_text(encoding="utf-8")))
    dotted = (".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in shown)
    return [name.removesuffix(".__init__") for name in dotted]


@cache
def remembered(digest: str, spec: Any, settings: tuple[tuple[str, Any], ...]) -> Any:
    """Fit a table once, however many examples begin with the same fit."""
    return fit(TABLES[digest], spec, **dict(settings))


def fit_once(scores: Any, spec: Any = None, **settings: Any) -> Any:
    """Stand in for `bs.fit`."""
    TABLES[scores.digest] = scores
    return remembered(scores.digest, spec, tuple(sorted(settings.items())))


@pytest.mark.long
@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bayes_sloth, "fit", fit_once)
    monkeypatch.setenv("BAYES_SLOTH_CACHE_DIR", str(tmp_path / "cache"))  # put back if an example changes it
    module = importlib.import_module(name)
    ran = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    written = len(PROMPT.findall(Path(str(module.__file__)).read_text(encoding="utf-8")))
    assert ran.failed == 0
    assert ran.attempted == written, "doctest did not find every example of this module"
