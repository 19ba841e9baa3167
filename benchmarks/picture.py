"""Draw the README's pictures: forecasts of held-out models with the truth, and the paper's table.

python benchmarks/holdout.py --csv holdout.csv
python benchmarks/picture.py holdout.csv docs/pictures/forecast.png
python benchmarks/paper_table.py --laws ours,published --csv paper.csv
python benchmarks/picture.py paper.csv docs/pictures/paper.png
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import pandas as pd

SHOWN = ("llama-3-70b", "llama-3-70b-instruct")
INK, BAND = "#1f3b5c", "#8fb3d9"
OURS = "ours"
# Pooled errors that the paper's authors saved: three skills, and the best of their one to four.
SETTINGS = ("v1·1", "v1·2", "v2·1", "v2·2", "joint·1", "joint·2")
AUTHORS = (0.0425, 0.0438, 0.0404, 0.0379, 0.0360, 0.0513)
AUTHORS_BEST = (0.0400, 0.0436, 0.0320, 0.0379, 0.0360, 0.0477)


def draw(table: pd.DataFrame) -> plt.Figure:
    """Draw one panel a model: intervals of 50 and 90 percent, median, truth."""
    figure, panels = plt.subplots(1, len(SHOWN), figsize=(10, 4.2), sharey=True, layout="constrained")
    for panel, name in zip(panels, SHOWN, strict=True):
        own = table[table["model"] == name]
        for prob, width in ((0.9, 3), (0.5, 8)):
            part = own[own["prob"] == prob]
            panel.hlines(part["benchmark"], part["lower"], part["upper"], color=BAND, linewidth=width)
        panel.plot(part["median"], part["benchmark"], "|", color=INK, markersize=11, label="forecast")
        truth = {"mfc": "white", "mec": INK, "markersize": 6, "label": "observed, held out"}
        panel.plot(part["truth"], part["benchmark"], "o", **truth)
        panel.set(title=name, xlabel="score (share of items)", xlim=(0, 1))
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[0].invert_yaxis()
    panels[0].legend(loc="upper left", frameon=False)
    figure.suptitle(
        "Forecast from the family's models of at most 8B and all other families: 50% and 90% intervals"
    )
    return figure


def draw_paper(cases: pd.DataFrame) -> plt.Figure:
    """Draw our errors beside the authors', setting by setting, and how much our intervals hold."""
    own = cases[cases["law"] == OURS]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=[3, 2], layout="constrained")
    error = own.groupby("setting")["absolute_error"].mean().reindex(SETTINGS)
    left.plot(
        SETTINGS, AUTHORS, "s", mfc="white", mec=INK, markersize=8, label="Sloth d = 3, authors' errors"
    )
    left.plot(SETTINGS, AUTHORS_BEST, "_", color=INK, markersize=18, label="their best d of each setting")
    left.plot(SETTINGS, error, "o", color=INK, markersize=9, label="bayes_sloth, one default")
    left.set(
        ylabel="mean absolute error (share of items)", ylim=(0, None), title="Error on the paper's folds"
    )
    left.legend(frameon=False, loc="lower right")
    levels = [0.5, 0.8, 0.9, 0.95]
    right.plot([0, 1], [0, 1], color=BAND, linewidth=3, label="as promised")
    right.plot(levels, [own[f"inside_{level:g}"].mean() for level in levels], "o", color=INK, label="held")
    right.set(xlabel="probability of the interval", ylabel="share of held-out scores inside")
    right.set(xlim=(0.4, 1), ylim=(0.4, 1), title="All six settings together")
    right.legend(frameon=False, loc="lower right")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Read a table and write its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("picture")
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    figure = draw_paper(table) if "setting" in table else draw(table[table["held_out"] == "named"])
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
