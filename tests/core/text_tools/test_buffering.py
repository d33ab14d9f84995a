"""Text is buffered only while it can still be a call."""

# ruff: noqa: RUF001  the bars are DeepSeek's

from __future__ import annotations

import pytest

from tests.core.text_tools.strategies import TOOLS
from victor_fp.core.text_tools import FORMATS, Detector, TextCall, feed, flush, start_detector


def feed_pieces(*pieces: str) -> tuple[Detector, list[str]]:
    """The search after these pieces, and the text that each let out."""
    state, said = start_detector(TOOLS, FORMATS), []
    for piece in pieces:
        state, found = feed(state, piece)
        said.append("".join(text for text in found if isinstance(text, str)))
    return state, said


@pytest.mark.parametrize("text", ["Hello", "Hello, how are you?", "a.b", "no\nlines", "x > y", "1) one"])
def test_plain_text_is_emitted_at_once(text: str) -> None:
    assert feed_pieces(text)[1] == [text]
    assert feed_pieces("So. ", text)[1] == ["So. ", text]


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        ("<to", "p>"),
        ("<tool_call>", " is a tag"),
        ('<tool_call>{"name"', " x"),
        ('{"na', "tion"),
        ('{"name": "sea', "l"),
        ("{", "curly"),
        ("[", "1]"),
        ("<|pyt", "hia"),
        ("<|python_tag|>", "import os"),
        ("[TOOL_", "BOX]"),
        ("[TOOL_CALLS]", "later"),
        ("<｜tool▁call", "ed"),
        ("```js", "\n"),
        ("sea", "rch the web"),
        ("search(", "the)"),
        ("Act", "ually"),
        ("<invoke ", "<b>"),
    ],
)
def test_text_that_may_be_a_call_is_buffered_until_it_cannot_be_one(begun: str, more: str) -> None:
    state, said = feed_pieces("Well.\n", begun)
    assert said == ["Well.\n", ""]
    state, found = feed(state, more)
    assert "".join(text for text in found if isinstance(text, str)) == begun + more
    assert state.size == 0


def test_the_text_before_a_candidate_does_not_wait_with_it() -> None:
    assert feed_pieces("Let me see\n<tool")[1] == ["Let me see\n"]
    assert feed_pieces("Let me see.<tool")[1] == ["Let me see."]


def test_a_call_comes_as_soon_as_its_end_is_there() -> None:
    state, _ = feed_pieces('<tool_call>{"name": "search", "arguments": {"query": "a"}}</tool_call')
    _, found = feed(state, ">")
    assert found == [TextCall(name="search", arguments={"query": "a"}, format="hermes")]


def test_calls_in_one_section_come_one_by_one() -> None:
    state, _ = feed_pieces("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{}")
    state, first = feed(state, "<｜tool▁call▁end｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>")
    _, second = feed(state, '{"query": "b"}<｜tool▁call▁end｜>')
    assert [call.arguments for call in (*first, *second) if isinstance(call, TextCall)] == [{}, {"query": "b"}]


def test_the_buffer_is_flushed_at_the_end() -> None:
    state, said = feed_pieces("ok\n<tool")
    assert said == ["ok\n"]
    state, rest = flush(state)
    assert (rest, state.size) == (["<tool"], 0)


def test_white_space_around_calls_is_removed_with_them() -> None:
    call = '<tool_call>{"name": "get-time.v2"}</tool_call>'
    state, said = feed_pieces(f"\n{call}\n\n{call}\n")
    assert said == [""]
    assert flush(state)[1] == []
    state, said = feed_pieces(f"\n{call}\nSo.\n")
    assert said == ["\nSo.\n"]


def test_white_space_without_a_call_stays() -> None:
    state, said = feed_pieces("  \n")
    assert said == [""]
    assert flush(state)[1] == ["  \n"]


@pytest.mark.parametrize("text", ["print(" * 5000, "{" * 9000, '{"tool_calls":' * 3000, "[" * 9000, "(" * 9000])
def test_deep_nesting_is_accepted(text: str) -> None:
    state, first = feed(start_detector(TOOLS, FORMATS), text)
    _, rest = flush(state)
    assert "".join(piece for piece in (*first, *rest) if isinstance(piece, str)) == text


def test_a_long_argument_is_parsed_in_linear_work() -> None:
    """Read anew at every piece, this would take minutes."""
    code = "def f(x):\\n    return {1: [x, '<b>']}\\n" * 1500
    text = f'<tool_call>{{"name": "search", "arguments": {{"query": "{code}"}}}}</tool_call>'
    state, calls = start_detector(TOOLS, FORMATS), []
    for at in range(0, len(text), 4):
        state, found = feed(state, text[at : at + 4])
        calls += found
    assert [type(call) for call in calls] == [TextCall]
