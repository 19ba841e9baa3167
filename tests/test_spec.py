"""The model's settings: valid or refused in words, and the same after a file."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bayes_sloth import links, spec
from bayes_sloth.errors import InputError
from bayes_sloth.spec import ModelSpec, Priors

UNUSUAL = ModelSpec(
    skills=2,
    link="logistic",
    likelihood="normal",
    interaction=False,
    deviation=False,
    specific=False,
    anchors=("MMLU", "GSM8K"),
    priors=Priors(slope_sd=1.25, tail_mean=2.0),
)


@pytest.mark.parametrize("settings", [ModelSpec(), UNUSUAL], ids=["defaults", "unusual"])
def test_settings_survive_a_file(settings: ModelSpec) -> None:
    back = ModelSpec.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert back == settings and hash(back) == hash(settings)
    assert isinstance(back.priors, Priors)


def test_every_setting_counts_for_equality() -> None:
    for name, other in UNUSUAL.to_dict().items():
        if name not in ("anchors", "skills"):
            value = Priors(**other) if name == "priors" else other
            assert dataclasses.replace(ModelSpec(), **{name: value}) != ModelSpec()


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("link", "richard", "Did you mean 'richards'?"),
        ("link", "Logistic ", "Did you mean 'logistic'?"),
        ("likelihood", "student-t", "Did you mean 'student_t'?"),
        ("likelihood", "betabinomial", "Did you mean 'beta_binomial'?"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(kind: str, name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"unknown {kind} '{name}'") as raised:
        ModelSpec(**{kind: name})
    message = str(raised.value)
    assert message.endswith(hint)
    assert all(valid in message for valid in (spec.LINKS if kind == "link" else spec.LIKELIHOODS))


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(InputError, match=r"unknown link 'xyz': choose from richards, logistic, spline\.$"):
        ModelSpec(link="xyz")


@pytest.mark.parametrize("skills", [0, -1, 2.0, True, "3", None])
def test_skills_are_a_whole_number(skills: object) -> None:
    with pytest.raises(InputError, match=r"skills is .*: give a whole number from 1 up\."):
        ModelSpec(skills=skills)  # type: ignore[arg-type]


@pytest.mark.parametrize("anchors", [("a",), ("a", "b", "c"), ("a", "a"), ()])
def test_anchors_are_one_a_skill(anchors: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"anchors .* do not fit skills=2: name one benchmark a skill\."):
        ModelSpec(skills=2, anchors=anchors)


def test_an_anchor_named_twice_is_refused_even_among_enough_others() -> None:
    with pytest.raises(InputError, match="anchors"):
        ModelSpec(skills=2, anchors=("a", "a", "b"))


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelSpec().skills = 4  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Priors().slope_sd = 4.0  # type: ignore[misc]


def test_settings_show_themselves_whole() -> None:
    shown = repr(UNUSUAL)
    for entry in dataclasses.fields(Priors):
        assert f"{entry.name}={getattr(UNUSUAL.priors, entry.name):g}" in shown
    assert "skills=2" in shown and "anchors=('MMLU', 'GSM8K')" in shown
    assert len(shown.splitlines()) <= 12
    assert max(len(line) for line in shown.splitlines()) <= 150


def test_every_link_of_the_settings_exists() -> None:
    assert set(spec.LINKS) == set(links.LINKS)
