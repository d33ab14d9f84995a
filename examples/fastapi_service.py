"""A FastAPI service: one managed provider for all requests, answers whole and as server-sent events.

Run it with `uvicorn fastapi_service:app`; run as a program it calls itself once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import msgspec
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from returns.result import Failure, Success
from stand_in import build_options

from victor_fp import Fault, ManagedProvider, ManagedProviderFactory, Message, ProviderMetrics, describe, outcome
from victor_fp.core.faults import InvalidRequest, Overloaded, RateLimited
from victor_fp.providers.factory import Limits
from victor_fp.testing import Turn


class Question(BaseModel):
    """What a client asks."""

    text: str


class Reply(BaseModel):
    """What it gets."""

    text: str
    tokens: int | None


@asynccontextmanager
async def open_provider(app: FastAPI) -> AsyncGenerator[None]:
    """One provider for the life of the service: connections, limits and the breaker are shared by all requests."""
    provider = await ManagedProviderFactory.create(
        "openai",
        "gpt-5-mini",
        rate_limits=Limits(concurrency=20),
        **build_options(Turn(text="Oslo is the capital of Norway.")),
    )
    async with provider:
        app.state.provider = provider
        yield


app = FastAPI(lifespan=open_provider)


def find_provider(request: Request) -> ManagedProvider:
    """The provider of this service."""
    provider = request.app.state.provider
    assert isinstance(provider, ManagedProvider)
    return provider


Provider = Annotated[ManagedProvider, Depends(find_provider)]


@app.post("/ask")
async def ask(question: Question, provider: Provider) -> Reply:
    """A whole answer; failures become statuses."""
    match outcome(await provider.chat_result([Message(role="user", content=question.text)], deadline=30)):
        case Success(response):
            return Reply(text=response.content, tokens=(response.usage or {}).get("total_tokens"))
        case Failure(fault):
            raise HTTPException(status_from(fault), describe(fault))


@app.post("/stream")
async def stream(question: Question, provider: Provider) -> StreamingResponse:
    """Server-sent events. A client that leaves closes the vendor's stream with the response."""

    async def events() -> AsyncIterator[bytes]:
        async with provider.stream_result([Message(role="user", content=question.text)]) as items:
            async for item in items:
                match outcome(item):
                    case Success(chunk):
                        yield b"data: " + msgspec.json.encode({"text": chunk.content, "done": chunk.is_final}) + b"\n\n"
                    case Failure(fault):
                        yield b"event: error\ndata: " + msgspec.json.encode(describe(fault)) + b"\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/metrics")
async def get_metrics(provider: Provider) -> ProviderMetrics | None:
    """Figures of the provider."""
    return provider.get_metrics()


def status_from(fault: Fault) -> int:
    """The status that a client of this service gets for a fault."""
    match fault:
        case InvalidRequest():
            return 400
        case RateLimited() | Overloaded():
            return 503
        case _:
            return 502


async def main() -> None:
    """Call the service without a server."""
    async with (
        open_provider(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        answer = await client.post("/ask", json={"text": "The capital of Norway?"})
        print(answer.status_code, answer.json())
        events = await client.post("/stream", json={"text": "The capital of Norway?"})
        print(events.text.strip().splitlines()[-1])
        print((await client.get("/metrics")).json()["summary"]["total_requests"], "requests")


if __name__ == "__main__":
    asyncio.run(main())
