"""What the commands print of the fit behind an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bayes_sloth.cli.terminal import Sheet
from bayes_sloth.errors import FitStatus

if TYPE_CHECKING:
    from bayes_sloth.posterior import FitReport


def with_verdict(sheet: Sheet, report: FitReport) -> Sheet:
    """Return a sheet that tells below what the fit behind it says of itself."""
    facts = {**sheet.facts, "fit": report_facts(report)}
    return replace(sheet, facts=facts, below=(*sheet.below, *verdict_lines(report)))


def verdict_lines(report: FitReport) -> tuple[str, ...]:
    """Return what the fit says of itself: one line with the verdict, then its messages."""
    words = {
        FitStatus.FINE: "fit: fine",
        FitStatus.NOT_TRUSTED: "fit: NOT to be trusted as it stands",
        FitStatus.WRONG_INPUT: "fit: wrong input",
    }
    return (words[report.status], *(f"  {message}" for message in report.messages))


def report_facts(report: FitReport) -> dict[str, object]:
    """Return the fit report as JSON holds it."""
    return {
        "method": report.method,
        "seed": report.seed,
        "status": report.status.name.lower(),
        "messages": list(report.messages),
        "findings": list(report.findings),
        "seconds": report.seconds,
        "versions": dict(report.versions),
        "data_digest": report.data_digest,
    }
