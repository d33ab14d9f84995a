"""Thinking wrapped in tags, for any chunk boundaries."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from victor_fp.core.deltas import BlockEnded, Delta, ReasoningDelta, Stopped, TextDelta, ToolCallStarted
from victor_fp.core.streaming.think_tags import START


def split_thinking(pieces: list[str]) -> tuple[str, str]:
    """Reasoning and text of a content that came in these pieces."""
    deltas: list[Delta] = [TextDelta(piece) for piece in pieces]
    state, out = START.feed(deltas)
    out += state.finish()
    return (
        "".join(delta.text for delta in out if isinstance(delta, ReasoningDelta)),
        "".join(delta.text for delta in out if isinstance(delta, TextDelta)),
    )


@pytest.mark.parametrize(
    ("content", "reasoning", "text"),
    [
        ("plain", "", "plain"),
        ("<think>why</think>because", "why", "because"),
        ("\n<think>\nwhy\n</think>\n\nbecause\n", "why", "because\n"),
        ("<think></think>quick", "", "quick"),
        ("<think>never closed", "never closed", ""),
        ("<think>a < b </thin </think>c", "a < b </thin", "c"),
        ("no <think>tag</think> later", "", "no <think>tag</think> later"),
        ("<thinking>is another word", "", "<thinking>is another word"),
        ("<thi", "", "<thi"),
        ("  ", "", "  "),
        ("<think>x</think>y<think>z</think>", "x", "y<think>z</think>"),
        ("", "", ""),
    ],
)
def test_only_a_tag_at_the_head_is_thinking(content: str, reasoning: str, text: str) -> None:
    assert split_thinking([content]) == (reasoning, text)
    assert split_thinking(list(content)) == (reasoning, text)


@given(
    st.text(alphabet="<>/think ab\n", max_size=24)
    | st.builds(
        "<think>{}</think>{}".format, st.text("</think> a\n", max_size=12), st.text("<think> b\n", max_size=12)
    ),
    st.lists(st.integers(0, 40), max_size=6),
)
@example("<think>a</think", [3, 9])
def test_chunk_boundaries_do_not_change_the_result(content: str, cuts: list[int]) -> None:
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert split_thinking(pieces) == split_thinking([content])


def test_held_back_text_is_emitted_before_a_call_or_the_end() -> None:
    call = ToolCallStarted(index=0, id="a", name="f")
    _, out = START.feed([TextDelta("<th"), call, Stopped("stop")])
    assert out == [TextDelta("<th"), call, Stopped("stop")]


def test_text_after_the_tag_is_a_separate_block() -> None:
    _, out = START.feed([TextDelta("<think>a</think>b")])
    assert out == [ReasoningDelta("a"), BlockEnded(), TextDelta("b")]
