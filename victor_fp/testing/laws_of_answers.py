"""Laws of answers: what the vendor said is what the caller gets, whole or streamed, in whatever pieces it came."""

from __future__ import annotations

from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.testing.answers import Answer
from victor_fp.testing.exam import (
    CALLING,
    HI,
    SPOKEN,
    WEATHER,
    Complaints,
    Exam,
    Heard,
    Law,
    differing,
    in_a_loop,
    unanswered,
)
from victor_fp.testing.expectations import told_in_pieces, told_whole
from victor_fp.testing.turns import Turn
from victor_fp.testing.writers import SIGNATURE

THOUGHT = Turn(text="Sunny.", reasoning="Let me see.\nIt is summer.")
_OWN = frozenset({"arguments", "input", "args"})
"""Fields whose insides are the model's words and not the protocol's."""


async def _whole(exam: Exam) -> Complaints:
    return await told_whole(exam, SPOKEN)


async def _stream(exam: Exam) -> Complaints:
    return await told_in_pieces(exam, SPOKEN)


async def _calls(exam: Exam) -> Complaints:
    return await told_whole(exam, CALLING, tools=True)


async def _streamed_calls(exam: Exam) -> Complaints:
    return await told_in_pieces(exam, CALLING, tools=True)


async def _results(exam: Exam) -> Complaints:
    """The calls and their results go back to the vendor."""
    async with exam.facing(exam.speaks.whole(CALLING), exam.speaks.whole(SPOKEN)) as (provider, server):
        match outcome(await exam.asked(provider, tools=[WEATHER])):
            case Failure(fault):
                return [unanswered(fault)]
            case Success(response):
                turn = response.to_message()
        results = [
            Message(role="tool", tool_call_id=call["id"], content=words, is_error=place > 0)
            for place, (call, words) in enumerate(zip(turn.tool_calls or [], ("rain-7781", "broke-7782"), strict=False))
        ]
        match outcome(await exam.asked(provider, [HI, turn, *results], tools=[WEATHER])):
            case Failure(fault):
                return [unanswered(fault)]
            case Success(response):
                sent = server.received[-1].body.decode("utf-8", "replace")
                missing = [word for word in ("rain-7781", "broke-7782", "weather", "Oslo") if word not in sent]
                return [
                    *differing("content", SPOKEN.text, response.content),
                    *([f"the second request lacks {', '.join(missing)}"] if missing else []),
                ]


async def _reasoning(exam: Exam) -> Complaints:
    return [*await told_whole(exam, THOUGHT), *(await told_in_pieces(exam, THOUGHT) if "streaming" in exam.has else [])]


async def _signed(exam: Exam) -> Complaints:
    """What the vendor signed goes back with the turn."""
    turn = msgspec.structs.replace(CALLING, reasoning=THOUGHT.reasoning)
    async with exam.facing(exam.speaks.whole(turn), exam.speaks.whole(SPOKEN)) as (provider, server):
        match outcome(await exam.asked(provider, tools=[WEATHER])):
            case Failure(fault):
                return [unanswered(fault)]
            case Success(response):
                said = response.to_message()
        results = [Message(role="tool", tool_call_id=call["id"], content="ok") for call in said.tool_calls or []]
        match outcome(await exam.asked(provider, [HI, said, *results], tools=[WEATHER])):
            case Failure(fault):
                return [unanswered(fault)]
            case Success(_):
                back = SIGNATURE.encode() in server.received[-1].body
                return [] if back else ["the signature beside the reasoning does not go back with the turn"]


async def _twins(exam: Exam) -> Complaints:
    """A stream and a body that say the same are the same."""
    turns = [SPOKEN, *([CALLING] if "tools" in exam.has else []), *([THOUGHT] if "reasoning" in exam.has else [])]
    complaints: list[str] = []
    for turn in turns:
        tools = [WEATHER] if turn.calls else None
        async with exam.facing(exam.speaks.whole(turn), exam.speaks.stream(turn)) as (provider, _):
            match outcome(await exam.asked(provider, tools=tools)):
                case Failure(fault):
                    return [unanswered(fault)]
                case Success(response):
                    heard = await exam.heard(provider, tools)
        if heard.final is None:
            return ["the stream has no final chunk"]
        complaints += _unlike(exam, response, heard, heard.final)
    return complaints


def _unlike(exam: Exam, response: CompletionResponse, heard: Heard, final: StreamChunk) -> list[str]:
    one, other = response.metadata or {}, final.metadata or {}
    usage = (response.usage, final.usage) if exam.speaks.stream_usage else (None, None)
    complaints = [
        *differing("the stream's text", response.content, heard.text),
        *differing("the stream's tool calls", response.tool_calls, final.tool_calls),
        *differing("the stream's stop reason", response.stop_reason, final.stop_reason),
        *differing("the stream's usage", *usage),
    ]
    for name in sorted(one.keys() & other.keys()):
        complaints += differing(f"the stream's metadata {name}", *(_modelless(found[name]) for found in (one, other)))
    return complaints


def _modelless(value: object) -> object:
    """Some streams do not name the model, which the provider's state then has from the question."""
    return {name: item for name, item in value.items() if name != "model"} if isinstance(value, dict) else value


async def _cuts(exam: Exam) -> Complaints:
    """However the bytes of a stream are cut, it says the same."""
    whole = b"".join(exam.speaks.stream(SPOKEN).pieces)
    complaints: list[str] = []
    for size in (1, 7, len(whole)):
        parts = tuple(whole[start : start + size] for start in range(0, len(whole), size))
        answer = Answer(headers={"content-type": exam.speaks.content_type}, pieces=parts)
        complaints += await told_in_pieces(exam, SPOKEN, answer=answer)
    return complaints


async def _novelties(exam: Exam) -> Complaints:
    """Fields, and kinds of events, that nobody knows yet change nothing."""
    speaks = exam.speaks
    turns = [SPOKEN, *([CALLING] if "tools" in exam.has else [])]
    complaints: list[str] = []
    for turn in turns:
        tools = bool(turn.calls)
        complaints += await told_whole(exam, turn, tools=tools, answer=speaks.whole_of(_spiced(speaks.body(turn))))
        if "streaming" in exam.has:
            telling = speaks.events(turn)
            frames = [speaks.frame((name, _spiced(said))) for name, said in (*telling.before, *telling.end)]
            frames = [speaks.unknown_frame, *frames[:1], speaks.unknown_frame, *frames[1:], speaks.ending]
            complaints += await told_in_pieces(exam, turn, tools=tools, answer=speaks.stream_of(frames))
    return complaints


def _spiced(value: Any) -> Any:
    """With a field in every object that no document has."""
    match value:
        case dict():
            inside = {name: item if name in _OWN else _spiced(item) for name, item in value.items()}
            return {**inside, "x_news": {"deep": [1, None]}}
        case list():
            return [_spiced(item) for item in value]
        case _:
            return value


async def _unreported(exam: Exam) -> Complaints:
    """Usage that was not reported is absent."""
    turn = msgspec.structs.replace(SPOKEN, usage=None)
    return [*await told_whole(exam, turn), *(await told_in_pieces(exam, turn) if "streaming" in exam.has else [])]


async def _reasons(exam: Exam) -> Complaints:
    """Stop reasons have one meaning everywhere, and one that nobody knows is kept."""
    complaints: list[str] = []
    for reason in ("length", "yet_unknown"):
        turn = msgspec.structs.replace(SPOKEN, stop=reason)
        complaints += await told_whole(exam, turn)
        complaints += await told_in_pieces(exam, turn) if "streaming" in exam.has else []
    return complaints


_STREAM = frozenset({"protocol", "streaming"})
_TOOLS = frozenset({"protocol", "tools"})

LAWS: tuple[Law, ...] = (
    Law(name="chat", says="A whole answer has the text, the stop reason and the usage.", run=in_a_loop(_whole)),
    Law(
        name="stream",
        says="A stream has the same, and exactly one final chunk, which is the last.",
        run=in_a_loop(_stream),
        needs=_STREAM,
    ),
    Law(
        name="tool calls",
        says="Parallel calls keep their ids, names and arguments.",
        run=in_a_loop(_calls),
        needs=_TOOLS,
    ),
    Law(
        name="streamed tool calls",
        says="Calls that come in pieces are whole on the final chunk.",
        run=in_a_loop(_streamed_calls),
        needs=_TOOLS | _STREAM,
    ),
    Law(
        name="tool results",
        says="Calls and their results go back, errors among them.",
        run=in_a_loop(_results),
        needs=_TOOLS,
    ),
    Law(
        name="reasoning",
        says='Thinking is in metadata["reasoning_content"], in pieces and whole.',
        run=in_a_loop(_reasoning),
        needs=frozenset({"protocol", "reasoning"}),
    ),
    Law(
        name="signatures",
        says="What the vendor signed goes back unmodified.",
        run=in_a_loop(_signed),
        needs=_TOOLS | {"reasoning", "signs"},
    ),
    Law(
        name="stream is body",
        says="A stream folds to what the same body says.",
        run=in_a_loop(_twins),
        needs=_STREAM,
    ),
    Law(
        name="any cut",
        says="Cutting a stream's bytes anywhere changes nothing.",
        run=in_a_loop(_cuts),
        needs=_STREAM,
    ),
    Law(name="novelties", says="Fields and events that nobody knows change nothing.", run=in_a_loop(_novelties)),
    Law(
        name="usage unreported",
        says="What the vendor did not report is absent, never zero.",
        run=in_a_loop(_unreported),
    ),
    Law(
        name="stop reasons",
        says="Standard stop reasons where they fit, the vendor's own word where none does.",
        run=in_a_loop(_reasons),
        needs=frozenset({"protocol", "reasons"}),
    ),
)
