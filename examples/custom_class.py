"""A provider as a class: any code that answers, here a program of the machine, with retries and metrics around it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Unpack

from victor_fp import (
    BaseProvider,
    ChatOptions,
    CompletionResponse,
    ManagedProviderFactory,
    Message,
    ProviderError,
    ProviderRegistry,
    StreamChunk,
    ToolDefinition,
)


class CommandProvider(BaseProvider):
    """Answers with the output of a command that reads the last message from its standard input."""

    COMMAND = (sys.executable, "-c", "import sys; print(sys.stdin.read().upper(), end='')")

    @property
    def name(self) -> str:
        """The name it is registered under."""
        return "command"

    async def chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Run the command once."""
        process = await asyncio.create_subprocess_exec(
            *self.COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate(messages[-1].text.encode())
        if process.returncode:
            raise ProviderError(f"the command ended with {process.returncode}", provider=self.name)
        return CompletionResponse(content=output.decode(), stop_reason="stop", model=model)

    async def stream(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        """The same in one piece."""
        response = await self.chat(messages, model=model)
        yield StreamChunk(content=response.content)
        yield StreamChunk(is_final=True, stop_reason="stop", model=model)

    async def close(self) -> None:
        """Nothing is held."""


async def main() -> None:
    """Use it through everything that a managed provider adds."""
    ProviderRegistry.register("command", CommandProvider)
    async with await ManagedProviderFactory.create("command", "upper") as provider:
        messages = [Message(role="user", content="hello")]
        print((await provider.chat(messages)).content)
        async for chunk in provider.stream_chat(messages):
            print(chunk.content, end="")
        if (metrics := provider.get_metrics()) is not None:
            print("\n", metrics["summary"]["total_requests"], "operations")


if __name__ == "__main__":
    asyncio.run(main())
