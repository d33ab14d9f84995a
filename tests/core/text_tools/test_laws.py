"""Laws of every text, for any chunk boundaries."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.text_tools.strategies import MARKS, TOOLS, broken_calls, cut, detect_pieces, generate_texts
from tests.example_counts import scale_examples
from victor_fp.core.text_tools import ANY_TOOL, FORMATS, TextCall, TextFormat, repair_json
from victor_fp.core.text_tools.readings import Unfinished


@settings(max_examples=scale_examples(150), deadline=None)
@given(generate_texts(), st.lists(st.integers(0, 300), max_size=8))
@example('<|DSML|invoke name="nope"> name="search"></|DSML|invoke>\n[search(query="a")]\n', [])
@example('<|DSML|invoke name="nope">\n </|DSML|invoke> \n  [search(query="a")]\n', [29])
def test_chunk_boundaries_do_not_change_the_result(text: str, places: list[int]) -> None:
    whole = detect_pieces([text])
    assert detect_pieces(cut(text, places)) == whole
    assert detect_pieces(list(text)) == whole


@settings(max_examples=scale_examples(60), deadline=None)
@given(generate_texts())
def test_with_any_tool_allowed_too(text: str) -> None:
    assert detect_pieces(list(text), ANY_TOOL) == detect_pieces([text], ANY_TOOL)


@settings(max_examples=scale_examples(150), deadline=None)
@given(generate_texts())
def test_text_without_a_call_is_unchanged(text: str) -> None:
    pieces = detect_pieces([text])
    if not any(isinstance(piece, TextCall) for piece in pieces):
        assert "".join(piece for piece in pieces if isinstance(piece, str)) == text


@settings(max_examples=scale_examples(150), deadline=None)
@given(generate_texts())
def test_text_around_calls_is_kept_in_order(text: str) -> None:
    at = 0
    for piece in detect_pieces([text]):
        if isinstance(piece, str):
            found = text.find(piece, at)
            assert found >= 0
            at = found + len(piece)


@settings(max_examples=scale_examples(150), deadline=None)
@given(generate_texts())
def test_only_the_callers_tools_are_called(text: str) -> None:
    calls = [piece for piece in detect_pieces([text]) if isinstance(piece, TextCall)]
    assert all(TOOLS.schemas is not None and call.name in TOOLS.schemas for call in calls)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: str(form.name))
@settings(max_examples=scale_examples(60), deadline=None)
@given(rest=st.lists(st.sampled_from(MARKS) | broken_calls(), max_size=5).map("".join), data=st.data())
def test_emitted_results_do_not_change_as_the_text_grows(form: TextFormat, rest: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(form.openings)).text + rest
    decided = None
    for end in range(len(text) + 1):
        if not any(text[:end].startswith(opening.text) for opening in form.openings):
            continue
        reading = form.read(text[:end], 0, TOOLS)
        if decided is not None:
            assert reading == decided
        elif not isinstance(reading, Unfinished):
            decided = reading


@settings(max_examples=scale_examples(100), deadline=None)
@given(st.text(alphabet="{}[]\"'\\,: \nabtrueNone0123.-", max_size=30))
@example('{"a": "\\ud800"}')
def test_repair_accepts_any_text(text: str) -> None:
    repair_json(text)
