"""Tools from functions: definitions, validation, and calls that are answered whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import Doc, TypedDict

from tests.acme import KEY, AcmeProvider
from victor_fp import sync
from victor_fp.agent.tools import FunctionTool, run_tools, tool
from victor_fp.core.types import CompletionResponse, ImagePart, Message, StreamChunk, TextPart, ToolDefinition
from victor_fp.testing import Call, CallRecord, ScriptedProvider, ScriptedWire, Turn


class Unit(enum.Enum):
    C = "C"
    F = "F"


class Point(BaseModel):
    x: int
    y: int = 0


class Size(TypedDict):
    width: int


@dataclasses.dataclass
class Place:
    name: str


@tool
def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city.

    Args:
        city: Where.
        days: How many days.
    """
    return f"{city} {days}"


def build_calls(*arguments: object, name: str = "get_weather") -> CompletionResponse:
    return CompletionResponse(
        content="",
        tool_calls=[{"id": f"call_{index}", "name": name, "arguments": one} for index, one in enumerate(arguments)],
    )


async def answer(function: Callable[..., Any], arguments: object) -> Message:
    made = function if isinstance(function, FunctionTool) else tool(function)
    (message,) = await run_tools(build_calls(arguments, name=made.name), [made])
    return message


def test_the_definition_is_that_of_the_function() -> None:
    assert isinstance(get_weather, ToolDefinition)
    assert get_weather.model_dump(exclude_defaults=True) == {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where."},
                "days": {"type": "integer", "description": "How many days.", "default": 1},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }
    assert get_weather("Oslo", days=2) == "Oslo 2"


def test_names_and_descriptions_can_be_given() -> None:
    @tool(name="look", description="Look around.", strict=True, cache=True)
    def look_around() -> None:
        """Not this."""

    assert (look_around.name, look_around.description, look_around.strict, look_around.cache) == (
        "look",
        "Look around.",
        True,
        True,
    )
    assert look_around.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert tool(lambda: None, name="nothing").name == "nothing"


def test_annotations_describe_parameters() -> None:
    def describe(
        a: Annotated[int, Field(description="A number.", ge=1)], b: Annotated[str, Doc("A word.")], c: Any = None
    ) -> None: ...

    assert tool(describe).parameters["properties"] == {
        "a": {"type": "integer", "description": "A number.", "minimum": 1},
        "b": {"type": "string", "description": "A word."},
        "c": {"default": None},
    }


def test_names_that_models_of_pydantic_have_themselves_are_parameters_too() -> None:
    def copy_json(json: str, copy: int, model_config: bool, schema_: str = "", _x: int = 1) -> None: ...

    assert list(tool(copy_json).parameters["properties"]) == ["json", "copy", "model_config", "schema_", "_x"]


def test_methods_partials_and_callable_objects_are_functions() -> None:
    class Store:
        """A store."""

        def find(self, name: str) -> str:
            """Find it."""
            return name

        def __call__(self, name: str) -> str:
            return name

    store = Store()
    assert (tool(store.find).name, tool(store.find).parameters["required"]) == ("find", ["name"])
    assert (tool(store).name, tool(store).parameters["required"]) == ("Store", ["name"])

    def add_three(a: int, b: int, c: int) -> int:
        """Three."""
        return a + b + c

    given = tool(partial(add_three, 1, c=3))
    assert (given.name, given.description, given.parameters["required"]) == ("add_three", "Three.", ["b"])


def test_unsupported_signature_is_a_type_error() -> None:
    def add_many(*numbers: int) -> None: ...
    def wait_for_event(value: threading.Event) -> None: ...
    def find_unknown(value: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(TypeError, match=r"add_many has \*numbers"):
        tool(add_many)
    with pytest.raises(TypeError, match="wait_for_event"):
        tool(wait_for_event)
    with pytest.raises(TypeError, match="annotations of find_unknown cannot be resolved: name 'Nowhere'"):
        tool(find_unknown)


async def test_arguments_are_validated_and_converted() -> None:
    seen: list[object] = []

    def record_arguments(
        when: dt.date,
        unit: Unit,
        point: Point,
        place: Place,
        size: Size,
        data: bytes,
        mode: Literal["a", "b"] = "a",
        numbers: list[int] = [],  # noqa: B006
    ) -> str:
        seen.extend([when, unit, point, place, size, data, mode, numbers])
        return "ok"

    given = {
        "when": "2026-01-02", "unit": "F", "point": {"x": 1}, "place": {"name": "Oslo"}, "size": {"width": 2}, "data": "aGk",
    }  # fmt: skip
    assert (await answer(record_arguments, given)).content == "ok"
    assert seen == [dt.date(2026, 1, 2), Unit.F, Point(x=1), Place("Oslo"), {"width": 2}, b"aGk", "a", []]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "city: Field required"),
        ({"city": "Oslo", "days": "many"}, "days: Input should be a valid integer"),
        ({"city": "Oslo", "country": "no"}, "country: Extra inputs are not permitted"),
        ('{"city": ', "the arguments are not JSON"),
        ('["Oslo"]', "the arguments must be a JSON object, not list"),
    ],
)
async def test_invalid_arguments_are_reported_to_the_model(arguments: object, problem: str) -> None:
    message = await answer(get_weather, arguments)
    assert message.is_error
    assert problem in str(message.content)
    assert (message.role, message.tool_call_id, message.name) == ("tool", "call_0", "get_weather")


async def test_arguments_may_be_text_or_absent() -> None:
    assert (await answer(get_weather, '{"city": "Oslo"}')).content == "Oslo 1"
    assert (await answer(tool(lambda: "done", name="get_weather"), "")).content == "done"


async def test_positional_only_and_free_keywords_are_passed_as_they_must_be() -> None:
    def format_arguments(a: int, b: int = 2, c: int = 3, /, *, d: int = 4, **rest: int) -> str:
        return f"{a} {b} {c} {d} {rest}"

    assert (await answer(format_arguments, {"a": 1, "c": 9, "e": 5})).content == "1 2 9 4 {'e': 5}"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", "text"),
        (None, ""),
        (12, "12"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([], "[]"),
        ([1, 2], "[1,2]"),
        (Point(x=1), '{"x":1,"y":0}'),
        (Place("Oslo"), '{"name":"Oslo"}'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        (TextPart(text="a"), [TextPart(text="a")]),
        (
            [TextPart(text="a"), ImagePart(url="https://x.test/a.png")],
            [TextPart(text="a"), ImagePart(url="https://x.test/a.png")],
        ),
    ],
    ids=repr,
)
async def test_results_become_text_parts_or_json(value: object, content: object) -> None:
    message = await answer(tool(lambda: value, name="give"), {})
    assert (message.content, message.is_error) == (content, False)


async def test_a_result_that_is_not_json_is_an_error() -> None:
    message = await answer(tool(threading.Event, name="give"), {})
    assert (message.content, message.is_error) == ("the tool returned Event, which cannot be converted to JSON", True)


async def test_the_name_of_a_tool_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> str:
        raise ValueError

    failing = tool(name="look\n2026 ERROR")(fail)
    await run_tools(build_calls({}, name=failing.name), [failing])
    assert caplog.records[0].getMessage() == "tool look\\n2026 ERROR failed"


async def test_an_exception_is_an_error_without_secrets_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError(f"the key {KEY} " + "x" * 5000)

    message = await answer(fail, {})
    assert message.is_error
    assert str(message.content).startswith("ValueError: the key [redacted] xxx")
    assert len(str(message.content)) == 2000
    assert "tool fail failed" in caplog.text


async def test_unknown_tool_is_an_error_with_known_names() -> None:
    (message,) = await run_tools(build_calls({}, name="nothing"), [get_weather])
    assert (message.content, message.is_error) == ("unknown tool 'nothing'; tools: get_weather", True)


async def test_calls_run_at_once_and_are_answered_in_their_order() -> None:
    started = threading.Barrier(3)
    arrived = asyncio.Event()

    def wait_in_thread(number: int) -> int:
        started.wait(5)
        return number

    async def wait_for_other(number: int) -> int:
        if number == 1:
            arrived.set()
        await arrived.wait()
        return number

    one = await run_tools(
        build_calls({"number": 0}, {"number": 1}, {"number": 2}, name="wait_in_thread"), [tool(wait_in_thread)]
    )
    two = await run_tools(build_calls({"number": 0}, {"number": 1}, name="wait_for_other"), [tool(wait_for_other)])
    assert [message.content for message in one] == ["0", "1", "2"]
    assert [(message.content, message.tool_call_id) for message in two] == [("0", "call_0"), ("1", "call_1")]


async def test_a_call_is_bounded_by_its_timeout() -> None:
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    async def raise_own() -> None:
        raise TimeoutError("mine")

    (message,) = await run_tools(build_calls({}, name="wait_for_ever"), [tool(wait_for_ever)], timeout=0.01)
    assert (message.content, message.is_error) == ("no result within 0.01 s", True)
    (message,) = await run_tools(build_calls({}, name="raise_own"), [tool(raise_own)], timeout=5)
    assert message.content == "TimeoutError: mine"


async def test_cancelling_ends_the_calls() -> None:
    ended = asyncio.Event()

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.ensure_future(run_tools(build_calls({}, name="wait_for_ever"), [tool(wait_for_ever)]))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


async def test_a_response_without_calls_has_no_messages() -> None:
    assert await run_tools(CompletionResponse(content="done"), [get_weather]) == []
    assert await run_tools(StreamChunk(is_final=True), [get_weather]) == []


def respond(call: CallRecord) -> str | Turn:
    if call.messages[-1].role == "tool":
        return f"It is {call.text}."
    assert [one.name for one in call.tools] == ["get_weather"]
    return Turn(calls=(Call(name="get_weather", arguments={"city": "Oslo"}),))


async def test_an_agent_loop_on_chat_and_on_stream() -> None:
    provider = ScriptedProvider(respond)
    for streamed in (False, True):
        messages = [Message(role="user", content="Weather?")]
        response: CompletionResponse | StreamChunk = StreamChunk()
        while True:
            if streamed:
                async for chunk in provider.stream(messages, model="m", tools=[get_weather]):
                    response = chunk
            else:
                response = await provider.chat(messages, model="m", tools=[get_weather])
            if not response.tool_calls:
                break
            messages.append(Message(role="assistant", tool_calls=response.tool_calls))
            messages += await run_tools(response, [get_weather])
        assert len(provider.calls) == (4 if streamed else 2)
        assert messages[-1].content == "Oslo 1"


def test_the_synchronous_variant() -> None:
    with sync.SyncProvider(ScriptedProvider(respond)) as provider:
        messages = [Message(role="user", content="Weather?")]
        response = provider.chat(messages, model="m", tools=[get_weather])
        messages += [response.to_message(), *sync.run_tools(response, [get_weather])]
        assert provider.chat(messages, model="m", tools=[get_weather]).content == "It is Oslo 1."


async def test_tool_is_sent_as_its_definition() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    await AcmeProvider(KEY, transport=wire).chat("Hi", model="m", tools=[get_weather])
    body = wire.requests[0].json()
    assert isinstance(body, dict)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": get_weather.description,
                "parameters": get_weather.parameters,
            },
        }
    ]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_tool_that_exits_fails_and_does_not_end_the_program(is_async: bool) -> None:
    def leave() -> None:
        """Leave."""
        sys.exit("wrong usage")

    async def leave_async() -> None:
        """Leave."""
        leave()

    message = await answer(tool(leave_async if is_async else leave), {})
    assert (message.content, message.is_error) == ("SystemExit: wrong usage", True)
