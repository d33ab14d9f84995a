"""The conformance harness: creates a provider for each check, with a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.runtime import SystemRuntime
from victor_fp.testing.answers import Answer, Received, Script, json_answer
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.server import Server, serving
from victor_fp.testing.vendors import answer_preliminary
from victor_fp.testing.writers import Writer

KEY = "sk-canary-0123456789abcdef"
"""The key, which must appear only in headers."""
LAW_TIMEOUT = 10.0
"""Timeout in seconds of one law."""
HI = Message(role="user", content="What is the weather?")
WEATHER = ToolDefinition(
    name="weather",
    description="Returns the weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TEXT_TURN = Turn(text="It is sunny, and 23 °C: ☀\nquite warm.")
TOOL_CALLS_TURN = Turn(
    calls=(
        Call(id="call_1", name="weather", arguments={"city": "Oslo"}),
        Call(id="call_2", name="weather", arguments={"city": "São Paulo", "days": [1, 2]}),
    )
)


class NotApplicable(msgspec.Struct, frozen=True):
    """The result for a law that cannot be checked for this provider."""

    reason: str


Problems: TypeAlias = list[str] | NotApplicable
Run: TypeAlias = "Callable[[Harness], Problems]"


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds for all providers."""

    name: str
    summary: str
    """The rule in one sentence."""
    run: Run
    """Returns the problems; empty if the law holds."""
    needs: frozenset[str] = frozenset({"protocol"})
    """Required features: `chat`, `protocol` (a known one), `streaming`, `tools`, `reasoning`, `reasons`, `signs`,
    `embeddings`, `reranking`, `no chat`."""


class CollectedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A collected stream."""

    chunks: list[StreamChunk]
    fault: Fault | None
    late: int
    """Number of results after the failure."""

    @property
    def text(self) -> str:
        """The text of all chunks."""
        return "".join(chunk.content for chunk in self.chunks)

    @property
    def final(self) -> StreamChunk | None:
        """The last chunk, if it is the final one."""
        return self.chunks[-1] if self.chunks and self.chunks[-1].is_final else None


@dataclass
class NoSleepRuntime(SystemRuntime):
    """The system runtime with an empty environment, and with sleeps that return at once and are recorded."""

    sleeps: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Record the sleep."""
        self.sleeps.append(seconds)
        await asyncio.sleep(0)

    def read_environment(self) -> Mapping[str, str]:
        """Return an empty environment."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One provider under test."""

    name: str
    make: Callable[..., BaseProvider]
    """Creates the provider from `api_key`, `base_url`, `timeout` and `max_retries`, and `runtime` if `paced`."""
    writer: Writer | None
    model: str
    has: frozenset[str]
    """Available features, as in `Law.needs`."""
    embedding_model: str = "model-1"
    rerank_model: str = "model-1"
    paced: bool = False
    """Whether the provider accepts a `runtime`."""

    @property
    def protocol_writer(self) -> Writer:
        """The writer of the protocol, for laws that need one."""
        if self.writer is None:
            raise LookupError(f"the protocol of {self.name} is not known")
        return self.writer

    def build_error(self, status: int, words: str) -> Answer:
        """Build an error in the protocol's format, or in the most common one."""
        if self.writer is not None:
            return self.writer.error(status, words)
        return json_answer({"error": {"message": words}}, status)

    def make_provider(self, url: str, **options: Any) -> BaseProvider:
        """Create a provider with this base URL."""
        return self.make(**{"api_key": KEY, "base_url": url, "timeout": 5.0, "max_retries": 0, **options})

    @asynccontextmanager
    async def connect(self, *answers: Answer, **options: Any) -> AsyncIterator[tuple[BaseProvider, Server]]:
        """Yield a provider and its server, which sends these responses in order and repeats the last one."""
        async with (
            serving(self.build_script(*answers)) as server,
            self.make_provider(server.url, **options) as provider,
        ):
            yield provider, server

    def build_script(self, *answers: Answer) -> Script:
        """Build a script of these responses; preliminary requests are answered separately."""
        sent = 0

        def answer(received: Received) -> Answer:
            nonlocal sent
            led = answer_preliminary(self.protocol_writer, received) if self.writer is not None else None
            if led is not None:
                return led
            sent += 1
            return answers[min(sent, len(answers)) - 1]

        return answer

    async def ask(
        self,
        provider: BaseProvider,
        messages: list[Message] | None = None,
        tools: list[ToolDefinition] | None = None,
    ) -> Result[CompletionResponse, Fault]:
        """Call `chat_result`."""
        return await provider.chat_result(messages or [HI], model=self.model, tools=tools)

    async def collect_stream(
        self, provider: BaseProvider, tools: list[ToolDefinition] | None = None
    ) -> CollectedStream:
        """Collect a stream."""
        chunks: list[StreamChunk] = []
        fault: Fault | None = None
        late = 0
        async for result in provider.stream_result([HI], model=self.model, tools=tools):
            late += fault is not None
            match outcome(result):
                case Success(chunk):
                    chunks.append(chunk)
                case Failure(found):
                    fault = found
        return CollectedStream(chunks=chunks, fault=fault, late=late)


def run_in_loop(law: Callable[[Harness], Awaitable[Problems]]) -> Run:
    """Run a law in its own event loop."""

    async def run_bounded(harness: Harness) -> Problems:
        async with asyncio.timeout(LAW_TIMEOUT):
            return await law(harness)

    def run(harness: Harness) -> Problems:
        return asyncio.run(run_bounded(harness))

    return run


def compare(what: str, expected: object, got: object) -> list[str]:
    """Return a problem if two values differ."""
    return [] if expected == got else [f"{what}: expected {expected!r}, got {got!r}"]


def describe_failure(fault: Fault) -> str:
    """Describe an unexpected failure."""
    return f"failed with {type(fault).__name__}: {fault.message}"
