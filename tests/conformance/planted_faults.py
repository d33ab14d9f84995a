"""Providers with one fault each, to see that the kit finds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
from victor_fp.core.retrieval.vectors import pack_floats
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry


class Faulty(BaseProvider):
    """A good provider, and what one fault makes of its answers."""

    inner: type[BaseProvider]

    def __init__(self, api_key: str | None = None, base_url: str | None = None, **options: Any) -> None:
        super().__init__(api_key, base_url)
        self._inner = self.inner(api_key, base_url, **{**options, "max_retries": 0})

    @property
    def name(self) -> str:
        return "faulty"

    def supports_tools(self) -> bool:
        return True

    def supports_streaming(self) -> bool:
        return True

    async def chat(self, messages: Sequence[Message], **options: Any) -> CompletionResponse:
        return await self._inner.chat(list(messages), **options)

    def stream(self, messages: Sequence[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        return self._inner.stream(list(messages), **options)

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        return self.change_result(await self._inner.chat_result(messages, **options))

    async def stream_result(
        self, messages: Sequence[Message], **options: Any
    ) -> AsyncIterator[Result[StreamChunk, faults.Fault]]:
        async for result in self._inner.stream_result(messages, **options):
            for given in self.change_piece(result):
                yield given

    def change_result(
        self, result: Result[CompletionResponse, faults.Fault]
    ) -> Result[CompletionResponse, faults.Fault]:
        return result

    def change_piece(self, result: Result[StreamChunk, faults.Fault]) -> list[Result[StreamChunk, faults.Fault]]:
        return [result]

    async def close(self) -> None:
        await self._inner.close()


Change = Callable[[dict[str, Any]], dict[str, Any]]


def change_answers(change: Change) -> type[Faulty]:
    """A fault in whole answers: what it makes of their fields."""

    class Changed(Faulty):
        def change_result(
            self, result: Result[CompletionResponse, faults.Fault]
        ) -> Result[CompletionResponse, faults.Fault]:
            return result.map(lambda said: said.model_copy(update=change(said.model_dump())))

    return Changed


def change_pieces(
    change: Callable[[Result[StreamChunk, faults.Fault]], list[Result[StreamChunk, faults.Fault]]],
) -> type[Faulty]:
    """A fault in streams: what it gives for each piece."""

    class Changed(Faulty):
        def change_piece(self, result: Result[StreamChunk, faults.Fault]) -> list[Result[StreamChunk, faults.Fault]]:
            return change(result)

    return Changed


def change_final(change: Change) -> type[Faulty]:
    """A fault in final chunks."""

    def change_last(result: Result[StreamChunk, faults.Fault]) -> list[Result[StreamChunk, faults.Fault]]:
        return [result.map(lambda said: said.model_copy(update=change(said.model_dump())) if said.is_final else said)]

    return change_pieces(change_last)


def _complete(result: Result[StreamChunk, faults.Fault]) -> list[Result[StreamChunk, faults.Fault]]:
    match outcome(result):
        case Failure(_):
            return [Success(StreamChunk(is_final=True, stop_reason="stop"))]
        case Success(_):
            return [result]


def _append_after_last(result: Result[StreamChunk, faults.Fault]) -> list[Result[StreamChunk, faults.Fault]]:
    last = isinstance(outcome(result), Success) and result.unwrap().is_final
    return [result, Success(StreamChunk(content=""))] if last else [result]


class Lumping(Faulty):
    """Every fault is the server's."""

    def change_result(
        self, result: Result[CompletionResponse, faults.Fault]
    ) -> Result[CompletionResponse, faults.Fault]:
        return result.lash(_convert_to_server_fault)


class Credulous(Faulty):
    """What cannot be read is an empty answer."""

    def change_result(
        self, result: Result[CompletionResponse, faults.Fault]
    ) -> Result[CompletionResponse, faults.Fault]:
        match outcome(result):
            case Failure(faults.InvalidResponse()):
                return Success(CompletionResponse(content=""))
            case _:
                return result


class Chatty(Faulty):
    """Logs its key."""

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        logging.getLogger("faulty").debug("asking with %s", self.api_key)
        return await super().chat_result(messages, **options)


class Showing(Faulty):
    """Shows its key."""

    def __repr__(self) -> str:
        return f"<Faulty {self.api_key}>"


class Hasty(Faulty):
    """Tries again at once."""

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        first = await super().chat_result(messages, **options)
        return first if isinstance(first, Success) else await super().chat_result(messages, **options)


class Holding(Faulty):
    """Keeps its connections."""

    async def close(self) -> None:
        """Nothing is closed."""


class Hoarding(Faulty):
    """Reads a stream completely before it yields, even if the caller has left."""

    def stream(self, messages: Sequence[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        return self._read(messages, options)

    async def _read(self, messages: Sequence[Message], options: dict[str, Any]) -> AsyncIterator[StreamChunk]:
        self._task = asyncio.ensure_future(self._drain(messages, options))
        yield StreamChunk(content="first")

    async def _drain(self, messages: Sequence[Message], options: dict[str, Any]) -> None:
        async for _ in self._inner.stream(list(messages), **options):
            pass


class Bound(Faulty):
    """Belongs to the event loop of its first call."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        here = asyncio.get_running_loop()
        self._loop = self._loop or here
        if self._loop is not here:
            raise RuntimeError("Event loop is closed")
        return await super().chat_result(messages, **options)


class Single(Faulty):
    """Serves one caller at a time."""

    _busy = False

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        if self._busy:
            return Failure(faults.Overloaded(message="busy"))
        self._busy = True
        try:
            return await super().chat_result(messages, **options)
        finally:
            self._busy = False


class Forgetful(Faulty):
    """Sends a turn without what it is made of."""

    async def chat_result(
        self, messages: Sequence[Message], **options: Any
    ) -> Result[CompletionResponse, faults.Fault]:
        said = [message.model_copy(update={"metadata": None}) for message in messages]
        results = [
            message.model_copy(update={"content": "done"}) if message.role == "tool" else message for message in said
        ]
        return await super().chat_result(results, **options)


class Narrow(Faulty):
    """Stumbles over what it does not know."""

    def change_result(
        self, result: Result[CompletionResponse, faults.Fault]
    ) -> Result[CompletionResponse, faults.Fault]:
        match outcome(result):
            case Success(response) if "x_news" in (response.raw_response or {}):
                return Failure(faults.InvalidResponse(message="unknown field"))
            case _:
                return result


def _without_reasoning(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {name: item for name, item in (fields["metadata"] or {}).items() if name != "reasoning_content"}
    }


def _report_zero(fields: dict[str, Any]) -> dict[str, Any]:
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {"usage": fields["usage"] or zero}


def _replace_reason(fields: dict[str, Any]) -> dict[str, Any]:
    reason = fields["stop_reason"]
    return {"stop_reason": reason if reason in ("stop", "tool_use") else "stop"}


PLANTED: dict[str, tuple[type[Faulty], set[str]]] = {
    "text lost": (change_answers(lambda said: {"content": said["content"][1:]}), {"chat"}),
    "calls merged": (change_answers(lambda said: {"tool_calls": (said["tool_calls"] or [None])[:1]}), {"tool calls"}),
    "streamed calls lost": (change_final(lambda _: {"tool_calls": None}), {"streamed tool calls", "stream is body"}),
    "streamed usage lost": (change_final(lambda _: {"usage": None}), {"stream", "any chunking", "stream is body"}),
    "a chunk behind the final one": (change_pieces(_append_after_last), {"stream"}),
    "a broken stream completed": (change_pieces(_complete), {"truncated streams", "errors in streams"}),
    "reasoning lost": (change_answers(_without_reasoning), {"reasoning"}),
    "usage made up": (change_answers(_report_zero), {"usage unreported"}),
    "reasons made up": (change_answers(_replace_reason), {"stop reasons"}),
    "state forgotten": (Forgetful, {"tool results", "signatures"}),
    "novelties refused": (Narrow, {"unknown fields"}),
    "faults lumped together": (Lumping, {"typed errors", "connection refused", "timeout"}),
    "anything is an answer": (Credulous, {"invalid bodies"}),
    "key logged": (Chatty, {"secret key"}),
    "key shown": (Showing, {"secret key"}),
    "retried at once": (Hasty, {"retry-after"}),
    "connections kept": (Holding, {"closed"}),
    "streams read on": (Hoarding, {"early exit"}),
    "one event loop": (Bound, {"second loop"}),
    "one caller": (Single, {"concurrent calls"}),
}
"""What is wrong, with the laws that must notice."""


class Shuffling(CatalogueProvider):
    """Gives vectors in another order."""

    async def embed_result(self, *given: Any, **options: Any) -> Result[EmbeddingResponse, faults.Fault]:
        result = await super().embed_result(*given, **options)
        return result.map(lambda said: said.model_copy(update={"vectors": pack_floats(said.vectors.tolist()[::-1])}))


class Unranked(CatalogueProvider):
    """Gives documents in another order."""

    async def rerank_result(self, *given: Any, **options: Any) -> Result[RerankResponse, faults.Fault]:
        result = await super().rerank_result(*given, **options)
        return result.map(lambda said: said.model_copy(update={"results": said.results[::-1]}))


class LumpingRetrieval(CatalogueProvider):
    """Every fault is the server's."""

    async def embed_result(self, *given: Any, **options: Any) -> Result[EmbeddingResponse, faults.Fault]:
        return (await super().embed_result(*given, **options)).lash(_convert_to_server_fault)

    async def rerank_result(self, *given: Any, **options: Any) -> Result[RerankResponse, faults.Fault]:
        return (await super().rerank_result(*given, **options)).lash(_convert_to_server_fault)

    async def chat_result(self, *given: Any, **options: Any) -> Result[CompletionResponse, faults.Fault]:
        return (await super().chat_result(*given, **options)).lash(_convert_to_server_fault)


def _convert_to_server_fault(fault: faults.Fault) -> Result[Any, faults.Fault]:
    return Failure(faults.convert_fault(faults.ServerFailed, fault))


PLANTED_RETRIEVAL: dict[str, tuple[type[CatalogueProvider], str, set[str]]] = {
    "vectors shuffled": (Shuffling, "cohere", {"embeddings"}),
    "documents shuffled": (Unranked, "cohere", {"reranking"}),
    "faults lumped together": (LumpingRetrieval, "cohere", {"errors of embeddings", "errors of reranking"}),
    "chats said to fail": (LumpingRetrieval, "voyage", {"no chat"}),
}
"""What is wrong, at which provider, with the laws that must notice."""


def build_faulty_retrieval(name: str) -> type[CatalogueProvider]:
    """The faulty provider of the catalogue's kind."""
    kind, provider, _ = PLANTED_RETRIEVAL[name]

    class Planted(kind):  # type: ignore[misc, valid-type]  # a class of the table
        SPEC = CATALOGUE.find(provider).unwrap()

    return Planted


def build_faulty(name: str) -> type[Faulty]:
    """The faulty provider, over one that signs its reasoning."""
    kind, _ = PLANTED[name]

    class Planted(kind):  # type: ignore[misc, valid-type]  # a class of the table
        inner = ProviderRegistry.get("anthropic")

    return Planted


__all__ = ["PLANTED", "PLANTED_RETRIEVAL", "build_faulty", "build_faulty_retrieval"]
