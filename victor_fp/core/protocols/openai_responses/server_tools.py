"""Items of server tools, which the vendor runs itself, as opposed to calls for the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from victor_fp_wire.openai_responses.response import CustomToolCall, OutputItem, UnknownType

from victor_fp.core.deltas import Delta, MetadataReported
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.json import Json, JsonObject

SERVER_TOOLS = "server_tools"
"""Metadata key of the calls and results of server tools."""
OTHER_ITEMS = frozenset(
    {
        # Unnamed calls that the caller's computer executes, and an approval request
        "apply_patch_call",
        "computer_call",
        "local_shell_call",
        "mcp_approval_request",
        "shell_call",
        # Compressed turns
        "compaction",
        # Items repeated by a gateway
        "function_call_output",
    }
)
"""Types of items, besides messages, reasoning and calls, that do not belong to server tools."""
OPAQUE_FIELDS = frozenset({"encrypted_content"})
"""Encrypted fields, omitted from metadata."""


def find_custom_tools(dialect: ResponsesDialect, response: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the names of the caller's custom tools, as repeated in the response; None if the dialect does not need them."""
    tools = response.get("tools")
    if not dialect.has_own_custom_calls or not isinstance(tools, list):
        return None
    return frozenset(_list_custom_tools(tools))


def _list_custom_tools(tools: list[Json]) -> Iterator[str]:
    for tool in tools:
        if isinstance(tool, dict) and tool.get("type") == "custom" and isinstance(name := tool.get("name"), str):
            yield name


def separate_item(item: OutputItem, raw: JsonObject, offered: frozenset[str] | None) -> OutputItem:
    """Return the item; a call of a custom tool that the caller did not offer becomes a server tool item."""
    if isinstance(item, CustomToolCall) and offered is not None and (item.name or "") not in offered:
        return UnknownType(raw=dict(raw))
    return item


def separate_items(
    output: Sequence[OutputItem], raw_output: Sequence[JsonObject], offered: frozenset[str] | None
) -> Sequence[OutputItem]:
    """Apply `separate_item` to a complete output."""
    if offered is None:
        return output
    return [separate_item(item, raw, offered) for item, raw in zip(output, raw_output, strict=False)]


def note_server_tool(raw: Mapping[str, Json]) -> list[Delta]:
    """Emit metadata for a server tool item; nothing for other items."""
    kind = raw.get("type")
    if not isinstance(kind, str) or kind in OTHER_ITEMS:
        return []
    shown = {name: value for name, value in raw.items() if value is not None and name not in OPAQUE_FIELDS}
    return [MetadataReported(metadata={SERVER_TOOLS: [shown]})]
