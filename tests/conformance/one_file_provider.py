"""A provider that a third party might write, whole in one file: its own HTTP, and the pure core for what the bytes mean."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache
from typing import Any

import httpx

from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import ConnectionFailed, Fault, TimedOut
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.responses.streams import ReadResult, begin_reading, feed, finish, interrupt
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import error_from, unwrap_or_raise

CODEC = "openai"
"""Whose format it is."""


class OneFileProvider(BaseProvider):
    """OpenAI's format, over a client that lives as long as a call."""

    @property
    def name(self) -> str:
        return "one-file"

    def supports_tools(self) -> bool:
        return True

    def supports_streaming(self) -> bool:
        return True

    async def chat(self, messages: Sequence[Message], *, model: str, **options: Any) -> CompletionResponse:
        built = unwrap_or_raise(replay.request(CODEC, messages, model=model, base_url=self.base_url, **options))
        try:
            async with self._build_client() as client:
                reply = await client.post(built.url, content=built.body)
        except httpx.HTTPError as error:
            raise error_from(self._build_fault(error)) from None
        return unwrap_or_raise(replay.response(CODEC, reply.status_code, reply.headers, reply.content))

    async def stream(self, messages: Sequence[Message], *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        asked = replay.request(CODEC, messages, model=model, stream=True, base_url=self.base_url, **options)
        built = unwrap_or_raise(asked)
        endpoint = unwrap_or_raise(CATALOGUE.find(CODEC).bind(build_endpoint))
        reading = None
        try:
            async with self._build_client() as client, client.stream("POST", built.url, content=built.body) as reply:
                headers = dict(reply.headers)
                reading = begin_reading(
                    ResponseContext(endpoint=endpoint, model=model), codec_for(endpoint), reply.status_code, headers
                )
                async for piece in reply.aiter_bytes():
                    read = feed(reading, piece)
                    reading = read.reading
                    for chunk in _yield_chunks(read):
                        yield chunk
                read = finish(reading)
        except httpx.HTTPError as error:
            if reading is None:
                raise error_from(self._build_fault(error)) from None
            read = interrupt(reading, self._build_fault(error))
        for chunk in _yield_chunks(read):
            yield chunk

    async def close(self) -> None:
        """Nothing is held."""

    def _build_client(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.api_key}", "content-type": "application/json"}
        return httpx.AsyncClient(headers=headers, timeout=self.timeout, trust_env=False, verify=_load_certificates())

    def _build_fault(self, error: httpx.HTTPError) -> Fault:
        kind: type[Fault] = TimedOut if isinstance(error, httpx.TimeoutException) else ConnectionFailed
        return kind(provider=self.name, message=type(error).__name__)


@cache
def _load_certificates() -> ssl.SSLContext:
    """Read once, because reading is slower than a call."""
    return httpx.create_ssl_context()


def _yield_chunks(read: ReadResult) -> Iterator[StreamChunk]:
    yield from read.chunks
    if read.fault is not None:
        raise error_from(read.fault)
