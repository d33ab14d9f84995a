"""Calls in the text of an answer: from deltas to completions, as a body and as a stream."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests import openai_shapes as shapes
from tests.acme import build_acme
from tests.core.text_tools.strategies import TOOLS, cut, generate_texts
from tests.example_counts import scale_examples
from tests.loopback import Received, Talk, serving
from victor_fp import replay
from victor_fp.core.deltas import (
    Delta,
    MetadataReported,
    ReasoningDelta,
    Stopped,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.result import outcome
from victor_fp.core.text_tools import text_calls
from victor_fp.core.text_tools.python_calls import Statement, read_statement
from victor_fp.core.text_tools.text_calls import TextCalls
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.transcript import EMPTY, advance, build_blocks
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition

SEARCH = ToolDefinition(
    name="search", description="Finds", parameters={"type": "object", "properties": {"query": {"type": "string"}}}
)
CALL = '<tool_call>\n{"name": "search", "arguments": {"query": "a"}}\n</tool_call>'
HI = [Message(role="user", content="Hi")]


def feed_whole(state: TextCalls, *deltas: Delta) -> list[Delta]:
    state, out = state.feed(deltas)
    return [*out, *state.finish()]


def split(*deltas: Delta) -> list[Delta]:
    return feed_whole(text_calls.start(TOOLS, seed="r1"), *deltas)


def test_text_becomes_text_and_a_whole_call() -> None:
    first, call, stop = split(TextDelta("So:\n" + CALL[:20]), TextDelta(CALL[20:]), Stopped("stop"))
    assert (first, stop) == (TextDelta("So:\n"), Stopped("stop"))
    assert isinstance(call, ToolCallStarted)
    assert (call.name, call.arguments) == ("search", {"query": "a"})


def test_arguments_that_are_text_and_not_json_stay_text() -> None:
    call = '<tool_call>{"name": "search", "arguments": "just this"}</tool_call>'
    started, arguments = split(TextDelta(call))
    assert isinstance(started, ToolCallStarted)
    assert isinstance(arguments, ToolCallArguments)
    assert (started.arguments, arguments.text, arguments.id) == (None, "just this", started.id)


def test_buffered_text_is_emitted_before_anything_that_ends_the_text() -> None:
    native = ToolCallStarted(index=0, id="n", name="search")
    assert split(TextDelta("<tool"), native) == [TextDelta("<tool"), native]
    assert split(TextDelta("<tool"), Stopped("length")) == [TextDelta("<tool"), Stopped("length")]


def test_metadata_passes_through_and_reasoning_is_never_parsed_for_calls() -> None:
    note = MetadataReported(metadata={"id": "r2"})
    assert split(TextDelta("<tool"), note, TextDelta("box>")) == [note, TextDelta("<toolbox>")]
    assert split(ReasoningDelta(CALL)) == [ReasoningDelta(CALL)]


def test_ids_are_the_same_for_the_same_answer_and_new_in_the_conversation() -> None:
    def list_ids(*taken: str) -> list[str]:
        state = text_calls.start(TOOLS, used_ids=taken)
        reported = feed_whole(state, TextDelta(CALL * 2))
        return [delta.id or "" for delta in reported if isinstance(delta, ToolCallStarted)]

    first = list_ids()
    assert first == list_ids()
    assert len({*first, *list_ids(*first), *list_ids(*first, *list_ids(*first))}) == 6


def test_repairs_and_malformed_calls_are_recorded_in_metadata() -> None:
    deltas = split(TextDelta("<tool_call>{'name': 'search', 'arguments': {}}</tool_call> <function=rm></function>"))
    notes = [note for delta in deltas if isinstance(delta, MetadataReported) for note in _get_notes(delta)]
    call = next(delta for delta in deltas if isinstance(delta, ToolCallStarted))
    assert notes == [
        {"format": "hermes", "name": "search", "id": call.id, "repairs": ["single_quotes"]},
        {"format": "function_tags", "kept_as_text": "no call of a known tool"},
    ]


def _get_notes(noted: MetadataReported) -> list[Any]:
    notes = noted.metadata[text_calls.NOTES]
    assert isinstance(notes, list)
    return notes


@settings(max_examples=scale_examples(60), deadline=None)
@given(generate_texts(), st.lists(st.integers(0, 200), max_size=6))
def test_a_stream_folds_to_what_the_body_does(text: str, places: list[int]) -> None:
    note = MetadataReported(metadata={"id": "r1"})
    body = feed_whole(text_calls.start(TOOLS), TextDelta(text), note)
    streamed = feed_whole(text_calls.start(TOOLS), note, *map(TextDelta, cut(text, places)))
    assert build_blocks(advance(EMPTY, streamed)[0]) == build_blocks(advance(EMPTY, body)[0])


def read_completion(text: str, **options: Any) -> CompletionResponse:
    match outcome(replay.response("vllm", 200, {}, json.dumps(shapes.build_body(text)).encode(), **options)):
        case Success(response):
            return response
        case Failure(fault):
            raise AssertionError(fault)


def read_stream(*pieces: str, **options: Any) -> list[StreamChunk]:
    data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in shapes.build_chunks(*pieces)) + "data: [DONE]\n\n"
    results = list(replay.stream("vllm", 200, {}, [data.encode()], **options))
    assert all(isinstance(result, Success) for result in results)
    return [result.unwrap() for result in results]


def test_a_body_and_a_stream_give_the_same_calls() -> None:
    options: dict[str, Any] = {"tools": [SEARCH], "text_tool_calls": "hermes"}
    whole = read_completion(f"So.\n{CALL}\n", **options)
    chunks = read_stream("So.\n<tool", *CALL[5:], "\n", **options)
    assert whole.tool_calls is not None
    assert [(call["name"], call["arguments"]) for call in whole.tool_calls] == [("search", {"query": "a"})]
    assert (whole.content, whole.stop_reason) == ("So.\n", "tool_use")
    assert (chunks[-1].tool_calls, chunks[-1].stop_reason) == (whole.tool_calls, "tool_use")
    assert "".join(chunk.content for chunk in chunks) == "So.\n"
    assert whole.to_message().tool_calls == whole.tool_calls


def test_thinking_is_separated_before_calls_are_parsed() -> None:
    options: dict[str, Any] = {"tools": [SEARCH], "text_tool_calls": "any"}
    response = read_completion(f"<think>maybe {CALL}</think>\n{CALL}", **options)
    assert response.metadata is not None
    assert response.metadata["reasoning_content"] == f"maybe {CALL}"
    assert (response.content, len(response.tool_calls or ())) == ("", 1)


def test_without_the_option_text_is_text() -> None:
    assert read_completion(CALL, tools=[SEARCH]).content == CALL
    assert read_completion(CALL, text_tool_calls="hermes").content == CALL


@pytest.mark.parametrize("option", ["nonsense", "hermes,nonsense", ""])
def test_an_unknown_format_is_rejected(option: str) -> None:
    match outcome(replay.request("vllm", HI, model="m", tools=[SEARCH], text_tool_calls=option)):
        case Failure(InvalidRequest(message=message)):
            assert "hermes" in message
        case other:
            raise AssertionError(other)


async def answer_in_text(talk: Talk, asked: Received) -> None:
    if asked.json().get("stream"):
        await talk.send_events(*shapes.build_chunks(*CALL))
    else:
        await talk.answer(shapes.build_body(CALL))


async def test_a_provider_finds_calls_over_real_http() -> None:
    async with serving(answer_in_text, answer_in_text) as server, build_acme(server.url) as provider:
        whole = await provider.chat(HI, model="m-1", tools=[SEARCH], text_tool_calls="any")
        last = [chunk async for chunk in provider.stream(HI, model="m-1", tools=[SEARCH], text_tool_calls="any")][-1]
    assert whole.tool_calls == last.tool_calls
    assert [call["name"] for call in whole.tool_calls or ()] == ["search"]
    body = server.received[0].json()
    assert "text_tool_calls" not in body
    assert body["tools"]


async def test_tool_choice_none_disables_call_parsing() -> None:
    async with serving(answer_in_text) as server, build_acme(server.url) as provider:
        said = await provider.chat(HI, model="m-1", tools=[SEARCH], text_tool_calls="any", tool_choice="none")
    assert (said.content, said.tool_calls) == (CALL, None)


async def test_tools_in_the_prompt_are_not_sent_as_tools_and_their_calls_are_parsed() -> None:
    async with serving(answer_in_text) as server, build_acme(server.url) as provider:
        said = await provider.chat(
            HI, model="m-1", tools=[SEARCH], tool_choice="required", text_tool_calls="hermes", tools_in_prompt=True
        )
    body = server.received[0].json()
    assert not {"tools", "tool_choice", "tools_in_prompt"} & body.keys()
    assert '"name":"search"' in str(body["messages"])
    assert [call["name"] for call in said.tool_calls or ()] == ["search"]


def test_tools_in_the_prompt_need_a_format() -> None:
    refused = outcome(replay.request("vllm", HI, model="m", tools=[SEARCH], tools_in_prompt=True))
    assert isinstance(refused, Failure)
    assert "text_tool_calls" in refused.failure().message


def test_a_python_call_is_read_although_the_parser_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11's parser fails now and then while another thread parses."""
    parse, failures = ast.parse, iter([SystemError("AST constructor recursion depth mismatch (before=15, after=11)")])

    def parse_after_a_failure(source: str, mode: str) -> ast.AST:
        for failure in failures:
            raise failure
        return parse(source, mode=mode)

    monkeypatch.setattr(ast, "parse", parse_after_a_failure)
    statement = read_statement('search(query="a")', 0, Tools(schemas={"search": SEARCH.parameters}))
    assert isinstance(statement, Statement)
    assert statement.calls[0].arguments == {"query": "a"}
