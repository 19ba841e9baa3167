"""The model's settings and priors, frozen, each default with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from bayes_sloth.arguments import check_scales, check_whole
from bayes_sloth.errors import InputError, unknown_name

LINKS: Final = ("richards", "logistic", "spline")
LIKELIHOODS: Final = ("student_t", "normal", "beta_binomial", "beta")


@dataclass(frozen=True)
class Priors:
    """Prior scales, all on the scale of logits and of covariates with mean 0 and standard deviation 1.

    Names ending in `_mean` and `_sd` are the moments of a normal; for positive quantities, of its logarithm.

    Examples
    --------
    >>> Priors(slope_sd=1.0).slope_sd
    1.0
    """

    # One standard deviation of log size or log tokens is about a factor of five: it moves most published
    # benchmarks by half a logit to one and a half, and never by five.
    slope_mean: float = 0.7
    slope_sd: float = 0.7
    # Size and tokens may help or hinder each other; the product of two standardised logs reaches 4.
    interaction_sd: float = 0.3
    # Losses fall as powers .3 of size and of tokens, a standard deviation of their logs is 1.2 to 1.4 here;
    # whether skills do is for the data to say, straight lines and stronger bends are both within reach.
    curvature_mean: float = 0.3
    curvature_sd: float = 0.2
    # The average model of the table scores about the average of each benchmark: within one logit of it.
    intercept_sd: float = 1.0
    # A benchmark asks for several skills in parts that sum to about one; a negative loading stays possible.
    loading_mean: float = 0.4
    loading_sd: float = 0.6
    # Families differ by less than the size range does: half to one and a half logits.
    family_scale_mean: float = -0.35  # exp(-0.35) = 0.7
    family_scale_sd: float = 0.5
    # Efficiency at one skill goes along with efficiency at another, either way: entries of a Cholesky factor.
    family_correlation_sd: float = 0.5
    # Tuning moves instruction following by about a logit and other skills by less.
    tuning_sd: float = 0.7
    # Large models gain more from tuning, or less: up to half of a skill's slope on log size.
    tuning_slope_sd: float = 0.3
    tuning_scale_mean: float = -1.2  # exp(-1.2) = 0.3
    tuning_scale_sd: float = 0.6
    # A family departs from the shared slopes by about a fifth of a logit for every factor of five in size.
    deviation_scale_mean: float = -1.6  # exp(-1.6) = 0.2
    deviation_scale_sd: float = 0.5
    # What is specific to a line on one benchmark is a tenth of a logit: two points and a half at mid-range.
    specific_scale_mean: float = -2.3  # exp(-2.3) = 0.1
    specific_scale_sd: float = 0.6
    # Chance floors are known to about a point: prompts and extraction move them.
    lower_sd: float = 0.02
    # Wrong keys and ambiguous items cap benchmarks at 80 to 97 percent: logit of how far the
    # reach is from the share at the pivot to 1.
    reach_mean: float = 2.0
    reach_sd: float = 0.6
    # Half to twice is a visible bend away from the logistic curve.
    asymmetry_sd: float = 0.5
    # Two and four logits from its pivot a benchmark is half as steep to twice as steep.
    bend_sd: float = 0.4
    # What the law leaves unexplained is about three points at mid-range.
    misfit_mean: float = -3.5  # exp(-3.5) = 0.03
    misfit_sd: float = 0.5
    # Faulty runs are rare but real: four more degrees of freedom than the least that has a variance.
    tail_mean: float = 1.4  # exp(1.4) = 4
    tail_sd: float = 0.5
    # A fine-tune keeps about half of what sets its parent apart: Beta(2, 2) on the share kept.
    inheritance_shape: float = 2.0
    # Between active and total parameters, neither is ruled out: Beta(2, 2) on the weight of the active ones.
    moe_shape: float = 2.0

    def __post_init__(self) -> None:
        """Reject what is no number, and scales that are not positive."""
        check_scales("Priors", **vars(self))

    def __repr__(self) -> str:
        """List every number, four to a line."""
        pairs = [f"{entry.name}={getattr(self, entry.name):g}" for entry in fields(self)]
        lines = [", ".join(pairs[i : i + 4]) for i in range(0, len(pairs), 4)]
        return "Priors(\n    " + ",\n    ".join(lines) + ",\n)"


@dataclass(frozen=True)
class ModelSpec:
    """Which model to fit.

    Parameters
    ----------
    skills : int
        Number of skills d. Four forecast held-out siblings better than the published three.
    link : {"richards", "logistic", "spline"}
        Curve from skill to score. Richards, because hard benchmarks rise late and saturate early.
    likelihood : {"student_t", "normal", "beta_binomial", "beta"}
        Observation law. Student-t, because published tables hold faulty runs.
    interaction : bool
        Whether log size times log tokens enters the law; the paper has it.
    deviation : bool
        Whether families may depart from the shared slopes. Without it intervals are too narrow.
    specific : bool
        Whether a family's base or tuned models may have something of their own on benchmarks that are no
        anchor, apart from their skills (the specific factors of factor analysis). Forecasts of siblings are
        better with it, and the posterior has fewer modes.
    anchors : tuple of str, optional
        One benchmark a skill, whose logit is that skill's unit; chosen from the data where None.
    priors : Priors
        Prior scales.

    Raises
    ------
    InputError
        If a name or number is not valid; the message lists the valid ones.

    Examples
    --------
    >>> ModelSpec(skills=2).skills
    2
    """

    skills: int = 4
    link: str = "richards"
    likelihood: str = "student_t"
    interaction: bool = True
    deviation: bool = True
    specific: bool = True
    anchors: tuple[str, ...] | None = None
    priors: Priors = field(default_factory=Priors)

    def __post_init__(self) -> None:
        """Check names and counts."""
        check_whole("ModelSpec", skills=self.skills)
        for kind, name, known in (("link", self.link, LINKS), ("likelihood", self.likelihood, LIKELIHOODS)):
            if name not in known:
                raise unknown_name(kind, name, known)
        if self.anchors is None:
            return
        if (
            not isinstance(self.anchors, tuple)
            or not len(self.anchors) == len(set(self.anchors)) == self.skills
        ):
            raise InputError(
                f"ModelSpec: anchors {self.anchors!r} do not fit skills={self.skills}: "
                "name one benchmark a skill."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for a file.

        Returns
        -------
        dict
            `ModelSpec.from_dict` reads it back.

        Examples
        --------
        >>> ModelSpec.from_dict(ModelSpec().to_dict()) == ModelSpec()
        True
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> ModelSpec:
        """Return the settings that `to_dict` wrote.

        Parameters
        ----------
        plain : dict
            From `to_dict`, also after a trip through JSON.

        Returns
        -------
        ModelSpec
            Equal to the one written.

        Examples
        --------
        >>> ModelSpec.from_dict(ModelSpec(skills=4).to_dict()).skills
        4
        """
        anchors = None if plain["anchors"] is None else tuple(plain["anchors"])
        return cls(**(plain | {"anchors": anchors, "priors": Priors(**plain["priors"])}))

    def __repr__(self) -> str:
        """Show every setting and every prior."""
        settings = [f"{entry.name}={getattr(self, entry.name)!r}" for entry in fields(self)[:-1]]
        return f"ModelSpec({', '.join(settings)},\n  priors={self.priors!r})"
