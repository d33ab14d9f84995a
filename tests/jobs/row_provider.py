"""A provider whose answers are a function of the prompt, and that counts its calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp import CompletionResponse, Fault, Message, StreamChunk
from victor_fp.jobs import Row
from victor_fp.providers.base import BaseProvider

Answer = str | Fault | CompletionResponse


class RowProvider(BaseProvider):
    """Responds with `answer(prompt, number of earlier calls with it)`."""

    def __init__(self, answer: Callable[[str, int], Answer] = lambda prompt, _: prompt.upper()) -> None:
        super().__init__(use_circuit_breaker=False)
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.gate: asyncio.Event | None = None

    @property
    def name(self) -> str:
        return "rows"

    async def chat_result(self, messages: Any, **options: Any) -> Result[CompletionResponse, Fault]:
        prompt = messages[-1].text
        before = self.asked[prompt]
        self.asked[prompt] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await (asyncio.sleep(0) if self.gate is None else self.gate.wait())
        finally:
            self.in_flight -= 1
        answer = self.answer(prompt, before)
        if isinstance(answer, CompletionResponse):
            return Success(answer)
        if isinstance(answer, str):
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            return Success(CompletionResponse(content=answer, stop_reason="stop", usage=usage, model=options["model"]))
        return Failure(answer)

    async def chat(self, messages: list[Message], **options: Any) -> CompletionResponse:
        return (await self.chat_result(messages, **options)).unwrap()

    def stream(self, messages: list[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def build_rows(count: int) -> list[Row]:
    return [Row(str(number), f"text {number}") for number in range(count)]
