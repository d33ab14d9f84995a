"""Hypothesis strategies for answers as deltas."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    Stopped,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
    UsageReported,
)

TEXT = st.text(max_size=8)
COUNT = st.none() | st.integers(0, 10_000)
STATE = st.dictionaries(st.sampled_from(["signature", "data"]), TEXT, min_size=1)


def _to_list(deltas: Sequence[Delta]) -> list[Delta]:
    return [*deltas]


def _call(index: int, id_: str, name: str, pieces: list[str]) -> list[Delta]:
    return [
        ToolCallStarted(index=index, id=id_, name=name),
        *(ToolCallArguments(index=index, text=piece) for piece in pieces),
    ]


def generate_answer_deltas() -> st.SearchStrategy[list[Delta]]:
    """Deltas of a whole answer: blocks in any order, usage anywhere, a stop reason at the end."""
    text: st.SearchStrategy[list[Delta]] = st.lists(st.builds(TextDelta, TEXT), min_size=1, max_size=4).map(_to_list)
    reasoning: st.SearchStrategy[list[Delta]] = st.tuples(
        st.builds(ReasoningDelta, TEXT), st.builds(StateReported, STATE), st.just(BlockEnded())
    ).map(_to_list)
    refusal: st.SearchStrategy[list[Delta]] = st.builds(RefusalDelta, TEXT).map(lambda delta: [delta])
    usage: st.SearchStrategy[list[Delta]] = st.builds(
        UsageReported, **dict.fromkeys(UsageReported.__struct_fields__, COUNT)
    ).map(lambda delta: [delta])
    noted: st.SearchStrategy[list[Delta]] = st.builds(
        MetadataReported, model=st.none() | st.just("m-2"), metadata=st.dictionaries(st.just("id"), TEXT)
    ).map(lambda delta: [delta])
    calls: st.SearchStrategy[list[Delta]] = st.builds(
        _call,
        st.integers(0, 3),
        st.text("abc", min_size=1, max_size=3),
        st.text("fgh", min_size=1, max_size=3),
        st.lists(st.sampled_from(["{", "}", '"x":', "1", "[", "]"]), max_size=4),
    )
    blocks = st.lists(st.one_of(text, reasoning, refusal, usage, noted, calls), max_size=8)
    stop = st.builds(Stopped, st.sampled_from(["stop", "length", "tool_use", "odd"]), st.none() | TEXT)
    return st.builds(lambda parts, last: [*(delta for part in parts for delta in part), last], blocks, stop)
