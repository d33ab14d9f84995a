"""Ten vendors, plain and managed, against a server that fails as they do and judges its client: no FAIL, no WARN."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

import pytest
from returns.result import Failure, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import (
    ContextLengthExceeded,
    DeadlineExceeded,
    Fault,
    InvalidResponse,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
    StreamTruncated,
    TimedOut,
)
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, Message, StreamChunk, ToolDefinition
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry

if TYPE_CHECKING:
    from llmock.pytest_plugin import LLMock

ASKED = [Message(role="user", content="Count to ten.")]
REPLY = "one two three four five six seven eight nine ten"


class Vendor(NamedTuple):
    provider: str
    model: str
    path: str
    lead: int
    """Events of a stream before the first piece of the answer."""


VENDORS = [
    Vendor("openai", "gpt-4o-mini", "/v1", 1),
    Vendor("anthropic", "claude-sonnet-4-5", "/anthropic", 2),
    Vendor("google", "gemini-2.0-flash", "/gemini/v1beta", 0),
    Vendor("mistral", "mistral-large-latest", "/mistral/v1", 1),
    Vendor("cohere", "command-r-plus", "/cohere", 2),
    Vendor("groq", "llama-3.3-70b-versatile", "/groq/openai/v1", 1),
    Vendor("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "/together/v1", 1),
    Vendor("xai", "grok-4", "/xai/v1", 1),
    Vendor("perplexity", "sonar", "/perplexity/v1", 1),
    Vendor("ai21", "jamba-large", "/ai21/v1", 1),
]
UNLISTED = ("perplexity", "ai21")
"""Not in the catalogue: each is one record, as a caller would write it."""


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.provider)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    assert isinstance(request.param, Vendor)
    return request.param


@pytest.fixture(params=["plain", "managed"])
async def provider(request: pytest.FixtureRequest, vendor: Vendor, faults: LLMock) -> AsyncIterator[BaseProvider]:
    faults.reply(REPLY, times=None).pace(10)
    name, place = vendor.provider, faults.url + vendor.path
    if name in UNLISTED:
        ProviderRegistry.register_spec(ProviderSpec(name=name, title=name, dialect=ChatDialect(), base_url=place))
    made: BaseProvider
    if request.param == "managed":
        made = await ManagedProviderFactory.create(name, vendor.model, api_key="test-key", base_url=place, timeout=1.0)
    else:
        made = ProviderRegistry.create(name, api_key="test-key", base_url=place, timeout=1.0)
    async with made:
        yield made


async def chatted(provider: BaseProvider, vendor: Vendor) -> Fault | str:
    match outcome(await provider.chat_result(ASKED, model=vendor.model)):
        case Success(response):
            assert response.stop_reason == "stop"
            return response.content
        case Failure(fault):
            return fault


async def streamed(provider: BaseProvider, vendor: Vendor, **options: float) -> tuple[str, Fault | StreamChunk]:
    """The text that came, and how the stream ended."""
    text = ""
    end: Fault | StreamChunk | None = None
    async for result in provider.stream_result(ASKED, model=vendor.model, **options):  # type: ignore[arg-type]  # timeout
        assert end is None, "something came after the end"
        match outcome(result):
            case Success(chunk):
                text += chunk.content
                end = chunk if chunk.is_final else None
            case Failure(fault):
                end = fault
    assert end is not None
    return text, end


async def assert_asked_again(provider: BaseProvider, vendor: Vendor) -> None:
    """What a caller does who was told of a broken stream: rest, so that the server sees the end of it, and ask again."""
    await asyncio.sleep(0.4)
    await assert_whole_stream(provider, vendor)


async def assert_whole_stream(provider: BaseProvider, vendor: Vendor) -> None:
    text, end = await streamed(provider, vendor)
    assert isinstance(end, StreamChunk), end
    assert (text, end.stop_reason) == (REPLY, "stop")


async def test_without_faults(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    assert await chatted(provider, vendor) == REPLY
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 2


async def test_a_rate_limits_wait_is_kept(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    faults.rate_limit(times=2, retry_after=0.4)
    began = time.monotonic()
    assert await chatted(provider, vendor) == REPLY
    assert time.monotonic() - began >= 0.8
    faults.rate_limit(times=1, retry_after=0.4)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 5


async def test_503_passes(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    faults.fail(503, times=2)
    assert await chatted(provider, vendor) == REPLY
    faults.fail(503, times=1)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)


async def test_an_outage_ends_in_a_fault_after_a_few_tries(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.outage()
    fault = await chatted(provider, vendor)
    assert isinstance(fault, Overloaded | ServerFailed), fault
    assert fault.status == 503
    assert len(fault.attempts) == len(faults.requests)
    assert 2 <= len(faults.requests) <= 4
    faults.assert_resilient(strict=True)


async def test_a_stream_cut_before_its_first_piece_is_asked_for_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.truncate(after_chunks=vendor.lead).disconnect(after_chunks=vendor.lead)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 3


async def test_a_stream_cut_in_the_middle_is_a_fault_with_what_had_come(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.truncate(after_chunks=vendor.lead + 3)
    text, end = await streamed(provider, vendor)
    assert isinstance(end, StreamTruncated), end
    assert 0 < len(text) < len(REPLY)
    assert REPLY.startswith(text)
    assert end.partial is not None
    assert end.partial.content == text
    assert len(faults.requests) == 1, "what had begun was begun again"
    await assert_asked_again(provider, vendor)
    faults.assert_resilient(strict=True)


async def test_a_stream_disconnected_in_the_middle_is_a_fault_with_what_had_come(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.disconnect(after_chunks=vendor.lead + 3)
    text, end = await streamed(provider, vendor)
    assert isinstance(end, StreamInterrupted), end
    assert 0 < len(text) < len(REPLY)
    assert REPLY.startswith(text)
    assert len(faults.requests) == 1
    await assert_asked_again(provider, vendor)
    faults.assert_resilient(strict=True)


async def test_corruption_is_a_fault_and_ends_the_connection(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.pace(50).corrupt(after_chunks=vendor.lead + 2)
    text, end = await streamed(provider, vendor)
    assert isinstance(end, InvalidResponse), end
    assert REPLY.startswith(text)
    await assert_asked_again(provider, vendor)
    faults.assert_resilient(strict=True)


async def test_corruption_before_the_first_piece_is_asked_for_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.pace(50).corrupt(after_chunks=0)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 2


async def test_a_stall_in_the_middle_times_out(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    faults.stall(after_chunks=vendor.lead + 2, seconds=20)
    began = time.monotonic()
    text, end = await streamed(provider, vendor, timeout=0.5)
    assert isinstance(end, TimedOut), end
    assert end.phase == "stream"
    assert time.monotonic() - began < 3
    assert 0 < len(text) < len(REPLY)
    await assert_asked_again(provider, vendor)
    faults.assert_resilient(strict=True)


async def test_a_stall_before_the_first_piece_is_asked_for_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.stall(after_chunks=vendor.lead, seconds=20)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 2


async def test_a_slow_first_token_is_waited_for_within_the_timeout(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.slow_first_token(0.6)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 1


async def test_a_first_token_slower_than_the_timeout_is_asked_for_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.slow_first_token(20)
    await assert_whole_stream(provider, vendor)
    faults.assert_resilient(strict=True)
    assert len(faults.requests) == 2


async def test_an_error_of_the_caller_is_not_tried_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.fail(400)
    fault = await chatted(provider, vendor)
    assert not isinstance(fault, str)
    assert fault.status == 400
    assert len(faults.requests) == 1
    faults.assert_resilient(strict=True)


async def test_a_prompt_too_long_is_told_and_not_tried_again(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.context_overflow(times=1)
    fault = await chatted(provider, vendor)
    assert isinstance(fault, ContextLengthExceeded), fault
    assert len(faults.requests) == 1
    faults.assert_resilient(strict=True)


async def test_a_delay_within_the_timeout_is_waited_for(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    faults.delay(0.3, times=2)
    assert await chatted(provider, vendor) == REPLY
    await assert_whole_stream(provider, vendor)
    assert len(faults.requests) == 2
    faults.assert_resilient(strict=True)


async def test_a_quota_whose_wait_passes_the_deadline_is_told_at_once(
    provider: BaseProvider, vendor: Vendor, faults: LLMock
) -> None:
    faults.limits(rpm=1)
    assert await chatted(provider, vendor) == REPLY
    result = await provider.chat_result(ASKED, model=vendor.model, deadline=2.0)
    match outcome(result):
        case Failure(RateLimited() | QuotaExhausted() | TimedOut() | DeadlineExceeded()):
            pass
        case other:
            raise AssertionError(other)
    faults.assert_resilient()  # strict would warn that it was given up, which is what the caller's deadline asks for


async def test_a_broken_tool_call_keeps_its_words(provider: BaseProvider, vendor: Vendor, faults: LLMock) -> None:
    tool = ToolDefinition(name="count", description="Counts.", parameters={"type": "object", "properties": {}})
    faults.reset().pace(10).call_tool("count", {"to": 10}).break_tool_call("malformed_arguments")
    response = await provider.chat(ASKED, model=vendor.model, tools=[tool])
    assert response.tool_calls is not None
    assert [call["name"] for call in response.tool_calls] == ["count"]
    assert response.stop_reason == "tool_use"
