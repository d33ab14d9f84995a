"""Hours of composed machines in virtual time; a failure prints the scenario that reproduces it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.resilience.simulation.actors import Scenario, Violation
from tests.core.resilience.simulation.simulation import Simulation
from tests.example_counts import scale_examples


def run(scenario: Scenario) -> Simulation:
    simulation = Simulation(scenario)
    simulation.run()
    return simulation


def test_the_laws_hold_for_hours_under_every_condition() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(4):
        outcomes.update(run(Scenario(seed=seed, hours=3.0)).outcomes)
    assert outcomes["ok"] > outcomes.total() / 2
    assert {"AllFallbacksFailed", "DeadlineExceeded", "Cancelled", "InvalidRequest", "StreamInterrupted"} <= set(
        outcomes
    )


def test_the_same_scenario_gives_the_same_run() -> None:
    first, second = run(Scenario(seed=7)), run(Scenario(seed=7))
    assert (first.outcomes, first.clock.steps) == (second.outcomes, second.clock.steps)
    assert list(first.clock.trace) == list(second.clock.trace)
    assert run(Scenario(seed=8)).clock.steps != first.clock.steps


scenarios = st.builds(
    Scenario,
    seed=st.integers(0, 10**6),
    hours=st.just(0.5),
    calls_per_burst=st.integers(5, 60),
    vendors=st.integers(1, 3),
    concurrency=st.integers(1, 10),
    requests_per_minute=st.integers(3, 60),
    max_retries=st.integers(0, 4),
    max_tries=st.integers(1, 10),
    queue_size=st.integers(0, 20),
    max_wait=st.floats(0, 120),
    half_open_probes=st.integers(1, 4),
)


@settings(max_examples=scale_examples(15), deadline=None)
@given(scenarios)
def test_the_laws_hold_for_any_settings(scenario: Scenario) -> None:
    run(scenario)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_the_laws_hold_for_ten_thousand_hours(seed: int) -> None:
    run(Scenario(seed=1000 + seed, hours=100.0, bursts_per_hour=2, calls_per_burst=30))


def test_a_broken_law_prints_a_scenario_that_can_be_run_again() -> None:
    simulation = Simulation(Scenario(seed=3))
    simulation.clock.tell("something happened")
    with pytest.raises(
        Violation, match=r"(?s)too bad\nat 0.0; run again with\n\n    Simulation\(Scenario\(seed=3, .*something"
    ):
        simulation.require(False, "too bad")
