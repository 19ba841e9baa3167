"""README.md's Python code runs, top to bottom, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fits import FAMILIES, compiled_quickly

import bayes_sloth as bs

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^(?P<skip><!-- skip-test -->\s*\n)?```python[^\n]*\n(?P<code>.*?)^```", re.M | re.S)


def python_blocks(text: str) -> list[str]:
    """Take the fenced python code out of a text; blank lines before it keep the line numbers of the file."""
    blocks = (match for match in BLOCK.finditer(text) if not match["skip"])
    return ["\n" * text.count("\n", 0, match.start("code")) + match["code"] for match in blocks]


def run(text: str, name: str) -> dict[str, object]:
    """Run a text's python blocks one after the other and return the names they leave behind."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(text):
        exec(compile(block, name, "exec"), namespace)
    return namespace


def few_rows() -> bs.Scores:
    """Return what the packaged table holds of a few families and benchmarks, one large enough to hold out."""
    scores = bs.load_leaderboard().select(benchmarks=["MMLU", "ARC", "GSM8K", "BBH", "IFEval"])
    wanted = scores.metadata["family"].isin([*FAMILIES, "opt"]).to_numpy() & scores.observed.any(axis=1)
    return scores.select(models=[name for name, row in zip(scores.models, wanted, strict=True) if row])


@pytest.mark.long
def test_readme_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small part of the packaged table: what its calls do with all of it is tested elsewhere."""
    text = README.read_text(encoding="utf-8")
    assert python_blocks(text), "README.md shows no python code"
    monkeypatch.chdir(tmp_path)
    table = few_rows()
    monkeypatch.setitem(vars(bs), "load_leaderboard", lambda: table)
    with compiled_quickly():
        run(text, str(README))


SAMPLE = """# Title

```sh
not python
```

```python
a = 1
```

<!-- skip-test -->
```python
raise SystemExit
```

```python
b = a + 1
1 / c
```
"""


def test_blocks_share_names_and_marked_ones_are_skipped() -> None:
    assert run(SAMPLE.replace("1 / c", ""), "sample")["b"] == 2


def test_a_failing_block_is_reported_at_its_line() -> None:
    with pytest.raises(NameError) as caught:
        run(SAMPLE, "sample")
    assert caught.traceback[-1].lineno + 1 == SAMPLE.splitlines().index("1 / c") + 1
