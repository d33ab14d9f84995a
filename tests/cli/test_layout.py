"""Tables of text that fit a terminal, and the line of tokens and cost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acme import build_acme
from victor_fp.cli.layout import cut_cell, measure_cell, render_rows
from victor_fp.cli.usage import Spent, add_up, measure_response
from victor_fp.core.types import CompletionResponse

ROWS = [("m-1", "128000", "tools images"), ("a-long-name", "", "")]


def test_a_table_that_fits_has_all_columns() -> None:
    assert list(render_rows(("model", "context", "can"), ROWS, 60)) == [
        "model        context  can",
        "----------------------------------",
        "m-1          128000   tools images",
        "a-long-name",
    ]


def test_columns_that_do_not_fit_are_left_out_and_two_are_stacked() -> None:
    assert list(render_rows(("model", "context", "can"), ROWS, 25)) == [
        "model        context",
        "--------------------",
        "m-1          128000",
        "a-long-name",
    ]
    assert list(render_rows(("name", "found in"), [("openai", "file /a/long/path")], 20)) == [
        "name / found in",
        "--------------------",
        "openai",
        "  file /a/long/path",
    ]


def test_the_last_column_is_cut_where_it_is_text() -> None:
    rows = [("1", "provider", "a question that is long")]
    assert (
        list(render_rows(("id", "who", "prompt"), rows, 32, cut_last=True))[2]
        == "1   provider  a question that i\u2026"
    )
    assert list(render_rows(("id", "who", "prompt"), rows, 24, cut_last=True))[2] == "1   a question that is \u2026"


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("\u4f60\u597d", 4), ("e\u0301", 1), ("", 0)])
def test_widths_are_those_of_a_terminal(text: str, width: int) -> None:
    assert measure_cell(text) == width


@given(st.text("a\u4f60e\u0301", max_size=12), st.integers(1, 12))
def test_a_cut_text_fits(text: str, width: int) -> None:
    cut = cut_cell(text, width)
    assert measure_cell(cut) <= width
    assert cut == text or cut.endswith("\u2026")


@given(st.lists(st.tuples(*[st.text("ab\u4f60", max_size=30)] * 4), max_size=4), st.integers(60, 120))
def test_tables_of_short_cells_fit(rows: list[tuple[str, ...]], width: int) -> None:
    for cut_last in (False, True):
        lines = list(render_rows(("id", "b", "c", "d"), [("1", *row[1:]) for row in rows], width, cut_last=cut_last))
        assert max(map(measure_cell, lines)) <= width


def response(metadata: Mapping[str, object] | None = None, **usage: int) -> CompletionResponse:
    return CompletionResponse(content="", usage=usage, model="m", metadata=metadata)


async def test_what_was_used_is_one_line() -> None:
    async with build_acme("http://127.0.0.1:9") as provider:

        def measure_line(answer: CompletionResponse) -> str:
            return measure_response(provider, "m", answer, priced=False).line

        assert measure_line(response(prompt_tokens=1200, completion_tokens=30)) == "tokens: 1,200 in, 30 out"
        assert (
            measure_line(response(prompt_tokens=9, completion_tokens=3, cache_read_input_tokens=8, reasoning_tokens=2))
            == "tokens: 9 in (8 cached), 3 out (2 reasoning)"
        )
        cost = {"cost": {"amount": 0.00125, "currency": "USD", "source": "vendor"}}
        assert measure_line(response(cost, completion_tokens=3)) == "tokens: 3 out; cost: $0.00125"
        assert measure_line(response()) == ""


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    known = Spent(prompt_tokens=1, completion_tokens=1, dollars=0.5)
    assert add_up([known, known]).line == "tokens: 2 in, 2 out; cost: $1; 2 requests"
    assert add_up([known, Spent(prompt_tokens=1, completion_tokens=1)]).dollars is None
    assert add_up([Spent(), known]).line == ""
