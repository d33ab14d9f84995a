"""Tools of a real MCP server over stdio, and of one in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, types

from tests.agent.mcp_server import server
from victor_fp.agent.mcp import list_tools
from victor_fp.agent.tools import run_tools, tool
from victor_fp.core.types import AudioPart, CompletionResponse, FilePart, ImagePart, Message, TextPart
from victor_fp.testing import Call, CallRecord, ScriptedProvider, Turn


@asynccontextmanager
async def connect_client() -> AsyncIterator[Client]:
    """A client of the server in a process of its own."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(Path(__file__).with_name("mcp_server.py"))], env=environment
    )
    async with Client(parameters, read_timeout_seconds=30) as client:
        yield client


def build_calls(*names: str, **arguments: object) -> CompletionResponse:
    return CompletionResponse(
        content="", tool_calls=[{"id": name, "name": name, "arguments": arguments} for name in names]
    )


async def test_a_servers_tools_are_definitions_and_their_calls_are_run() -> None:
    def respond(call: CallRecord) -> str | Turn:
        if call.messages[-1].role == "tool":
            return " and ".join(message.text for message in call.messages if message.role == "tool")
        names = [one.name for one in call.tools]
        return Turn(calls=tuple(Call(name=name, arguments={"city": "Oslo"}) for name in names[:1] + names[-1:]))

    def find_locally(city: str) -> str:
        return f"{city} is here"

    async with Client(server) as client:
        tools = [*await list_tools(client), tool(find_locally)]
        provider = ScriptedProvider(respond)
        messages = [Message(role="user", content="Weather?")]
        response = await provider.chat(messages, model="m", tools=list(tools))
        messages += [response.to_message(), *await run_tools(response, tools)]
        assert (await provider.chat(messages, model="m", tools=list(tools))).content == "Oslo 1 and Oslo is here"


async def test_definitions_and_results_of_every_kind() -> None:
    async with connect_client() as client:
        for session in (client, client.session):
            tools = {one.name: one for one in await list_tools(session)}
            assert list(tools) == ["get_weather", "map_draw", "fail", "measure"]
            assert tools["get_weather"].description == "The weather in a city."
            assert tools["get_weather"].parameters["required"] == ["city"]
            messages = await run_tools(build_calls("map_draw", "fail", "measure"), list(tools.values()))
            drawn, failed, measured = messages
            assert drawn.content == [TextPart(text="a map"), ImagePart(data=b"\x89PNG", media_type="image/png")]
            assert failed.is_error
            assert failed.text
            assert '"height": 7' in measured.text or '"height":7' in measured.text


async def test_invalid_arguments_are_reported_to_the_model() -> None:
    async with Client(server) as client:
        (message,) = await run_tools(build_calls("get_weather", town="Oslo"), await list_tools(client))
    assert message.is_error
    assert "city" in message.text


class PagedSession:
    """Pages of tools, and results as given."""

    def __init__(self, *results: types.CallToolResult) -> None:
        self.session = self
        self.called: list[str] = []
        self._results = list(results)

    async def list_tools(self, *, params: types.PaginatedRequestParams | None = None) -> types.ListToolsResult:
        number = 0 if params is None else int(params.cursor or 0)
        one = types.Tool(name=["a b", "a.b", "c"][number], input_schema={"type": "object"}, title=f"T{number}")
        return types.ListToolsResult(tools=[one], next_cursor=str(number + 1) if number < 2 else None)

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        self.called.append(name)
        return self._results.pop(0)


async def test_all_pages_are_read_and_names_are_unique_and_acceptable() -> None:
    session: Any = PagedSession(types.CallToolResult(content=[]))
    tools = await list_tools(session, prefix="x/")
    assert [one.name for one in tools] == ["x_a_b", "x_a_b_2", "x_c"]
    assert tools[0].description == "T0"
    await run_tools(build_calls("x_a_b_2"), tools)
    assert session.called == ["a.b"]


@pytest.mark.parametrize(
    ("result", "content"),
    [
        (types.CallToolResult(content=[], structured_content={"a": 1}), '{"a":1}'),
        (types.CallToolResult(content=[]), ""),
        (
            types.CallToolResult(content=[types.AudioContent(data="aGk=", mime_type="audio/wav")]),
            [AudioPart(data=b"hi", media_type="audio/wav")],
        ),
        (
            types.CallToolResult(content=[types.ResourceLink(name="n", uri="file:///n.txt")]),
            "n: file:///n.txt",
        ),
        (
            types.CallToolResult(
                content=[
                    types.EmbeddedResource(resource=types.TextResourceContents(uri="file:///n.txt", text="in it")),
                    types.EmbeddedResource(
                        resource=types.BlobResourceContents(
                            uri="file:///n.pdf", blob="aGk=", mime_type="application/pdf"
                        )
                    ),
                ]
            ),
            [TextPart(text="in it"), FilePart(data=b"hi", media_type="application/pdf", filename="n.pdf")],
        ),
    ],
)
async def test_content_blocks_become_text_or_parts(result: types.CallToolResult, content: object) -> None:
    session: Any = PagedSession(result)
    (message,) = await run_tools(build_calls("c"), (await list_tools(session))[2:])
    assert message.content == content
