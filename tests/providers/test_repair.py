"""`repair`: a response that does not match the requested format is followed by a turn with the errors."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from returns.result import Failure, Success

from victor_fp import ManagedProviderFactory, ProviderRegistry, structured
from victor_fp.core.faults import InvalidRequest, ServerFailed
from victor_fp.core.types import Message
from victor_fp.testing import Call, ScriptedWire, Turn

HI = [Message(role="user", content="The largest city of Norway?")]
WRONG, RIGHT = Turn(text='{"name": "Oslo", "inhabitants": "many"}'), Turn(text='{"name": "Oslo", "inhabitants": 1}')


class City(BaseModel):
    name: str
    inhabitants: int


SCHEMA = {"type": "object", "properties": {"inhabitants": {"type": "integer"}}, "required": ["inhabitants"]}


async def ask(wire: ScriptedWire, *, managed: bool = False, **more: Any) -> Any:
    asked: dict[str, Any] = {"model": "gpt-5.1", "response_format": City, "repair": 1, **more}
    if managed:
        provider: Any = await ManagedProviderFactory.create(
            provider_name="openai", model="gpt-5.1", api_key="k", transport=wire, max_retries=0
        )
    else:
        provider = ProviderRegistry.create("openai", api_key="k", transport=wire, max_retries=0)
    async with provider:
        return await provider.chat_result(HI, **asked)


def read_messages(wire: ScriptedWire, place: int) -> list[dict[str, Any]]:
    body: Any = wire.requests[place].json()
    messages: list[dict[str, Any]] = body["messages"]
    return messages


@pytest.mark.parametrize("managed", [False, True], ids=["plain", "managed"])
@pytest.mark.parametrize(
    "form", [City, SCHEMA, {"type": "json_schema", "json_schema": {"name": "c", "schema": SCHEMA}}]
)
async def test_mismatching_response_is_requested_again(form: Any, managed: bool) -> None:
    wire = ScriptedWire(WRONG, RIGHT)
    result = await ask(wire, managed=managed, response_format=form)
    response = result.unwrap()
    assert isinstance(structured(response, form), Success)
    assert [message["role"] for message in read_messages(wire, 1)] == ["user", "assistant", "user"]
    assert read_messages(wire, 1)[1]["content"] == WRONG.text
    assert "$.inhabitants" in read_messages(wire, 1)[2]["content"]
    outcomes = [(one["outcome"], bool(one["message"])) for one in response.metadata["attempts"]]
    assert outcomes == [("InvalidResponse", True), ("ok", False)]


async def test_matching_response_is_not_requested_again() -> None:
    wire = ScriptedWire(RIGHT)
    response = (await ask(wire)).unwrap()
    assert (len(wire.requests), "attempts" in (response.metadata or {})) == (1, False)


async def test_an_answer_that_stays_wrong_is_returned_as_it_is() -> None:
    wire = ScriptedWire(WRONG)
    response = (await ask(wire, repair=2)).unwrap()
    assert (len(wire.requests), response.content) == (3, WRONG.text)
    assert [one["outcome"] for one in response.metadata["attempts"]] == ["InvalidResponse"] * 3
    assert isinstance(structured(response, City), Failure)
    assert len(read_messages(wire, 2)) == 5


async def test_a_failure_to_ask_again_does_not_lose_the_answer() -> None:
    wire = ScriptedWire(WRONG, ServerFailed(status=500, message="down"))
    response = (await ask(wire)).unwrap()
    assert response.content == WRONG.text
    assert [one["outcome"] for one in response.metadata["attempts"]] == ["InvalidResponse", "ServerFailed"]


@pytest.mark.parametrize(
    "turn", [Turn(text="", calls=(Call(name="look"),)), Turn(text="I cannot", stop="content_filter")]
)
async def test_calls_and_refusals_are_not_repaired(turn: Turn) -> None:
    wire = ScriptedWire(turn)
    await ask(wire)
    assert len(wire.requests) == 1


async def test_the_deadline_bounds_all_turns() -> None:
    wire = ScriptedWire(WRONG, RIGHT)
    response = (await ask(wire, deadline=30.0)).unwrap()
    assert response.content == RIGHT.text
    wire = ScriptedWire(WRONG, RIGHT)
    assert (await ask(wire, deadline=0.0)).failure()
    assert wire.requests == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"repair": -1}, "repair: expected a non-negative integer, got -1"),
        ({"repair": "1"}, "repair: expected a non-negative integer, got '1'"),
        ({"response_format": None}, "repair: requires a response_format for JSON"),
        ({"response_format": {"type": "text"}}, "repair: requires a response_format for JSON"),
        ({"response_format": {"type": "no such type"}}, "repair: "),
    ],
)
async def test_a_repair_that_cannot_be_made_is_refused_before_sending(more: dict[str, Any], message: str) -> None:
    wire = ScriptedWire(RIGHT)
    fault = (await ask(wire, **more)).failure()
    assert isinstance(fault, InvalidRequest)
    assert fault.message.startswith(message)
    assert wire.requests == []


async def test_a_stream_is_not_repaired() -> None:
    provider: Any = ProviderRegistry.create("openai", api_key="k", transport=ScriptedWire(RIGHT))
    async with provider:
        result = await provider.stream_result(HI, model="m", response_format=City, repair=1).response()
    assert "not supported for streams" in result.failure().message


async def test_response_is_unchanged_without_repair() -> None:
    wire = ScriptedWire(WRONG)
    assert (await ask(wire, repair=0)).unwrap().content == WRONG.text
    assert len(wire.requests) == 1
