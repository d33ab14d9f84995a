"""Checks of what callers configure: what is accepted, and what the report says of the rest."""

from __future__ import annotations

import pytest

from victor_fp.core.resilience.bounds import (
    find_count_problem,
    find_duration_problem,
    find_policy_problem,
    find_timeout_problem,
)
from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.retry import RetryPolicy

NAN = float("nan")


@pytest.mark.parametrize("value", [1, 0.001, float("inf")])
def test_a_positive_number_is_a_timeout(value: float) -> None:
    assert find_timeout_problem(value) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-1, "-1"),
        ("10", "str"),
        (None, "NoneType"),
        (True, "bool"),
        (NAN, "nan"),
        (10**400, "int"),
        ([], "list"),
    ],
)
def test_other_values_are_rejected_as_a_timeout(value: object, shown: str) -> None:
    assert find_timeout_problem(value) == f"timeout: expected a positive number of seconds, got {shown}"


def test_counts_are_integers_and_durations_numbers() -> None:
    assert find_count_problem("n", 0) is find_duration_problem("d", 0) is None
    assert find_count_problem("n", 0, 1) == "n: expected an integer of at least 1, got 0"
    assert find_count_problem("n", 10**400) == "n: expected an integer of at most 2**53, got int"
    for value in (2.0, "2", True, None, NAN):
        assert find_count_problem("n", value) is not None
    for wrong in (-0.5, "2", True, None, NAN):
        assert find_duration_problem("d", wrong) is not None


@pytest.mark.parametrize(
    "policy", [BreakerPolicy(), RetryPolicy(), QueuePolicy(), Limits(), Limits(concurrency=0), FallbackPolicy()]
)
def test_policies_with_their_defaults_are_accepted(policy: object) -> None:
    assert find_policy_problem("p", policy, type(policy)) is None  # type: ignore[arg-type]  # all are structs


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (RetryPolicy(max_retries=-1), "p.max_retries: expected a number of at least 0, got -1"),
        (RetryPolicy(base=NAN), "p.base: expected a number of at least 0, got nan"),
        (RetryPolicy(max_retries=True), "p: Expected `int`, got `bool` - at `$.max_retries`"),
        (RetryPolicy(max_retries="3"), "p: Expected `int`, got `str` - at `$.max_retries`"),  # type: ignore[arg-type]  # as callers may
        (3, "p: expected an object of the class RetryPolicy, got 3"),
        ({"max_retries": 3}, "p: expected an object of the class RetryPolicy, got dict"),
    ],
)
def test_a_wrong_policy_is_reported_with_the_field(policy: object, problem: str) -> None:
    assert find_policy_problem("p", policy, RetryPolicy) == problem
