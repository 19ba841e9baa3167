"""A chain's programs are compiled once, ahead of their need, and whoever needs them finds them."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from fits import compiled_quickly
from oracles import plain_table

import bayes_sloth as bs
from bayes_sloth import transitions
from bayes_sloth.design import Design, design_of
from bayes_sloth.pytree import argument
from bayes_sloth.running import await_programs
from bayes_sloth.space import Space
from bayes_sloth.transitions import Program, advanced, begun, compile_ahead

PLAIN = bs.ModelSpec(
    skills=1, link="logistic", likelihood="normal", interaction=False, deviation=False, specific=False
)
EVENT = "/jax/core/compile/backend_compile_duration"


def table() -> Design:
    return argument(design_of(plain_table(), ("exam 0",)))


def run(program: Program) -> None:
    """Take a chain to its second draw."""
    position, key = jnp.zeros(Space(table(), program.spec).size), jax.random.key(3)
    state, _ = advanced(table(), program, begun(table(), program, position, key), count=1, thin=1)
    jax.block_until_ready(advanced(table(), program, state, count=1, thin=2))  # type: ignore[no-untyped-call]


def compiled_by(work: Any) -> int:
    """Return how many programs of more than a tenth of a second were compiled."""
    seconds = []

    def listen(event: str, duration: float, **_: object) -> None:
        if event == EVENT:
            seconds.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        work()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return sum(duration > 0.1 for duration in seconds)


@pytest.mark.parametrize("method", ["hmc", "nuts"])
def test_a_chain_finds_what_was_compiled_ahead(method: str) -> None:
    """A warm-up that no other test has makes the programs new to this process."""
    with compiled_quickly():
        ahead = Program(PLAIN, method, 41)
        assert compiled_by(lambda: await_programs(compile_ahead(table(), ahead), False)) >= 2
        assert compiled_by(partial(run, ahead)) == 0
        assert compiled_by(partial(run, Program(PLAIN, method, 42))) >= 2


def test_programs_are_traced_before_another_thread_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPyro's handlers are of the whole process: two models traced at a time would mix."""
    tracing = set()

    def traced(space: Space, vector: Any) -> Any:
        tracing.add(threading.current_thread())
        return original(space, vector)

    original = Space.potential
    monkeypatch.setattr(Space, "potential", traced)
    with compiled_quickly():
        await_programs(compile_ahead(table(), Program(PLAIN, "hmc", 43)), False)
    assert tracing == {threading.current_thread()}


def test_chains_of_an_accelerator_are_compiled_when_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one batch, whose program is another."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compile_ahead(table(), Program(PLAIN, "hmc", 44)) == []


def test_what_cannot_be_compiled_is_left_to_who_needs_it() -> None:
    class Bad:
        asked = 0

        def compile(self) -> None:
            self.asked += 1
            raise MemoryError

    bad: Any = Bad()
    transitions._compile(bad)
    assert bad.asked == 1


def test_waiting_shows_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    for seen in (False, True):
        thread = threading.Timer(0.3, lambda: None)
        thread.start()
        await_programs([thread], seen)
        assert not thread.is_alive()
        assert ("compiling: 00:00" in capsys.readouterr().err) == seen
