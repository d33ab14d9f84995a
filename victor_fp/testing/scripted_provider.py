"""A provider whose responses are computed by a function, for tests of programs and agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias

import msgspec
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault, FaultBase
from victor_fp.core.options import ChatOptions
from victor_fp.core.retrieval.embeddings import (
    EmbeddingResponse,
    EmbedOptions,
    RankedDocument,
    RerankOptions,
    RerankResponse,
)
from victor_fp.core.retrieval.vectors import Purpose, pack_floats
from victor_fp.core.types import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    CompletionResponse,
    Message,
    StreamChunk,
    ToolCall,
    ToolDefinition,
)
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import error_from
from victor_fp.testing.retrieval import DIMENSIONS, count_words, stub_score, stub_vector
from victor_fp.testing.script import CallIds, Turn

ScriptedAnswer: TypeAlias = str | Sequence[str] | Turn | CompletionResponse | Fault
"""A text; a text in streamed parts; a turn; a response; or the fault of the call."""


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded call."""

    number: int
    """0 for the first call."""
    messages: tuple[Message, ...]
    model: str
    temperature: float
    max_tokens: int
    tools: tuple[ToolDefinition, ...] = ()
    options: Mapping[str, Any] = {}
    """Other options of the call, by name."""
    stream: bool = False

    @property
    def text(self) -> str:
        """The text of the last message."""
        return self.messages[-1].text if self.messages else ""


AnswerFunction: TypeAlias = Callable[[CallRecord], ScriptedAnswer | Awaitable[ScriptedAnswer]]
"""Returns the result of each call."""


class ScriptedProvider(BaseProvider):
    """Responds to each call with the result of a function, and records the calls.

        provider = ScriptedProvider(lambda call: f"You said: {call.text}")
        assert (await provider.chat([Message(role="user", content="hi")], model="m")).content == "You said: hi"
        assert provider.calls[0].model == "m"

    The function may be async. A returned fault is raised as its exception. Tool calls of a `Turn` without an id get
    ids that are unique for the provider.
    """

    def __init__(
        self, answer: AnswerFunction, *, name: str = "scripted", models: Sequence[str] = (), **options: Any
    ) -> None:
        """`models` are returned by `list_models`; `options` go to BaseProvider, such as `use_circuit_breaker`."""
        super().__init__(**options)
        self._answer = answer
        self._name = name
        self._models = tuple(models)
        self._ids = CallIds()
        self.calls: list[CallRecord] = []
        """The calls so far, in order."""
        self.closed = False

    @property
    def name(self) -> str:
        """The name passed to the constructor."""
        return self._name

    async def chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Return the result of the function. Raises ProviderError for a fault."""
        call = self._record(messages, model, temperature, max_tokens, tools, kwargs, stream=False)
        _, response = await self._respond(call)
        return response

    async def stream(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        """Stream the result of the function: a sequence of texts as one chunk each, anything else as one chunk."""
        call = self._record(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        pieces, response = await self._respond(call)
        for piece in pieces:
            yield StreamChunk(content=piece, model=response.model)
        yield StreamChunk(
            content="",
            tool_calls=response.tool_calls,
            stop_reason=response.stop_reason,
            usage=response.usage,
            model=response.model,
            metadata=response.metadata,
            is_final=True,
        )

    async def embed(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,  # noqa: ARG002  ignored by the stub
        **kwargs: Unpack[EmbedOptions],  # noqa: ARG002
    ) -> EmbeddingResponse:
        """Embed texts with a stub that computes vectors from their words; `purpose` and options are ignored."""
        given = [texts] if isinstance(texts, str) else list(texts)
        tokens = count_words(given)
        return EmbeddingResponse(
            vectors=pack_floats([stub_vector(text, dimensions or DIMENSIONS) for text in given]),
            model=model,
            usage={"prompt_tokens": tokens, "total_tokens": tokens},
        )

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],  # noqa: ARG002
    ) -> RerankResponse:
        """Rank documents by the words that they share with the query; options are ignored."""
        ranked = [
            RankedDocument(index=index, score=stub_score(query, document), document=document)
            for index, document in enumerate(documents)
        ]
        return RerankResponse(results=sorted(ranked, key=lambda one: (-one.score, one.index))[:top_n], model=model)

    async def close(self) -> None:
        """Record that it was closed."""
        self.closed = True

    def supports_tools(self) -> bool:
        """Return True."""
        return True

    def supports_streaming(self) -> bool:
        """Return True."""
        return True

    async def list_models(self) -> list[ModelInfo]:
        """Return the models passed to the constructor."""
        return [ModelInfo(id=model) for model in self._models]

    def _record(
        self,
        messages: Sequence[Message],
        model: str,
        temperature: float,
        max_tokens: int,
        tools: Sequence[ToolDefinition] | None,
        options: ChatOptions,
        *,
        stream: bool,
    ) -> CallRecord:
        call = CallRecord(
            number=len(self.calls),
            messages=tuple(messages),
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tuple(tools or ()),
            options=dict(options),
            stream=stream,
        )
        self.calls.append(call)
        return call

    async def _respond(self, call: CallRecord) -> tuple[Sequence[str], CompletionResponse]:
        """Return the parts of the text, and the response."""
        given = self._answer(call)
        answer: ScriptedAnswer = await given if isawaitable(given) else given
        if isinstance(answer, FaultBase):
            raise error_from(msgspec.structs.replace(answer, provider=answer.provider or self._name))
        if isinstance(answer, CompletionResponse):
            return _split_text(answer.content), answer
        if isinstance(answer, Turn):
            return _split_text(answer.text), self._response_from_turn(answer, call.model)
        pieces = _split_text(answer) if isinstance(answer, str) else tuple(answer)
        return pieces, CompletionResponse(content="".join(pieces), stop_reason="stop", model=call.model)

    def _response_from_turn(self, turn: Turn, model: str) -> CompletionResponse:
        calls = [
            ToolCall(id=call.id, name=call.name, arguments=dict(call.arguments))
            for call in self._ids.assign(turn).calls
        ]
        prompt, completion = turn.usage or (0, 0)
        return CompletionResponse(
            content=turn.text,
            tool_calls=calls or None,
            stop_reason=turn.reason,
            usage=None
            if turn.usage is None
            else {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
            model=model,
            metadata={"reasoning_content": turn.reasoning} if turn.reasoning else None,
        )


def _split_text(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
