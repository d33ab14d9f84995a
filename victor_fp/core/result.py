"""Helpers for `returns` containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar, cast

from returns.result import Failure, Result, Success

T = TypeVar("T")
E = TypeVar("E")

Outcome: TypeAlias = Success[T] | Failure[E]
"""A Result as a closed union."""


def outcome(result: Result[T, E]) -> Outcome[T, E]:
    """Return `result` typed as a closed union, for use with `match`.

    >>> match outcome(Success(1)):
    ...     case Success(value): print(value)
    ...     case Failure(fault): print("no", fault)
    1
    """
    return cast("Outcome[T, E]", result)


def collect(results: Iterable[Result[T, E]]) -> Result[list[T], E]:
    """Return all values, or the first failure.

    >>> collect([Success(1), Success(2)]) == Success([1, 2])
    True
    >>> collect([Success(1), Failure("no"), Failure("never")]) == Failure("no")
    True
    """
    values: list[T] = []
    for result in results:
        match outcome(result):
            case Success(value):
                values.append(value)
            case Failure(fault):
                return Failure(fault)
    return Success(values)
