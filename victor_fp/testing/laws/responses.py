"""Laws of answers: what the vendor said is what the caller gets, whole or streamed, in whatever pieces it came."""

from __future__ import annotations

from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.testing.answers import Answer
from victor_fp.testing.harness import (
    HI,
    TEXT_TURN,
    TOOL_CALLS_TURN,
    WEATHER,
    CollectedStream,
    Harness,
    Law,
    Problems,
    compare,
    describe_failure,
    run_in_loop,
)
from victor_fp.testing.laws.expectations import check_response, check_stream
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE

THOUGHT = Turn(text="Sunny.", reasoning="Let me see.\nIt is summer.")
_OWN = frozenset({"arguments", "input", "args"})
"""Fields whose insides are the model's words and not the protocol's."""


async def _check_whole(harness: Harness) -> Problems:
    return await check_response(harness, TEXT_TURN)


async def _stream(harness: Harness) -> Problems:
    return await check_stream(harness, TEXT_TURN)


async def _check_calls(harness: Harness) -> Problems:
    return await check_response(harness, TOOL_CALLS_TURN, tools=True)


async def _check_streamed_calls(harness: Harness) -> Problems:
    return await check_stream(harness, TOOL_CALLS_TURN, tools=True)


async def _check_results(harness: Harness) -> Problems:
    """The calls and their results go back to the vendor."""
    async with harness.connect(
        harness.protocol_writer.build_answer(TOOL_CALLS_TURN), harness.protocol_writer.build_answer(TEXT_TURN)
    ) as (provider, server):
        match outcome(await harness.ask(provider, tools=[WEATHER])):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                turn = response.to_message()
        results = [
            Message(role="tool", tool_call_id=call["id"], content=words, is_error=place > 0)
            for place, (call, words) in enumerate(zip(turn.tool_calls or [], ("rain-7781", "broke-7782"), strict=False))
        ]
        match outcome(await harness.ask(provider, [HI, turn, *results], tools=[WEATHER])):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                sent = server.received[-1].body.decode("utf-8", "replace")
                missing = [word for word in ("rain-7781", "broke-7782", "weather", "Oslo") if word not in sent]
                return [
                    *compare("content", TEXT_TURN.text, response.content),
                    *([f"the second request lacks {', '.join(missing)}"] if missing else []),
                ]


async def _check_reasoning(harness: Harness) -> Problems:
    return [
        *await check_response(harness, THOUGHT),
        *(await check_stream(harness, THOUGHT) if "streaming" in harness.has else []),
    ]


async def _check_signed(harness: Harness) -> Problems:
    """What the vendor signed goes back with the turn."""
    turn = msgspec.structs.replace(TOOL_CALLS_TURN, reasoning=THOUGHT.reasoning)
    async with harness.connect(
        harness.protocol_writer.build_answer(turn), harness.protocol_writer.build_answer(TEXT_TURN)
    ) as (
        provider,
        server,
    ):
        match outcome(await harness.ask(provider, tools=[WEATHER])):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                said = response.to_message()
        results = [Message(role="tool", tool_call_id=call["id"], content="ok") for call in said.tool_calls or []]
        match outcome(await harness.ask(provider, [HI, said, *results], tools=[WEATHER])):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(_):
                back = SIGNATURE.encode() in server.received[-1].body
                return [] if back else ["the signature beside the reasoning does not go back with the turn"]


async def _check_twins(harness: Harness) -> Problems:
    """A stream and a body that say the same are the same."""
    turns = [
        TEXT_TURN,
        *([TOOL_CALLS_TURN] if "tools" in harness.has else []),
        *([THOUGHT] if "reasoning" in harness.has else []),
    ]
    problems: list[str] = []
    for turn in turns:
        tools = [WEATHER] if turn.calls else None
        async with harness.connect(
            harness.protocol_writer.build_answer(turn), harness.protocol_writer.stream(turn)
        ) as (
            provider,
            _,
        ):
            match outcome(await harness.ask(provider, tools=tools)):
                case Failure(fault):
                    return [describe_failure(fault)]
                case Success(response):
                    heard = await harness.collect_stream(provider, tools)
        if heard.final is None:
            return ["the stream has no final chunk"]
        problems += _compare(harness, response, heard, heard.final)
    return problems


def _compare(harness: Harness, response: CompletionResponse, heard: CollectedStream, final: StreamChunk) -> list[str]:
    one, other = response.metadata or {}, final.metadata or {}
    usage = (response.usage, final.usage) if harness.protocol_writer.stream_usage else (None, None)
    problems = [
        *compare("the stream's text", response.content, heard.text),
        *compare("the stream's tool calls", response.tool_calls, final.tool_calls),
        *compare("the stream's stop reason", response.stop_reason, final.stop_reason),
        *compare("the stream's usage", *usage),
    ]
    for name in sorted(one.keys() & other.keys()):
        problems += compare(f"the stream's metadata {name}", *(_drop_model(found[name]) for found in (one, other)))
    return problems


def _drop_model(value: object) -> object:
    """Some streams do not name the model, which the provider's state then has from the question."""
    return {name: item for name, item in value.items() if name != "model"} if isinstance(value, dict) else value


async def _check_cuts(harness: Harness) -> Problems:
    """However the bytes of a stream are cut, it says the same."""
    whole = b"".join(harness.protocol_writer.stream(TEXT_TURN).pieces)
    problems: list[str] = []
    for size in (1, 7, len(whole)):
        parts = tuple(whole[start : start + size] for start in range(0, len(whole), size))
        answer = Answer(headers={"content-type": harness.protocol_writer.content_type}, pieces=parts)
        problems += await check_stream(harness, TEXT_TURN, answer=answer)
    return problems


async def _check_novelties(harness: Harness) -> Problems:
    """Fields, and kinds of events, that nobody knows yet change nothing."""
    speaks = harness.protocol_writer
    turns = [TEXT_TURN, *([TOOL_CALLS_TURN] if "tools" in harness.has else [])]
    problems: list[str] = []
    for turn in turns:
        tools = bool(turn.calls)
        problems += await check_response(
            harness, turn, tools=tools, answer=speaks.build_body_answer(_add_unknown_fields(speaks.body(turn)))
        )
        if "streaming" in harness.has:
            telling = speaks.events(turn)
            frames = [speaks.frame((name, _add_unknown_fields(said))) for name, said in (*telling.before, *telling.end)]
            frames = [speaks.unknown_frame, *frames[:1], speaks.unknown_frame, *frames[1:], speaks.ending]
            problems += await check_stream(harness, turn, tools=tools, answer=speaks.build_stream_answer(frames))
    return problems


def _add_unknown_fields(value: Any) -> Any:
    """With a field in every object that no document has."""
    match value:
        case dict():
            inside = {name: item if name in _OWN else _add_unknown_fields(item) for name, item in value.items()}
            return {**inside, "x_news": {"deep": [1, None]}}
        case list():
            return [_add_unknown_fields(item) for item in value]
        case _:
            return value


async def _check_unreported(harness: Harness) -> Problems:
    """Usage that was not reported is absent."""
    turn = msgspec.structs.replace(TEXT_TURN, usage=None)
    return [
        *await check_response(harness, turn),
        *(await check_stream(harness, turn) if "streaming" in harness.has else []),
    ]


async def _check_reasons(harness: Harness) -> Problems:
    """Stop reasons have one meaning everywhere, and one that nobody knows is kept."""
    problems: list[str] = []
    for reason in ("length", "yet_unknown"):
        turn = msgspec.structs.replace(TEXT_TURN, stop=reason)
        problems += await check_response(harness, turn)
        problems += await check_stream(harness, turn) if "streaming" in harness.has else []
    return problems


_STREAM = frozenset({"protocol", "streaming"})
_TOOLS = frozenset({"protocol", "tools"})

LAWS: tuple[Law, ...] = (
    Law(name="chat", says="A whole answer has the text, the stop reason and the usage.", run=run_in_loop(_check_whole)),
    Law(
        name="stream",
        says="A stream has the same, and exactly one final chunk, which is the last.",
        run=run_in_loop(_stream),
        needs=_STREAM,
    ),
    Law(
        name="tool calls",
        says="Parallel calls keep their ids, names and arguments.",
        run=run_in_loop(_check_calls),
        needs=_TOOLS,
    ),
    Law(
        name="streamed tool calls",
        says="Calls that come in pieces are whole on the final chunk.",
        run=run_in_loop(_check_streamed_calls),
        needs=_TOOLS | _STREAM,
    ),
    Law(
        name="tool results",
        says="Calls and their results go back, errors among them.",
        run=run_in_loop(_check_results),
        needs=_TOOLS,
    ),
    Law(
        name="reasoning",
        says='Thinking is in metadata["reasoning_content"], in pieces and whole.',
        run=run_in_loop(_check_reasoning),
        needs=frozenset({"protocol", "reasoning"}),
    ),
    Law(
        name="signatures",
        says="What the vendor signed goes back unmodified.",
        run=run_in_loop(_check_signed),
        needs=_TOOLS | {"reasoning", "signs"},
    ),
    Law(
        name="stream is body",
        says="A stream folds to what the same body says.",
        run=run_in_loop(_check_twins),
        needs=_STREAM,
    ),
    Law(
        name="any cut",
        says="Cutting a stream's bytes anywhere changes nothing.",
        run=run_in_loop(_check_cuts),
        needs=_STREAM,
    ),
    Law(
        name="novelties", says="Fields and events that nobody knows change nothing.", run=run_in_loop(_check_novelties)
    ),
    Law(
        name="usage unreported",
        says="What the vendor did not report is absent, never zero.",
        run=run_in_loop(_check_unreported),
    ),
    Law(
        name="stop reasons",
        says="Standard stop reasons where they fit, the vendor's own word where none does.",
        run=run_in_loop(_check_reasons),
        needs=frozenset({"protocol", "reasons"}),
    ),
)
