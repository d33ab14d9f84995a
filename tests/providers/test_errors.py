"""Exceptions carry their fault, and lead back to it."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.faults import FAULTS, Attempt, Fault, Partial, describe
from victor_fp.providers.errors import ProviderError, error_from, fault_from

ATTEMPTS = st.lists(st.builds(Attempt, provider=st.just("p")), max_size=2).map(tuple)
FAULT: st.SearchStrategy[Fault] = st.one_of(
    *(
        st.builds(
            kind,
            provider=st.sampled_from(["", "p"]),
            model=st.none() | st.just("m"),
            message=st.text(max_size=10),
            status=st.none() | st.just(500),
            retry_after=st.none() | st.floats(0, 100),
            partial=st.none() | st.builds(Partial, content=st.text(max_size=5)),
            attempts=ATTEMPTS,
        )
        for kind in FAULTS
    )
)


@given(FAULT)
def test_error_from_and_fault_from_are_inverse(fault: Fault) -> None:
    assert fault_from(error_from(fault)) == fault


@given(FAULT)
def test_errors_survive_pickle_and_copy(fault: Fault) -> None:
    error = error_from(fault)
    assert pickle.loads(pickle.dumps(error)).fault == fault
    assert type(copy.copy(error)) is type(error)


@given(FAULT)
def test_errors_say_who_and_what(fault: Fault) -> None:
    error = error_from(fault)
    assert isinstance(error, ProviderError)
    assert str(error) == describe(fault)
    assert type(fault).__name__ in str(error)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_has_an_exception_of_its_family(kind: type[Fault]) -> None:
    assert isinstance(error_from(kind()), ProviderError)


def test_strangers_become_the_nearest_fault() -> None:
    assert type(fault_from(TimeoutError("late"), provider="p")).__name__ == "TimedOut"
    assert type(fault_from(ConnectionResetError())).__name__ == "ConnectionFailed"
    assert type(fault_from(ValueError("odd"))).__name__ == "ServerFailed"
