"""Ten vendors that fail on demand: every scenario runs against all of them at once, each on a server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import pytest
from returns.result import Failure, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, CompletionResponse, Message, StreamChunk
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry

if TYPE_CHECKING:
    from llmock.pytest_plugin import LLMock
    from llmock.testing import LLMockServer
    from llmock.verdict import Verdict

Manner: TypeAlias = Literal["plain", "managed"]
MANNERS: tuple[Manner, ...] = ("plain", "managed")

ASKED = [Message(role="user", content="Count to ten.")]
REPLY = "one two three four five six seven eight nine ten"
TIMEOUT = 2.0
"""Seconds for one attempt; far more than any response here needs, because ten vendors share two cores."""


class Vendor(NamedTuple):
    """A vendor as the fault server plays it."""

    provider: str
    model: str
    path: str
    lead: int
    """Events of a stream before the first piece of the answer."""
    coda: int
    """Events behind the one that says why the answer stopped."""


VENDORS = (
    Vendor("openai", "gpt-4o-mini", "/v1", 1, 2),
    Vendor("anthropic", "claude-sonnet-4-5", "/anthropic", 3, 1),
    Vendor("google", "gemini-2.0-flash", "/gemini/v1beta", 0, 0),
    Vendor("mistral", "mistral-large-latest", "/mistral/v1", 1, 1),
    Vendor("cohere", "command-r-plus", "/cohere", 2, 0),
    Vendor("groq", "llama-3.3-70b-versatile", "/groq/openai/v1", 1, 2),
    Vendor("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "/together/v1", 1, 1),
    Vendor("xai", "grok-4", "/xai/v1", 1, 2),
    Vendor("perplexity", "sonar", "/perplexity/v1", 1, 2),
    Vendor("ai21", "jamba-large", "/ai21/v1", 1, 2),
)
UNLISTED = ("perplexity", "ai21")
"""Not in the catalogue: each is one record, as a caller would write it."""

Servers: TypeAlias = "dict[tuple[Manner, str], LLMockServer]"


@dataclass(kw_only=True)
class Case:
    """One vendor, called in one manner."""

    vendor: Vendor
    manner: Manner
    provider: BaseProvider
    faults: LLMock
    server: LLMockServer

    @asynccontextmanager
    async def open_another(
        self, *, timeout: float = TIMEOUT, key: str = "test-key", path: str | None = None
    ) -> AsyncIterator[BaseProvider]:
        """A provider of the same kind that has met no fault yet."""
        name, place = self.vendor.provider, self.faults.url + (path or self.vendor.path)
        made: BaseProvider
        if self.manner == "managed":
            made = await ManagedProviderFactory.create(
                name, self.vendor.model, api_key=key, base_url=place, timeout=timeout
            )
        else:
            made = ProviderRegistry.create(name, api_key=key, base_url=place, timeout=timeout)
        async with made:
            yield made

    async def get_answer(self, **options: object) -> CompletionResponse | Fault:
        """A whole answer, or why there is none."""
        return await get_answer(self.provider, self.vendor.model, **options)

    async def read_stream(self, **options: object) -> tuple[str, StreamChunk | Fault]:
        """The text that came, and how the stream ended."""
        return await read_stream(self.provider, self.vendor.model, **options)

    async def check_answer(self, **options: object) -> None:
        answer = await self.get_answer(**options)
        assert isinstance(answer, CompletionResponse), answer
        assert (answer.content, answer.stop_reason) == (REPLY, "stop"), answer

    async def check_whole_stream(self, **options: object) -> None:
        text, end = await self.read_stream(**options)
        assert isinstance(end, StreamChunk), end
        assert (text, end.stop_reason) == (REPLY, "stop"), (text, end)

    async def get_verdict(self) -> Verdict:
        """The server's judgement; it waits for requests that are still under way."""
        return await asyncio.to_thread(self.faults.verdict)

    async def check_requests(self, *, requests: int | None = None, has_many_retries: bool = False) -> None:
        """No FAIL and no WARN, and so many requests.

        Among many retries, two pauses of one call are about equal now and then, since they have jitter; the server takes that for
        a constant interval.
        """
        verdict = await self.get_verdict()
        if has_many_retries:
            verdict = replace(verdict, findings=tuple(one for one in verdict.findings if one.code != "no_backoff"))
        verdict.assert_ok(strict=True)
        assert requests is None or verdict.attempts == requests, f"{verdict.attempts} requests, not {requests}"


async def get_answer(provider: BaseProvider, model: str, **options: object) -> CompletionResponse | Fault:
    """A whole answer, or why there is none."""
    match outcome(await provider.chat_result(ASKED, model=model, **options)):  # type: ignore[arg-type]  # any option
        case Success(response):
            return response
        case Failure(fault):
            return fault


async def read_stream(provider: BaseProvider, model: str, **options: object) -> tuple[str, StreamChunk | Fault]:
    """The text that came, and how the stream ended."""
    text = ""
    end: StreamChunk | Fault | None = None
    async for result in provider.stream_result(ASKED, model=model, **options):  # type: ignore[arg-type]  # any option
        assert end is None, "something came after the end"
        match outcome(result):
            case Success(chunk):
                text += chunk.content
                end = chunk if chunk.is_final else None
            case Failure(fault):
                end = fault
    assert end is not None, "a stream without an end"
    return text, end


@asynccontextmanager
async def open_case(vendor: Vendor, manner: Manner, server: LLMockServer) -> AsyncIterator[Case]:
    """A case on a server that has seen nothing, answers everything with REPLY and has no fault planned."""
    from llmock.pytest_plugin import LLMock

    faults = LLMock(server).reset().reply(REPLY, times=None).pace(10)
    if vendor.provider in UNLISTED:
        place = faults.url + vendor.path
        spec = ProviderSpec(name=vendor.provider, title=vendor.provider, dialect=ChatDialect(), base_url=place)
        ProviderRegistry.register_spec(spec)
    case = Case(vendor=vendor, manner=manner, provider=None, faults=faults, server=server)  # type: ignore[arg-type]  # comes next
    async with case.open_another() as case.provider:
        yield case


Scenario: TypeAlias = Callable[[Case], Awaitable[None]]
Test: TypeAlias = Callable[[Manner, "Servers"], Awaitable[None]]


def on_every_vendor(scenario: Scenario) -> Test:
    """The test of a scenario: once through plain providers and once through managed ones, all vendors at once."""

    async def run_scenario_once(manner: Manner, fault_servers: Servers) -> None:
        await run_scenario(scenario, fault_servers, [manner])

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(run_scenario_once, name, getattr(scenario, name))
    marked: Test = pytest.mark.parametrize("manner", MANNERS)(run_scenario_once)
    return marked


async def run_scenario(scenario: Scenario, servers: Servers, manners: Sequence[Manner] = MANNERS) -> None:
    """Play the scenario with every vendor at once, and tell of all that fail."""

    async def run_alone(vendor: Vendor, manner: Manner) -> None:
        try:
            async with open_case(vendor, manner, servers[manner, vendor.provider]) as case:
                await scenario(case)
        except Exception as error:
            error.add_note(f"{vendor.provider}, {manner}")
            raise

    both: list[tuple[Vendor, Manner]] = [(vendor, manner) for vendor in VENDORS for manner in manners]
    ended = await asyncio.gather(*(run_alone(*each) for each in both), return_exceptions=True)
    broken = [error for error in ended if isinstance(error, Exception)]
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {len(both)}", broken)
