"""Malformed tool calls of ten vendors' models: nothing is lost, and the conversation continues."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from returns.result import Failure, Success

from tests.e2e.faulty_vendors import ASKED, MANNERS, REPLY, Case, Manner, Servers, on_every_vendor, run_scenario
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolCall
from victor_fp.providers.base import CompletionResponse, Message, StreamChunk, ToolDefinition

COUNT = ToolDefinition(
    name="count",
    description="Counts.",
    parameters={"type": "object", "properties": {"to": {"type": "integer"}}, "required": ["to"]},
)
HALF = '{"to"'
"""What the server leaves of {"to": 10}."""

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
either = pytest.mark.parametrize("manner", MANNERS)


@both_ways
@either
async def test_malformed_arguments_of_a_call_are_kept_as_text(
    manner: Manner, fault_servers: Servers, *, stream: bool
) -> None:
    async def check_case(case: Case) -> None:
        case.faults.reset().call_tool("count", {"to": 10}).reply(REPLY, times=None).break_tool_call()
        asked = await request_turn(case, ASKED, stream=stream)
        assert [(call["name"], call["arguments"]) for call in get_calls(asked)] == [
            ("count", get_sent_arguments(case, stream=stream))
        ]
        await check_next_answer(case, asked, "The arguments are no JSON.", stream=stream)
        await case.check_requests(requests=2)

    await run_scenario(check_case, fault_servers, [manner])


@both_ways
@either
async def test_a_call_of_an_unknown_tool_is_passed_on(manner: Manner, fault_servers: Servers, *, stream: bool) -> None:
    async def check_case(case: Case) -> None:
        faults = case.faults.reset().call_tool("count", {"to": 10}).reply(REPLY, times=None)
        faults.break_tool_call("unknown_tool")
        asked = await request_turn(case, ASKED, stream=stream)
        assert [(call["name"], call["arguments"]) for call in get_calls(asked)] == [("llmock_unknown_tool", {"to": 10})]
        await check_next_answer(case, asked, "There is no tool llmock_unknown_tool.", stream=stream)
        await case.check_requests(requests=2)

    await run_scenario(check_case, fault_servers, [manner])


@both_ways
@either
async def test_other_calls_of_a_turn_are_unchanged(manner: Manner, fault_servers: Servers, *, stream: bool) -> None:
    from llmock.scenarios import Reply
    from llmock.scenarios import ToolCall as ScriptedCall

    async def check_case(case: Case) -> None:
        turn = Reply(
            text="Let me count.", tool_calls=(ScriptedCall("count", {"to": 10}), ScriptedCall("count", {"to": 20}))
        )
        case.faults.reset().add(turn).reply(REPLY, times=None).break_tool_call()
        asked = await request_turn(case, ASKED, stream=stream)
        assert asked.content == "Let me count."
        assert [call["arguments"] for call in get_calls(asked)] == [get_sent_arguments(case, stream=stream), {"to": 20}]
        assert len({call["id"] for call in get_calls(asked)}) == 2
        await check_next_answer(case, asked, "The arguments are no JSON.", stream=stream)
        await case.check_requests(requests=2)

    await run_scenario(check_case, fault_servers, [manner])


@on_every_vendor
async def test_a_model_calls_the_tools_it_was_sent(case: Case) -> None:
    case.faults.reset()
    asked = await request_turn(case, ASKED, stream=False)
    assert [(call["name"], call["arguments"]) for call in get_calls(asked)] == [("count", {"to": 1})]
    await case.check_requests(requests=1)


@on_every_vendor
async def test_a_model_that_ignores_tools_answers_in_text(case: Case) -> None:
    case.faults.reset().tool_mode("off")
    for stream in (False, True):
        answer = await request_turn(case, ASKED, stream=stream)
        assert answer.tool_calls is None
        assert answer.content
    await case.check_requests(requests=2)


async def request_turn(case: Case, messages: Sequence[Message], *, stream: bool) -> Message:
    """The model's turn as the next request will repeat it."""
    provider, model = case.provider, case.vendor.model
    if not stream:
        match outcome(await provider.chat_result(messages, model=model, tools=[COUNT])):
            case Success(answer):
                return turn(answer, answer.content)
            case Failure(fault):
                raise AssertionError(fault)
    text = ""
    async for result in provider.stream_result(messages, model=model, tools=[COUNT]):
        match outcome(result):
            case Success(chunk):
                text += chunk.content
                if chunk.is_final:
                    return turn(chunk, text)
            case Failure(fault):
                raise AssertionError(fault)
    raise AssertionError("a stream without an end")


def turn(answer: CompletionResponse | StreamChunk, text: str) -> Message:
    assert answer.stop_reason == ("tool_use" if answer.tool_calls else "stop"), answer
    return CompletionResponse(content=text, tool_calls=answer.tool_calls, metadata=answer.metadata).to_message()


def get_calls(asked: Message) -> Sequence[ToolCall]:
    return asked.tool_calls or ()


def get_sent_arguments(case: Case, *, stream: bool) -> object:
    """The malformed arguments as sent: if they are not text, the server sends an empty object."""
    empty_content = case.vendor.provider == "google" or (case.vendor.provider == "anthropic" and not stream)
    return {} if empty_content else HALF


async def check_next_answer(case: Case, asked: Message, complaint: str, *, stream: bool) -> None:
    """The caller says what was wrong with the calls, and the model answers."""
    results = [
        Message(role="tool", tool_call_id=call["id"], name=call["name"], content=complaint, is_error=True)
        for call in get_calls(asked)
    ]
    answer = await request_turn(case, [*ASKED, asked, *results], stream=stream)
    assert (answer.content, answer.tool_calls) == (REPLY, None)
    verdict = await case.get_verdict()
    sent = json.dumps(verdict.calls[-1].last.body)
    assert sent.count(complaint) == len(results)
    assert all(call["name"] in sent for call in get_calls(asked))
