"""Descriptions of functions and parameters, in the styles in which docstrings are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.agent.docstrings import Documentation, parse_docstring

GOOGLE = """
    Find flights.

    Only those with seats.

    Args:
        origin: Where it starts,
            as a code.
        *stops (list[str], optional): Between.

        limit: How many.

    Returns:
        Flights: all of them.

    Raises:
        KeyError: never.
    """
NUMPY = """
    Find flights.

    Only those with seats.

    Parameters
    ----------
    origin : str
        Where it starts,
        as a code.
    stops : list of str, optional
        Between.
    limit
        How many.

    Returns
    -------
    flights : list
        All of them.
    """
SPHINX = """
    Find flights.

    Only those with seats.

    :param origin: Where it starts,
        as a code.
    :param list[str] stops: Between.
    :param limit: How many.
    :type limit: int
    :returns: all of them
    """
EXPECTED = Documentation(
    "Find flights.\n\nOnly those with seats.",
    {"origin": "Where it starts, as a code.", "stops": "Between.", "limit": "How many."},
)


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_all_styles_yield_the_same(docstring: str) -> None:
    assert parse_docstring(docstring) == EXPECTED


@pytest.mark.parametrize("docstring", [None, "", "   "])
def test_missing_docstring_is_empty(docstring: str | None) -> None:
    assert parse_docstring(docstring) == Documentation()


def test_text_without_sections_is_kept() -> None:
    text = "Do it.\n\nNote that a: b is no section.\n- one\n- two"
    assert parse_docstring(text) == Documentation(text)


def test_other_sections_are_ignored() -> None:
    assert parse_docstring("Do it.\n\nExample:\n    do(1)\n\nArgs:\n    x: A number.") == Documentation(
        "Do it.", {"x": "A number."}
    )


@given(st.text(alphabet="ab :\n-()*Args", max_size=60))
def test_any_docstring_is_parsed_without_an_exception(docstring: str) -> None:
    parse_docstring(docstring)
