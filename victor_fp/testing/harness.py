"""An examination: one provider, made anew for every question, facing a server that says what a law wants said."""

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
"""What must not be seen anywhere but in a header."""
LAW_TIMEOUT = 10.0
"""Seconds that one law may take."""
HI = Message(role="user", content="What is the weather?")
WEATHER = ToolDefinition(
    name="weather",
    description="Tells the weather",
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
    """A law of which this provider cannot show whether it holds."""

    reason: str


Problems: TypeAlias = list[str] | NotApplicable
Run: TypeAlias = "Callable[[Harness], Problems]"


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds for every provider."""

    name: str
    says: str
    """The law in a sentence."""
    run: Run
    """What is wrong; nothing where the law holds."""
    needs: frozenset[str] = frozenset({"protocol"})
    """Of what the provider must have: `chat`, `protocol` (a known one), `streaming`, `tools`, `reasoning`, `reasons`, `signs`,
    `embeddings`, `reranking`, `no chat`."""


class CollectedStream(msgspec.Struct, frozen=True, kw_only=True):
    """All of a stream."""

    chunks: list[StreamChunk]
    fault: Fault | None
    late: int
    """Results behind the failure."""

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
    """The real clock, an empty environment, and sleeps that are noted instead of taken."""

    sleeps: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.sleeps.append(seconds)
        await asyncio.sleep(0)

    def read_environment(self) -> Mapping[str, str]:
        """Nothing, so that no variable of the machine speaks in."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One provider under examination."""

    name: str
    make: Callable[..., BaseProvider]
    """Takes `api_key`, `base_url`, `timeout` and `max_retries`, and `runtime` where it is `paced`."""
    writer: Writer | None
    model: str
    has: frozenset[str]
    """In the words of `Law.needs`."""
    embedding_model: str = "model-1"
    rerank_model: str = "model-1"
    paced: bool = False
    """Rests by the runtime it is given."""

    @property
    def protocol_writer(self) -> Writer:
        """The protocol's writer; laws that need one say so."""
        if self.writer is None:
            raise LookupError(f"it is not known which protocol {self.name} speaks")
        return self.writer

    def build_error(self, status: int, words: str) -> Answer:
        """An error in the protocol's form, or in one that most know."""
        if self.writer is not None:
            return self.writer.error(status, words)
        return json_answer({"error": {"message": words}}, status)

    def make_provider(self, url: str, **options: Any) -> BaseProvider:
        """A provider that sends to this address."""
        return self.make(**{"api_key": KEY, "base_url": url, "timeout": 5.0, "max_retries": 0, **options})

    @asynccontextmanager
    async def connect(self, *answers: Answer, **options: Any) -> AsyncIterator[tuple[BaseProvider, Server]]:
        """A provider, and the server that gives it these answers, the last one for all that follow."""
        async with (
            serving(self.build_script(*answers)) as server,
            self.make_provider(server.url, **options) as provider,
        ):
            yield provider, server

    def build_script(self, *answers: Answer) -> Script:
        """These answers, behind whatever only leads to them."""
        told = 0

        def script(received: Received) -> Answer:
            nonlocal told
            led = answer_preliminary(self.protocol_writer, received) if self.writer is not None else None
            if led is not None:
                return led
            told += 1
            return answers[min(told, len(answers)) - 1]

        return script

    async def ask(
        self,
        provider: BaseProvider,
        messages: list[Message] | None = None,
        tools: list[ToolDefinition] | None = None,
    ) -> Result[CompletionResponse, Fault]:
        """A whole answer."""
        return await provider.chat_result(messages or [HI], model=self.model, tools=tools)

    async def collect_stream(
        self, provider: BaseProvider, tools: list[ToolDefinition] | None = None
    ) -> CollectedStream:
        """All of a stream."""
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
    """A law that needs one event loop, in one of its own."""

    async def bounded(harness: Harness) -> Problems:
        async with asyncio.timeout(LAW_TIMEOUT):
            return await law(harness)

    def run(harness: Harness) -> Problems:
        return asyncio.run(bounded(harness))

    return run


def compare(what: str, wanted: object, got: object) -> list[str]:
    """A problem where two things differ that should not."""
    return [] if wanted == got else [f"{what}: {got!r} where {wanted!r} is right"]


def describe_failure(fault: Fault) -> str:
    """A problem about a failure where there should be an answer."""
    return f"failed with {type(fault).__name__}: {fault.message}"
