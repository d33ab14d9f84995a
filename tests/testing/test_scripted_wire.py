"""ScriptedWire replaces HTTP: responses in the provider's protocol, and a record of all requests."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure

from tests.acme import HI, KEY
from tests.catalogue_samples import SAMPLES, list_entry_params
from tests.fake_runtime import FakeRuntime
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import ConnectionFailed, Fault, Overloaded, RateLimited, StreamInterrupted, TimedOut
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import ChatStream
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing import Answer, Call, ScriptedWire, Turn, json_answer

WITH_TOOLS = [spec for spec in SAMPLES if spec.supports.tools]


def create_provider(wire: ScriptedWire, name: str = "openai", **options: Any) -> BaseProvider:
    return ProviderRegistry.create(name, **{"api_key": KEY, "transport": wire, "runtime": FakeRuntime(), **options})


@pytest.mark.parametrize("spec", list_entry_params())
async def test_turn_is_written_in_every_protocol(spec: ProviderSpec) -> None:
    wire = ScriptedWire(Turn(text="Hello!"), provider=spec.name)
    async with create_provider(wire, spec.name, base_url="https://vendor.test") as provider:
        response = await provider.chat(HI, model=spec.default_model or "m-1")
        chunks = [chunk async for chunk in provider.stream(HI, model=spec.default_model or "m-1")]
    assert response.content == "".join(chunk.content for chunk in chunks) == "Hello!"
    assert chunks[-1].stop_reason == "stop"
    assert wire.requests[0].url.startswith("https://vendor.test/")
    assert KEY not in str(wire.requests)
    assert (wire.closed, wire.left_early) == (True, 0)


async def test_turns_are_used_in_order_and_the_last_one_repeats() -> None:
    wire = ScriptedWire(Turn(calls=(Call(name="weather", arguments={"city": "Oslo"}),)), Turn(text="Sunny."))
    async with create_provider(wire) as provider:
        asked = await provider.chat(HI, model="m-1")
        said = [(await provider.chat(HI, model="m-1")).content for _ in range(2)]
    assert asked.tool_calls == [{"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}]
    assert (asked.stop_reason, said) == ("tool_use", ["Sunny.", "Sunny."])


async def test_errors_and_broken_connections_are_retried_like_http() -> None:
    runtime = FakeRuntime()
    busy = json_answer({"error": {"message": "slow down"}}, 429, {"retry-after": "7"})
    wire = ScriptedWire(busy, ConnectionFailed(message="refused"), Turn(text="Hello!"))
    async with create_provider(wire, runtime=runtime) as provider:
        response = await provider.chat(HI, model="m-1")
    assert (response.content, len(wire.requests), runtime.slept[0]) == ("Hello!", 3, 7.0)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(ending="silent"), TimedOut),
        (Answer(headers={"content-type": "text/event-stream"}, ending="held"), TimedOut),
        (Answer(headers={"content-type": "text/event-stream"}, ending="cut"), StreamInterrupted),
        (json_answer({"error": {"message": "no"}}, 503), Overloaded),
        (RateLimited(message="slow"), RateLimited),
    ],
)
async def test_every_failure_ending_is_a_fault_without_waiting(answer: Any, kind: type[Fault]) -> None:
    async with create_provider(ScriptedWire(answer), max_retries=0) as provider:
        results = [outcome(result) async for result in provider.stream_result(HI, model="m-1")]
    assert [type(result.failure()) for result in results if isinstance(result, Failure)] == [kind]


async def test_abandoned_stream_is_recorded() -> None:
    wire = ScriptedWire(Turn(text="A long answer."))
    async with create_provider(wire) as provider:
        stream = provider.stream(HI, model="m-1")
        assert isinstance(stream, ChatStream)
        async with stream:
            assert (await anext(stream)).content
    assert wire.left_early == 1


async def test_oversized_body_is_a_fault() -> None:
    wire = ScriptedWire(Answer(pieces=(b"x" * 10, b"y" * 10)))
    reply = await wire.open(_request(), None, 1.0)
    assert not isinstance(reply, ConnectionFailed)
    assert await reply.read(100) == b"x" * 10 + b"y" * 10  # type: ignore[union-attr]  # a reply
    again = await wire.open(_request(), None, 1.0)
    assert "larger than 15 bytes" in (await again.read(15)).message  # type: ignore[union-attr]  # a fault


def test_empty_script_and_unknown_provider_raise() -> None:
    with pytest.raises(ValueError, match="requires at least one answer"):
        ScriptedWire()
    with pytest.raises(LookupError, match="no provider is named 'nobody'"):
        ScriptedWire(Turn(), provider="nobody")


def _request() -> Any:
    from victor_fp.core.requests import HttpRequest

    return HttpRequest(url="https://vendor.test/v1/chat/completions?a=1", body=b"{}")


@pytest.mark.parametrize("spec", WITH_TOOLS, ids=[spec.name for spec in WITH_TOOLS])
async def test_calls_without_ids_get_distinct_ones_in_every_protocol(spec: ProviderSpec) -> None:
    calls = (Call(name="a"), Call(name="b", id="call_1"), Call(name="c"))
    wire = ScriptedWire(Turn(calls=calls), Turn(calls=(Call(name="a"),)), provider=spec.name)
    async with create_provider(wire, spec.name, base_url="https://vendor.test") as provider:
        responses = [await provider.chat(HI, model=spec.default_model or "m-1") for _ in range(2)]
    ids = [call["id"] for response in responses for call in response.tool_calls or ()]
    assert len(ids) == len(set(ids)) == 4
