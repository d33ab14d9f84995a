"""The public API as a strictly typed program uses it; only type-checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypedDict, assert_never, assert_type

from pydantic import BaseModel
from returns.result import Failure, Result, Success

import victor_fp
from victor_fp import (
    ChunkMetadata,
    CompletionResponse,
    EmbeddingResponse,
    Fault,
    ImagePart,
    ManagedProvider,
    Message,
    Provider,
    ProviderInfo,
    ProviderManager,
    ProviderRegistry,
    RerankResponse,
    ResponseMetadata,
    StreamChunk,
    TextPart,
    ToolCall,
    ToolDefinition,
    Usage,
    collect,
    outcome,
    replay,
    run_tools,
    sync,
    tool,
)
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import RateLimited, StreamTruncated
from victor_fp.core.requests import HttpRequest
from victor_fp.core.telemetry.stats import BudgetStats
from victor_fp.jobs import Row
from victor_fp.providers.base import BaseProvider, ProviderError, is_streaming_provider
from victor_fp.providers.calls import ChatStream
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.sync import (
    SyncManagedProvider,
    SyncProvider,
    SyncProviderManager,
    SyncStream,
    create,
    create_managed,
    run,
)


class Weather(BaseModel):
    """An answer's form."""

    city: str


@dataclass
class Noon:
    """A dataclass as the form."""

    degrees: int


class Place(TypedDict):
    """A TypedDict as the form."""

    city: str


MESSAGES = [
    Message(role="system", content="Be brief."),
    Message(role="user", content=[TextPart(text="What is this?"), ImagePart(data=b"", media_type="image/png")]),
    Message(role="assistant", tool_calls=[{"id": "a", "name": "f", "arguments": {"x": 1}}]),
    Message(role="tool", tool_call_id="a", content="1"),
]


async def use_exceptions(provider: BaseProvider) -> str:
    """Exceptions."""
    try:
        response = await provider.chat(
            MESSAGES, model="m", temperature=0.2, stop=["END"], tool_choice={"name": "f"}, response_format=Weather
        )
    except ProviderError as error:
        assert_type(error.fault, Fault)
        return error.message
    assert_type(response, CompletionResponse)
    assert_type(response.tool_calls, list[ToolCall] | None)
    assert_type(response.usage, Usage | None)
    assert_type(response.to_message(), Message)
    if response.usage is not None and "total_tokens" in response.usage:
        assert_type(response.usage["total_tokens"], int)
    return response.content


async def use_results(provider: BaseProvider) -> str:
    """Values, decided exhaustively."""
    result = await provider.chat_result(MESSAGES, model="m", seed=1)
    assert_type(result, Result[CompletionResponse, Fault])
    match outcome(result):
        case Success(response):
            assert_type(response, CompletionResponse)
            return response.content
        case Failure(RateLimited(retry_after=seconds)):
            assert_type(seconds, float | None)
            return "later"
        case Failure(fault):
            return fault.message
        case other:
            assert_never(other)


async def use_streams(provider: BaseProvider) -> list[str]:
    """Both ways of streaming."""
    chunks = provider.stream(MESSAGES, model="m", tools=[ToolDefinition(name="f", description="", parameters={})])
    assert_type(chunks, AsyncIterator[StreamChunk])
    said = [chunk.content async for chunk in chunks]
    async for result in provider.stream_result(MESSAGES, model="m"):
        match outcome(result):
            case Success(chunk):
                said.append(chunk.content)
            case Failure(StreamTruncated(partial=partial)):
                said.append(partial.content if partial else "")
            case Failure(fault):
                said.append(fault.message)
    return said


async def use_registry_and_replay() -> None:
    """The registry, discovery and replay."""
    async with ProviderRegistry.create("openai", api_key="k") as base:
        assert_type(base, BaseProvider)
        assert_type(await base.discover_capabilities("m"), ProviderRuntimeCapabilities)
        assert_type(is_streaming_provider(base), bool)
        assert_type(base.get_circuit_breaker_stats() is None, bool)
    async with victor_fp.create("openai/gpt-5-mini", api_key="k") as provider:
        assert_type(provider, Provider)
        assert_type(await provider.chat("Hi", response_format=Weather), CompletionResponse)
        assert_type(await provider.chat_result(MESSAGES), Result[CompletionResponse, Fault])
        assert_type(provider.stream("Hi"), ChatStream[StreamChunk])
        assert_type(await provider.stream("Hi").response(), CompletionResponse)
        assert_type(provider.stream_result("Hi"), ChatStream[Result[StreamChunk, Fault]])
        assert_type(await provider.stream_result("Hi").response(), Result[CompletionResponse, Fault])
        embedded = await provider.embed(["Hi"], model="m")
        assert_type(embedded, EmbeddingResponse)
        assert_type(embedded.typed_metadata.get("truncated"), list[int] | None)
        assert_type(await provider.rerank_result("q", ["Hi"], model="m"), Result[RerankResponse, Fault])
        assert_type(await provider.list_models_result(), Result[list[ModelInfo], Fault])
        assert_type(await provider.count_tokens("Hi", model="m"), int)
    request = replay.request("openai", MESSAGES, model="m", stream=True)
    assert_type(request, Result[HttpRequest, Fault])
    assert_type(collect(replay.stream("openai", 200, {}, [b""])), Result[list[StreamChunk], Fault])


async def read_metadata_and_figures(provider: ManagedProvider, manager: ProviderManager) -> None:
    """Metadata is a dict with extra keys and a typed view; statistics are typed."""
    response = await provider.chat(MESSAGES)
    as_dict: dict[str, Any] | None = response.metadata
    assert_type(response.typed_metadata.get("reasoning_content"), str | None)
    assert_type(response.typed_metadata, ResponseMetadata)
    if "cost" in response.typed_metadata:
        assert_type(response.typed_metadata["cost"]["amount"], float)
    async for chunk in provider.stream(MESSAGES):
        assert_type(chunk.typed_metadata, ChunkMetadata)
    metrics, limits = provider.get_metrics(), provider.get_rate_limit_stats()
    assert_type(provider.get_budget_stats(), BudgetStats | None)
    if metrics is not None and limits is not None and as_dict is not None:
        assert_type(metrics["summary"]["total_requests"], int)
        assert_type(limits["targets"]["openai:m"]["waiting"], int)
    breaker: dict[str, Any] | None = provider.get_circuit_breaker_stats()
    assert breaker is None or breaker["state"] == "closed"
    assert_type(manager.get_info(), ProviderInfo)


def use_sync() -> list[str]:
    """The synchronous face."""
    with create("openai/gpt-5-mini") as provider:
        assert_type(provider, SyncProvider)
        response = provider.chat("Hi", response_format=Weather, stop=["END"])
        assert_type(response, CompletionResponse)
        assert_type(provider.chat_result(MESSAGES), Result[CompletionResponse, Fault])
        stream = provider.stream(MESSAGES, model="m")
        assert_type(stream, SyncStream[StreamChunk])
        said = [chunk.content for chunk in stream]
        assert_type(provider.stream(MESSAGES).response(), CompletionResponse)
        results = provider.stream_result(MESSAGES)
        assert_type(results, SyncStream[Result[StreamChunk, Fault]])
        assert_type(collect(results), Result[list[StreamChunk], Fault])
        assert_type(provider.stream_result(MESSAGES).response(), Result[CompletionResponse, Fault])
        assert_type(provider.list_models(), list[ModelInfo])
        assert_type(run(provider.provider.count_tokens("Hi")), int)
        assert_type(sync.run_job([Row("1", "Hi")], provider, ledger="l"), sync.SyncJobRun[CompletionResponse])
        for done in sync.run_job([Row("1", "Hi")], provider, ledger="l", schema=Weather):
            assert_type(done.result, Result[Weather, Fault])
        for noon in sync.run_job([Row("1", "Hi")], provider, ledger="l", schema=Noon):
            assert_type(noon.result, Result[Noon, Fault])
        place = provider.chat("Hi", response_format=Place)
        assert_type(victor_fp.structured(place, Place), Result[Place, Fault])
    with create_managed("openai/gpt-5-mini") as managed:
        assert_type(managed, SyncManagedProvider)
        assert_type(managed.chat("Hi").content, str)
        assert_type(managed.is_healthy(), bool)
    with SyncProviderManager({}, provider_name="openai") as manager:
        assert_type(manager.chat("Hi"), CompletionResponse)
        assert_type(manager.provider, SyncProvider | None)
    return said


@tool
def get_weather(city: str, days: int = 1) -> list[str]:
    """A tool."""
    return [city] * days


@tool(name="get_forecast", strict=True)
async def get_forecast(city: str) -> str:
    """A tool with a name of its own."""
    return city


async def run_agent(provider: BaseProvider) -> list[Message]:
    """Tools from functions."""
    assert_type(get_weather("Oslo", days=2), list[str])
    assert_type(await get_forecast("Oslo"), str)
    assert_type(get_weather.name, str)
    get_weather(1)  # type: ignore[arg-type]  # the parameters are the function's
    response = await provider.chat(MESSAGES, model="m", tools=[get_weather, get_forecast])
    assert_type(sync.run_tools(response, [get_weather]), list[Message])
    return await run_tools(response, [get_weather, get_forecast])


async def make_mistakes(provider: BaseProvider) -> None:
    """What the checker refuses; each ignore would be unused, and so an error, if it did not."""
    await provider.chat(MESSAGES, model="m", tempperature=1)  # type: ignore[call-arg]  # no such option
    await provider.chat(MESSAGES, model="m", tool_choice="maybe")  # type: ignore[arg-type]  # no such choice
    SyncProvider(provider).chat(MESSAGES, tempperature=1)  # type: ignore[call-arg]  # no such option
    Message(role="robot", content="")  # type: ignore[arg-type]  # no such role
