"""Draw the README's picture: forecasts of held-out models with what was then observed.

python benchmarks/holdout.py --csv holdout.csv
python benchmarks/picture.py holdout.csv docs/pictures/forecast.png
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import pandas as pd

SHOWN = ("llama-3-70b", "llama-3-70b-instruct")
INK, BAND = "#1f3b5c", "#8fb3d9"


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


def main() -> None:
    """Read the hold-out table and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("picture")
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    draw(table[table["held_out"] == "named"]).savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
