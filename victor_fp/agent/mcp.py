"""Tools of MCP servers, with the official package `mcp` (the extra `mcp`).

    async with Client(StdioServerParameters(command="my-server")) as client:
        tools = await list_tools(client)
        response = await provider.chat(messages, tools=tools)
        messages += [response.to_message(), *await run_tools(response, tools)]

`run_tools` accepts them together with functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, assert_never

from pydantic import BaseModel, PrivateAttr
from returns.result import Failure, Result, Success

from victor_fp.agent.tools import Tool, ToolOutput
from victor_fp.core.json import encode_json
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

try:
    from mcp import Client, ClientSession, types
except ImportError as error:
    raise ImportError("MCP requires the package mcp: pip install 'victor-fp[mcp]'", name=error.name) from error

Session: TypeAlias = Client | ClientSession
"""An open connection to an MCP server; it must be closed by the caller."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64
"""Maximum characters of a name at OpenAI, Anthropic and others."""
_MOST_PAGES = 100


class McpTool(Tool):
    """A tool of a server. Its name is that of the server, without characters that vendors reject."""

    _session: Session = PrivateAttr()
    _original_name: str = PrivateAttr()

    def __init__(self, session: Session, definition: types.Tool, *, name: str) -> None:
        """`name` is the name for the model."""
        description = definition.description or definition.title or ""
        BaseModel.__init__(self, name=name, description=description, parameters=dict(definition.input_schema))
        self._session = session
        self._original_name = definition.name

    async def run(self, arguments: Mapping[str, Any]) -> Result[ToolOutput, str]:
        """Run the tool on the server."""
        result = await self._session.call_tool(self._original_name, dict(arguments))
        if not isinstance(result, types.CallToolResult):
            return Failure(f"the server returned {type(result).__name__}, which is not supported")
        output = _read_output(result)
        return Failure(_join_text(output) or "the tool failed") if result.is_error else Success(output)


async def list_tools(session: Session, *, prefix: str = "") -> list[McpTool]:
    """Return all tools of the server; `prefix` distinguishes those of several servers."""
    inner = session.session if isinstance(session, Client) else session
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
        page = await inner.list_tools(params=params)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    names = _make_unique_names([f"{prefix}{definition.name}" for definition in found])
    return [McpTool(session, definition, name=name) for definition, name in zip(found, names, strict=True)]


def _make_unique_names(names: Sequence[str]) -> list[str]:
    """Return unique names that all vendors accept."""
    chosen: list[str] = []
    used: set[str] = set()
    for name in names:
        plain = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME] or "tool"
        unique, number = plain, 1
        while unique in used:
            number += 1
            ending = f"_{number}"
            unique = plain[: _LONGEST_NAME - len(ending)] + ending
        used.add(unique)
        chosen.append(unique)
    return chosen


def _read_output(result: types.CallToolResult) -> ToolOutput:
    """Return the content of a result, or else its structured content as JSON."""
    if not result.content and result.structured_content is not None:
        return encode_json(result.structured_content).decode()
    parts = [_read_part(block) for block in result.content]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def _read_part(block: types.ContentBlock) -> Part:
    match block:
        case types.TextContent(text=text):
            return TextPart(text=text)
        case types.ImageContent(data=data, mime_type=kind):
            return ImagePart.model_validate({"data": data, "media_type": kind})
        case types.AudioContent(data=data, mime_type=kind):
            return AudioPart.model_validate({"data": data, "media_type": kind})
        case types.ResourceLink(uri=uri, name=name):
            return TextPart(text=f"{name}: {uri}")
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return TextPart(text=text)
        case types.EmbeddedResource(resource=types.BlobResourceContents() as blob):
            kind = blob.mime_type or "application/octet-stream"
            return FilePart.model_validate(
                {"data": blob.blob, "media_type": kind, "filename": str(blob.uri).rsplit("/", 1)[-1]}
            )
        case types.EmbeddedResource():
            return TextPart(text=str(block.resource))
        case _:
            assert_never(block)


def _join_text(output: ToolOutput) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.text for part in output if isinstance(part, TextPart))
