"""Working what a provider tells of its models into the bundled limits, as values and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp.config.limits_file import refresh_rows, render_limits, store
from victor_fp.core.catalogue.model_limits import Row
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome

KEPT: tuple[Row, ...] = (("big-*", 1000, 100, "pages", ""), ("*", 10, None, "pages", ""))


def asked(*models: ModelInfo, rows: tuple[Row, ...] = KEPT) -> tuple[Row, ...]:
    return refresh_rows(rows, models, source="list", date="2026-11-20")


def test_a_model_told_differently_gets_a_row_before_the_patterns() -> None:
    told = ModelInfo(id="Big-1", context_window=2000, max_output=200)
    assert asked(told) == (("big-1", 2000, 200, "list", "2026-11-20"), *KEPT)


def test_a_model_that_is_as_it_was_described_needs_no_row() -> None:
    assert asked(ModelInfo(id="big-1", context_window=1000, max_output=100)) == KEPT


def test_what_is_not_told_stays_as_it_stood() -> None:
    assert asked(ModelInfo(id="big-1", context_window=None, max_output=7)) == KEPT
    assert asked(ModelInfo(id="big-1", context_window=5000))[0][:3] == ("big-1", 5000, 100)


def test_a_later_refresh_takes_the_place_of_the_earlier_one_and_keeps_what_is_gone() -> None:
    first = asked(ModelInfo(id="a", context_window=1), ModelInfo(id="b", context_window=2))
    second = asked(ModelInfo(id="b", context_window=3), rows=first)
    assert [row[:2] for row in second] == [("b", 3), ("a", 1), ("big-*", 1000), ("*", 10)]


def test_a_name_with_marks_of_patterns_matches_itself_only() -> None:
    assert asked(ModelInfo(id="a[1]*", context_window=5))[0][0] == "a[[]1][*]"


_TEXT = st.text(max_size=20)
_ROWS = st.tuples(_TEXT, st.integers(1, 10**7), st.none() | st.integers(1, 10**6), _TEXT, _TEXT)


@settings(max_examples=100)
@given(st.dictionaries(_TEXT, st.lists(_ROWS, max_size=3).map(tuple), max_size=3))
def test_whatever_a_provider_calls_its_models_the_file_reads_back_as_it_was(limits: dict[str, tuple[Row, ...]]) -> None:
    text = render_limits(limits)
    read: dict[str, Any] = {}
    exec(compile(text, "model_limits", "exec"), read)
    assert read["MODEL_LIMITS"] == limits
    assert text.isascii()
    assert render_limits(read["MODEL_LIMITS"]) == text


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "limits.py"
    path.write_text("old")
    assert isinstance(outcome(store(path, {"p": KEPT})), Success)
    assert path.read_text() == render_limits({"p": KEPT})
    assert [entry.name for entry in tmp_path.iterdir()] == ["limits.py"]


def test_a_file_that_cannot_be_written_is_a_value_that_says_so(tmp_path: Path) -> None:
    match outcome(store(tmp_path / "nowhere" / "limits.py", {})):
        case Failure(reason):
            assert "cannot be written" in reason
        case Success(_):
            raise AssertionError("written into nowhere")
