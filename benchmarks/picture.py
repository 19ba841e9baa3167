"""Draw the README's pictures: forecasts of held-out models with the truth, the paper's table, coverage.

python benchmarks/holdout.py --csv holdout.csv
python benchmarks/picture.py holdout.csv docs/pictures/forecast.png
python benchmarks/paper_table.py --laws ours,published --csv paper.csv
python benchmarks/picture.py paper.csv docs/pictures/paper.png
python benchmarks/picture.py paper.csv docs/pictures/coverage.png --coverage
"""

from __future__ import annotations

import argparse

import pandas as pd
from matplotlib.figure import Figure

from bayes_sloth.evaluation_tables import SETTING, coverage_curve
from bayes_sloth.plots.forecasts import LAW, plot_coverage, plot_forecasts, plot_settings
from bayes_sloth.scoring import averaged

SHOWN = ("llama-3-70b", "llama-3-70b-instruct")
# Pooled errors that the paper's authors saved: three skills, and the best of their one to four.
SETTINGS = ("v1·1", "v1·2", "v2·1", "v2·2", "joint·1", "joint·2")
AUTHORS = {
    "Sloth d = 3, authors' errors": (0.0425, 0.0438, 0.0404, 0.0379, 0.0360, 0.0513),
    "their best d of each setting": (0.0400, 0.0436, 0.0320, 0.0379, 0.0360, 0.0477),
}


def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel a model: intervals of 50 and 90 percent, median, truth."""
    named = table[(table["held_out"] == "named") & table["prob"].isin([0.5, 0.9])]
    return plot_forecasts(named[named["model"].isin(SHOWN)], by="model")


def with_authors(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of every law in every setting, the authors' at the end."""
    found = averaged(cases, [SETTING, LAW]).reset_index()
    theirs = [pd.DataFrame({SETTING: SETTINGS, LAW: law, "MAE": mae}) for law, mae in AUTHORS.items()]
    return pd.concat([found, *(part[part[SETTING].isin(found[SETTING])] for part in theirs)])


def main() -> None:
    """Read a table and write its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("picture")
    parser.add_argument("--coverage", action="store_true", help="of the laws of the paper's folds")
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    if SETTING not in table:
        figure = draw(table)
    elif options.coverage:
        # A fold of one setting is another one in the next.
        folds = table["fold"].astype(str) + " of " + table[SETTING]
        figure = plot_coverage(coverage_curve(table.assign(fold=folds)))
    else:
        figure = plot_settings(with_authors(table))
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
