"""An agent with tools of an MCP server and of this program, streamed, with a bound on its turns."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters
from stand_in import build_options

from victor_fp import ManagedProviderFactory, Message, run_tools, tool
from victor_fp.agent.mcp import list_tools
from victor_fp.testing import Call, Turn

SERVER = StdioServerParameters(command=sys.executable, args=[str(Path(__file__).with_name("mcp_server.py"))])
TURNS = 8
SCRIPT = (
    Turn(
        calls=(
            Call(name="get_forecast", arguments={"city": "Oslo", "days": 3}),
            Call(name="pack", arguments={"items": ["umbrella", "boots"]}),
        )
    ),
    Turn(text="Rain for three days: take an umbrella and boots."),
)


@tool
def pack(items: list[str]) -> str:
    """Put items on the packing list."""
    return f"packed: {', '.join(items)}"


async def main() -> None:
    """Let the model work until it calls no tool."""
    provider = await ManagedProviderFactory.create("openai", "gpt-5-mini", **build_options(*SCRIPT))
    async with Client(SERVER) as client, provider:
        tools = [pack, *await list_tools(client)]
        messages = [Message(role="user", content="Three days in Oslo. What do I pack?")]
        for _ in range(TURNS):
            response = await provider.stream(messages, tools=tools).response()
            messages.append(response.to_message())
            if not response.tool_calls:
                print(response.content)
                return
            for message in (results := await run_tools(response, tools, timeout=30)):
                print(f"{message.name}: {message.text}")
            messages += results
        print("no answer after", TURNS, "turns")


if __name__ == "__main__":
    asyncio.run(main())
