"""Options that the commands share: their names, help, defaults and checks."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayes_sloth.arguments import check_number, check_prob
from bayes_sloth.errors import InputError

if TYPE_CHECKING:
    from bayes_sloth.spec import ModelSpec


class Method(StrEnum):
    """Ways to fit."""

    HMC = "hmc"
    NUTS = "nuts"
    MAP = "map"
    LAPLACE = "laplace"


class Link(StrEnum):
    """Monotone curves from skill to score."""

    RICHARDS = "richards"
    LOGISTIC = "logistic"
    SPLINE = "spline"


class Likelihood(StrEnum):
    """Observation laws."""

    STUDENT_T = "student_t"
    NORMAL = "normal"
    BETA_BINOMIAL = "beta_binomial"
    BETA = "beta"


class Form(StrEnum):
    """Forms of a printed result."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


_FIT, _OUTPUT, _MODEL = "How to fit", "Output", "The model to forecast"

ScoresFile = Annotated[
    Path | None,
    typer.Option("--scores", help="Your own table of scores, CSV or Parquet; else the packaged one."),
]
Percent = Annotated[bool, typer.Option("--percent", help="The scores are in percent: divide them by 100.")]
Denormalise = Annotated[
    list[str] | None,
    typer.Option(
        help="A benchmark or model whose scores have chance subtracted: turn it back. May be repeated."
    ),
]

ModelsFile = Annotated[
    Path | None,
    typer.Option("--models", help="Family, size and tokens of the models, where FILE holds only scores."),
]

Family = Annotated[
    str | None, typer.Option(help="Its family, as the table spells it.", rich_help_panel=_MODEL)
]
ParamsB = Annotated[
    float | None, typer.Option(help="Its size, billions of parameters.", rich_help_panel=_MODEL)
]
TokensT = Annotated[
    float | None,
    typer.Option(help="Its training tokens, trillions; leave out when unknown.", rich_help_panel=_MODEL),
]
Instruct = Annotated[
    bool, typer.Option("--instruct", help="It is instruction-tuned.", rich_help_panel=_MODEL)
]
ActiveParamsB = Annotated[
    float | None,
    typer.Option(help="Billions of parameters active per token, for mixtures.", rich_help_panel=_MODEL),
]
Name = Annotated[str | None, typer.Option(help="What to call it.", rich_help_panel=_MODEL)]

MethodOption = Annotated[
    Method,
    typer.Option(
        "--method",
        help="hmc, nuts: full posterior; laplace: its normal approximation; map: a point, quick.",
        rich_help_panel=_FIT,
    ),
]
Seed = Annotated[int, typer.Option(help="Same seed, same result.", rich_help_panel=_FIT)]
Chains = Annotated[int, typer.Option(help="Chains of NUTS.", rich_help_panel=_FIT)]
Draws = Annotated[int, typer.Option(help="Draws kept per chain.", rich_help_panel=_FIT)]
Warmup = Annotated[int, typer.Option(help="Warm-up steps per chain.", rich_help_panel=_FIT)]
Skills = Annotated[int, typer.Option(help="Latent skills in the model.", rich_help_panel=_FIT)]
LinkOption = Annotated[
    Link | None, typer.Option("--link", help="Curve from skill to score.", rich_help_panel=_FIT)
]
LikelihoodOption = Annotated[
    Likelihood | None, typer.Option("--likelihood", help="Law of an observed score.", rich_help_panel=_FIT)
]
CheckpointFolder = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="Folder to keep the chains in: killed, the same command goes on from there.",
        rich_help_panel=_FIT,
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Fit again and keep no copy.", rich_help_panel=_FIT)
]

Prob = Annotated[float, typer.Option(help="Probability inside the interval.", rich_help_panel=_OUTPUT)]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Which checks beside convergence, such as predictive; all where none is named."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone on stdout.", rich_help_panel=_OUTPUT)]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, alone on stdout.", rich_help_panel=_OUTPUT)]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no notes; warnings stay.", rich_help_panel=_OUTPUT),
]


@dataclass(frozen=True)
class FitSettings:
    """Arguments of `fit` as the command line gives them, checked when made."""

    method: str
    seed: int
    chains: int
    draws: int
    warmup: int

    def __post_init__(self) -> None:
        """Refuse what no fit can use.

        Raises
        ------
        InputError
            A seed outside 32 bits, or a count below one.
        """
        check_number("--seed", self.seed, 0)
        for name in ("chains", "draws", "warmup"):
            check_number(f"--{name}", getattr(self, name))

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the settings as keyword arguments of `fit`."""
        return asdict(self)

    @property
    def size(self) -> str:
        """Return how many draws stand behind the fit, in words."""
        if self.method == Method.MAP:
            return "a point estimate"
        return f"{self.chains} x {self.draws} draws"


def spec_of(skills: int, link: Link | None, likelihood: Likelihood | None) -> ModelSpec:
    """Return the model with the choices made and the package's defaults for the rest.

    Raises
    ------
    InputError
        Fewer than one skill.
    """
    import bayes_sloth as bs

    check_number("--skills", skills)
    spec = bs.ModelSpec(skills=skills)
    spec = spec if link is None else replace(spec, link=link.value)
    return spec if likelihood is None else replace(spec, likelihood=likelihood.value)


def form_of(json: bool, csv: bool) -> Form:
    """Return the form to print in.

    Raises
    ------
    InputError
        Both forms are asked for.

    Examples
    --------
    >>> form_of(json=False, csv=True).value
    'csv'
    """
    if json and csv:
        raise InputError("--json and --csv exclude each other: choose one.")
    return Form.JSON if json else Form.CSV if csv else Form.TABLE


def checked(json: bool, csv: bool, prob: float, seed: int = 0) -> Form:
    """Check what nearly every command takes, before anything that lasts.

    Raises
    ------
    InputError
        Both forms are asked for, or the probability or the seed is out of range.

    Examples
    --------
    >>> checked(json=True, csv=False, prob=0.9).value
    'json'
    """
    check_prob(prob, "--prob")
    check_number("--seed", seed, 0)
    return form_of(json, csv)


def pairs_of(texts: list[str], option: str) -> dict[str, float]:
    """Return options of the form NAME=NUMBER as numbers by name.

    Raises
    ------
    InputError
        If one has another form, or a name comes twice.

    Examples
    --------
    >>> pairs_of(["MMLU=0.7", "MATH Lvl 5=0.3"], "--score")
    {'MMLU': 0.7, 'MATH Lvl 5': 0.3}
    """
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not (name and equals and math.isfinite(number)):
            raise InputError(f"{option} {text!r}: give a name and a number, such as MMLU=0.7.")
        if name in found:
            raise InputError(f"{option} names {name!r} twice: give each once.")
        found[name] = number
    return found
