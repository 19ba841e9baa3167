"""The examples in the package's docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import bayes_sloth

ROOT = Path(bayes_sloth.__file__).parent
PROMPT = re.compile(r"^\s*>>> ", re.M)


def modules_with_examples() -> list[str]:
    """Name the modules whose text holds a doctest prompt."""
    shown = (path for path in sorted(ROOT.rglob("*.py")) if PROMPT.search(path.read_text(encoding="utf-8")))
    dotted = (".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in shown)
    return [name.removesuffix(".__init__") for name in dotted]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYES_SLOTH_CACHE_DIR", str(tmp_path / "cache"))  # put back if an example changes it
    module = importlib.import_module(name)
    ran = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    written = len(PROMPT.findall(Path(str(module.__file__)).read_text(encoding="utf-8")))
    assert ran.failed == 0
    assert ran.attempted == written, "doctest did not find every example of this module"
