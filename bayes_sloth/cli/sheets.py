"""What each command prints, as sheets: forecasts, predictions, checks and descriptions of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from bayes_sloth.cli.query import Query
from bayes_sloth.cli.terminal import Column, Row, Sheet, bar_column, field_columns, number, plain
from bayes_sloth.cli.verdicts import report_facts, verdict_lines

if TYPE_CHECKING:
    import pandas as pd

    from bayes_sloth.checking import Check
    from bayes_sloth.posterior import FitReport
    from bayes_sloth.scores import Scores

PREDICTION_COLUMNS: Final = (
    "model",
    "benchmark",
    "mean",
    "median",
    "sd",
    "lower",
    "upper",
    "prob",
    "known_family",
    "extrapolates",
)
# Under twelve characters a bar shows less than the numbers beside it; over forty it adds nothing.
NARROWEST_BAR, WIDEST_BAR = 12, 40


def rows_of(frame: pd.DataFrame, fields: Sequence[str]) -> tuple[Row, ...]:
    """Return the frame's rows as mappings of plain values, with these fields only."""
    return tuple(plain(record) for record in frame.loc[:, list(fields)].to_dict("records"))


def siblings(scores: Scores, query: Query) -> dict[str, tuple[str, float]]:
    """Return, per benchmark, the sibling to compare with and its observed score.

    A sibling is a model of the same family with a score there; the largest of those tuned alike comes first.
    """
    data = scores.data
    places = [place for place, family in enumerate(data["family"].values) if str(family) == query.family]
    tuned, sizes = data["instruct"].values, data["params_b"].fillna(0.0).values
    places.sort(key=lambda place: (bool(tuned[place]) == query.instruct, sizes[place]), reverse=True)
    found: dict[str, tuple[str, float]] = {}
    for column, benchmark in enumerate(scores.benchmarks):
        observed = data["score"].transpose("model", "benchmark").values[:, column]
        place = next((place for place in places if observed[place] == observed[place]), None)
        if place is not None:
            found[benchmark] = (scores.models[place], float(observed[place]))
    return found


def forecast_sheet(
    frame: pd.DataFrame, *, query: Query, scores: Scores, report: FitReport, prob: float, size: str
) -> Sheet:
    """Return the forecast of one model; `size` says how many draws stand behind it."""
    seen = siblings(scores, query)
    rows = tuple(
        {**row, "sibling": sibling, "sibling_score": score}
        for row in rows_of(frame, PREDICTION_COLUMNS)
        for sibling, score in [seen.get(str(row["benchmark"]), (None, None))]
    )
    fit = f"{report.method} fit of {len(scores.models)} models ({size}, seed {report.seed})"
    return Sheet(
        name="forecasts",
        fields=(*PREDICTION_COLUMNS, "sibling", "sibling_score"),
        rows=rows,
        columns=_interval_columns(prob, first="benchmark", last=_sibling_column(rows)),
        facts={**query.row, "prob": prob, "models": len(scores.models), "fit": report_facts(report)},
        above=(
            f"{query.name}: {described(query)}",
            f"{fit}; intervals are of the score that would be observed",
        ),
        below=(*_sibling_lines(rows), *_flag_lines(rows), *verdict_lines(report)),
    )


def described(query: Query) -> str:
    """Return the model in words: family, size, tokens, tuning."""
    active = "" if query.active_params_b is None else f" ({query.active_params_b:g}B active)"
    tokens = "unknown tokens" if query.tokens_t is None else f"{query.tokens_t:g}T tokens"
    tuned = "instruction-tuned" if query.instruct else "base"
    return f"family {query.family}, {query.params_b:g}B parameters{active}, {tokens}, {tuned}"


def prediction_sheet(frame: pd.DataFrame, *, report: FitReport, prob: float) -> Sheet:
    """Return the predictions of several models."""
    rows = rows_of(frame, PREDICTION_COLUMNS)
    return Sheet(
        name="predictions",
        fields=PREDICTION_COLUMNS,
        rows=rows,
        columns=_interval_columns(prob, first="model", last=None),
        facts={"prob": prob, "fit": report_facts(report)},
        below=(*_flag_lines(rows), *verdict_lines(report)),
    )


def fit_sheet(report: FitReport, scores: Scores, out: str) -> Sheet:
    """Return what a finished fit says of itself."""
    rows = (
        {"quantity": "models", "value": len(scores.models)},
        {"quantity": "benchmarks", "value": len(scores.benchmarks)},
        {"quantity": "method", "value": report.method},
        {"quantity": "seed", "value": report.seed},
        {"quantity": "seconds", "value": round(report.seconds, 1)},
        {"quantity": "status", "value": report.status.name.lower()},
        {"quantity": "file", "value": out},
    )
    return Sheet(
        name="summary",
        fields=("quantity", "value"),
        rows=rows,
        columns=lambda width, ascii_only: field_columns(("quantity", "value")),
        facts={"file": out, "fit": report_facts(report)},
        below=(*verdict_lines(report), *(f"  {finding}" for finding in report.findings)),
    )


def check_sheet(check: Check) -> Sheet:
    """Return convergence per quantity, the verdict, the advice and a line or more for every other check."""
    fields = tuple(str(name) for name in check.table.columns)
    return Sheet(
        name="quantities",
        fields=fields,
        rows=rows_of(check.table, fields),
        columns=lambda width, ascii_only: field_columns(fields),
        facts={
            "status": check.status.name.lower(),
            "verdict": check.verdict,
            "advice": list(check.advice),
            "findings": [finding.facts for finding in check.findings],
        },
        below=(
            check.verdict,
            *(f"  {advice}" for advice in check.advice),
            *(line for finding in check.findings[1:] for line in repr(finding).splitlines()),
        ),
    )


def describe_sheet(scores: Scores, *, source: str, warned: Sequence[str]) -> Sheet:
    """Return what the reader understood of a table: one row a benchmark, the rest as facts."""
    facts = table_facts(scores)
    fields = ("benchmark", "floor", "items", "observed", "missing", "lowest", "highest")
    return Sheet(
        name="benchmarks",
        fields=fields,
        rows=tuple(_benchmark_row(scores, benchmark) for benchmark in scores.benchmarks),
        columns=lambda width, ascii_only: field_columns(fields),
        facts={"source": source, **facts, "warnings": list(warned)},
        above=(f"{source}: {facts['models']} models, {len(scores.families)} families", *_fact_lines(facts)),
        below=(f"warnings: {len(warned)}",) if warned else (),
    )


def table_facts(scores: Scores) -> dict[str, Any]:
    """Return counts, ranges and gaps of a table."""
    data = scores.data
    families = Counter(str(family) for family in data["family"].values)
    return {
        "models": len(scores.models),
        "families": {family: families[family] for family in scores.families},
        "instruct_models": int(data["instruct"].sum()),
        "mixture_models": int((data["active_params_b"] < data["params_b"]).sum()),
        "missing_share": float(data["score"].isnull().mean()),
        **{name: _range(data[name]) for name in ("params_b", "tokens_t", "date")},
        "notes": [str(name) for name in scores.notes.columns],
    }


def _range(values: Any) -> dict[str, object]:
    """Return the lowest and highest known value and how many are unknown."""
    unknown = int(values.isnull().sum())
    return plain({"low": values.min(), "high": values.max(), "unknown": unknown})  # type: ignore[no-any-return]


def _benchmark_row(scores: Scores, benchmark: str) -> Row:
    """Return what is known of one benchmark."""
    column = scores.data.sel(benchmark=benchmark)
    observed = column["score"].notnull()
    return plain(  # type: ignore[no-any-return]
        {
            "benchmark": benchmark,
            "floor": column["floor"].values,
            "items": column["items"].where(observed).median().values,
            "observed": int(observed.sum()),
            "missing": int((~observed).sum()),
            "lowest": column["score"].min().values,
            "highest": column["score"].max().values,
        }
    )


def _fact_lines(facts: dict[str, Any]) -> list[str]:
    """Return the facts of a table in words."""

    def span(name: str, unit: str) -> str:
        known = facts[name]
        if known["low"] is None:
            return f"{name}: unknown for all"
        gap = f", unknown for {known['unknown']}" if known["unknown"] else ""
        return f"{name}: {known['low']:g} to {known['high']:g}{unit}{gap}"

    largest = sorted(facts["families"].items(), key=lambda item: -item[1])[:5]
    return [
        "largest families: " + ", ".join(f"{family} ({count})" for family, count in largest),
        f"{facts['instruct_models']} instruction-tuned, {facts['mixture_models']} mixtures of experts",
        "; ".join((span("params_b", " billion"), span("tokens_t", " trillion"), span("date", ""))),
        f"{facts['missing_share']:.0%} of scores missing; notes: {', '.join(facts['notes']) or 'none'}",
    ]


def _interval_columns(
    prob: float, *, first: str, last: Column | None
) -> Callable[[int, bool], Sequence[Column]]:
    """Return the columns of forecasts: names, median, interval, a bar where it fits, and one more."""

    def columns(width: int, ascii_only: bool) -> list[Column]:
        names = [first] if first == "benchmark" else [first, "benchmark"]
        chosen = [Column(name, _shower(name), "left") for name in names]
        chosen += [Column("forecast", _shower("median")), Column(f"{100 * prob:.4g}% interval", _interval)]
        # Longest benchmark name, the two numbers and the gaps take about 44 characters, a model's name 28.
        room = min(WIDEST_BAR, width - 44 - 28 * (len(names) - 1) - (16 if last else 0))
        if room >= NARROWEST_BAR:
            chosen.append(bar_column(room, ascii_only=ascii_only))
        return [*chosen, last] if last else chosen

    return columns


def _shower(name: str) -> Callable[[Row], str]:
    """Return the function that shows one field of a row."""
    return lambda row: number(row.get(name))


def _interval(row: Row) -> str:
    """Return the interval in figures."""
    return f"{number(row['lower'])} to {number(row['upper'])}"


def _sibling_column(rows: Sequence[Row]) -> Column | None:
    """Return the column of siblings' scores, or None where no sibling was measured."""
    return Column("sibling seen", _shower("sibling_score")) if any(row["sibling"] for row in rows) else None


def _sibling_lines(rows: Sequence[Row]) -> list[str]:
    """Return which siblings the last column shows."""
    names = list(dict.fromkeys(str(row["sibling"]) for row in rows if row["sibling"]))
    return [f"sibling seen: the observed score of {', '.join(names)}"] if names else []


def _flag_lines(rows: Sequence[Row]) -> list[str]:
    """Return the flags of the models: a new family, a size or token count outside the data."""
    new = list(dict.fromkeys(str(row["model"]) for row in rows if not row["known_family"]))
    far = list(dict.fromkeys(str(row["model"]) for row in rows if row["extrapolates"]))
    lines = []
    if new:
        lines.append(f"new family, so wide: {', '.join(new)}")
    if far:
        lines.append(f"outside the data's range of size or tokens, so extrapolated: {', '.join(far)}")
    return lines
