"""The commands that decide: which size reaches a score, how to spend a budget."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.terminal import Sheet, field_columns

if TYPE_CHECKING:
    from bayes_sloth.plan.allocations import Allocation
    from bayes_sloth.plan.targets import Target

plan_app = typer.Typer(
    help="Decisions: which size, how to spend a budget, what to measure.", no_args_is_help=True
)
app.add_typer(plan_app, name="plan")

Family = Annotated[str, typer.Option("--family", help="Family of the model, as the table spells it.")]
Goals = Annotated[
    list[str],
    typer.Option("--score", help="What to reach, such as MMLU=0.7; repeat it for several."),
]
Aims = Annotated[
    list[str],
    typer.Option(
        "--objective",
        help="Benchmark or skill to make the most of; for a mix repeat it with weights, as MMLU=2.",
    ),
]
Sure = Annotated[float, typer.Option("--prob", help="How sure it has to be.")]
Tokens = Annotated[float | None, typer.Option("--tokens-t", help="Training tokens of every size, trillions.")]
Ratio = Annotated[float | None, typer.Option("--tokens-per-param", help="Training tokens a parameter.")]
Budget = Annotated[float | None, typer.Option("--budget-flops", help="Training compute of every size.")]
Flops = Annotated[float, typer.Option("--flops", help="The budget, such as 1e24.")]
Used = Annotated[
    float | None,
    typer.Option("--inference-tokens-t", help="Tokens in use that the budget pays for too, trillions."),
]
Tuned = Annotated[bool, typer.Option("--instruct", help="It is instruction-tuned.")]
Expected = Annotated[
    bool, typer.Option("--expected", help="Of the expected score, without the noise of one test run.")
]


@plan_app.command(epilog="Example: bayes-sloth plan target fit.nc --family qwen2.5 --score MMLU-PRO=0.5")
@guarded
def target(
    fit: FitFile,
    family: Family,
    score: Goals,
    prob: Sure = 0.9,
    tokens_t: Tokens = None,
    tokens_per_param: Ratio = None,
    budget_flops: Budget = None,
    instruct: Tuned = False,
    expected: Expected = False,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell the smallest size of a family that reaches one score, or several together."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.cli.verdicts import with_verdict

    form = opt.checked(json, csv, prob, seed)
    goals = opt.pairs_of(score, "--score")
    posterior = bs.load(fit)
    tokens = {"tokens_t": tokens_t, "tokens_per_param": tokens_per_param, "budget_flops": budget_flops}
    kind = "expected" if expected else "score"
    found = bs.plan.target(
        posterior, family, goals, prob=prob, instruct=instruct, kind=kind, seed=seed, **tokens
    )
    emit(with_verdict(target_sheet(found), posterior.report), form)
    return int(posterior.report.status)


@plan_app.command(
    epilog="Example: bayes-sloth plan allocate fit.nc --family llama-3 --flops 1e24 --objective MMLU"
)
@guarded
def allocate(
    fit: FitFile,
    family: Family,
    flops: Flops,
    objective: Aims,
    inference_tokens_t: Used = None,
    instruct: Tuned = False,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell how to split a budget between size and tokens, and what other splits would cost."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.cli.verdicts import with_verdict

    form = opt.checked(json, csv, prob, seed)
    aim = objective[0] if len(objective) == 1 and "=" not in objective[0] else None
    goal = aim if aim is not None else opt.pairs_of(objective, "--objective")
    posterior = bs.load(fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "default", bs.FitWarning)
        found = bs.plan.allocate(
            posterior,
            family,
            flops,
            goal,
            inference_tokens_t=inference_tokens_t,
            instruct=instruct,
            prob=prob,
            seed=seed,
        )
    emit(with_verdict(allocation_sheet(found), posterior.report), form)
    return int(posterior.report.status)


def target_sheet(found: Target) -> Sheet:
    """Return the answer and the curve behind it."""
    from bayes_sloth.cli.sheets import rows_of

    fields = tuple(str(column) for column in found.curve.columns)
    low, high = found.between
    facts = {
        "family": found.family,
        "wanted": dict(found.wanted),
        "prob_wanted": found.prob,
        "kind": found.kind,
        "tokens": found.tokens,
        "size": found.size,
        "between": [low, high],
        "verdict": found.verdict,
        "scores": list(rows_of(found.scores, tuple(map(str, found.scores.columns)))),
    }
    return Sheet(
        name="curve",
        fields=fields,
        rows=rows_of(found.curve, fields),
        columns=lambda width, ascii_only: field_columns(fields),
        facts=facts,
        above=(found.verdict, found.question, found.tokens),
    )


def allocation_sheet(found: Allocation) -> Sheet:
    """Return the answer and the regret of every split."""
    from bayes_sloth.cli.sheets import rows_of

    def listed(name: str) -> list[object]:
        frame = getattr(found, name)
        return list(rows_of(frame, tuple(map(str, frame.columns))))

    fields = tuple(str(column) for column in found.choices.columns)
    hidden = {"tokens_per_param", "training_flops", "regret_upper", "mcse"}
    shown = tuple(field for field in fields if field not in hidden)
    return Sheet(
        name="choices",
        fields=fields,
        rows=rows_of(found.choices, fields),
        columns=lambda width, ascii_only: field_columns(shown),
        facts={
            "family": found.family,
            "objective": found.objective,
            "flops": found.flops,
            "inference_tokens_t": found.inference_tokens_t,
            "prob": found.prob,
            "params_b": found.params_b,
            "tokens_t": found.tokens_t,
            "optimum": listed("optimum"),
            "beyond": listed("beyond"),
        },
        above=tuple(line.strip() for line in repr(found).splitlines()),
    )
