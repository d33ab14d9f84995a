"""Tools that the vendor runs itself: which items are theirs, apart from the calls that the caller has to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from victor_fp_wire.openai_responses.response import CustomToolCall, OutputItem, UnknownType

from victor_fp.core.deltas import Delta, MetadataReported
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.json import Json, JsonObject

SERVER_TOOLS = "server_tools"
"""In metadata: calls and results of the vendor's own tools, which nobody else has to answer."""
OTHER_ITEMS = frozenset(
    {
        # Calls without a name that the caller's own computer answers, and a question to the caller
        "apply_patch_call",
        "computer_call",
        "local_shell_call",
        "mcp_approval_request",
        "shell_call",
        # Compressed turns
        "compaction",
        # Items that a gateway repeats
        "function_call_output",
    }
)
"""Types of items beside messages, reasoning and calls that are no tool of the vendor's."""
SECRETS = frozenset({"encrypted_content"})
"""Fields that only the vendor can read."""


def find_custom_tools(dialect: ResponsesDialect, response: Mapping[str, Json]) -> frozenset[str] | None:
    """The custom tools that the caller offered, as the response repeats them; None where that does not matter."""
    tools = response.get("tools")
    if not dialect.has_own_custom_calls or not isinstance(tools, list):
        return None
    return frozenset(_list_custom_tools(tools))


def _list_custom_tools(tools: list[Json]) -> Iterator[str]:
    for tool in tools:
        if isinstance(tool, dict) and tool.get("type") == "custom" and isinstance(name := tool.get("name"), str):
            yield name


def separate_item(item: OutputItem, raw: JsonObject, offered: frozenset[str] | None) -> OutputItem:
    """The item; a call of a custom tool that nobody offered is one of the vendor's own."""
    if isinstance(item, CustomToolCall) and offered is not None and (item.name or "") not in offered:
        return UnknownType(raw=dict(raw))
    return item


def separate_items(
    output: Sequence[OutputItem], raw_output: Sequence[JsonObject], offered: frozenset[str] | None
) -> Sequence[OutputItem]:
    """The items of a whole output, separated as `separate_item` does."""
    if offered is None:
        return output
    return [separate_item(item, raw, offered) for item, raw in zip(output, raw_output, strict=False)]


def note_server_tool(raw: Mapping[str, Json]) -> list[Delta]:
    """What the caller is told of an item that is the vendor's own."""
    kind = raw.get("type")
    if not isinstance(kind, str) or kind in OTHER_ITEMS:
        return []
    shown = {name: value for name, value in raw.items() if value is not None and name not in SECRETS}
    return [MetadataReported(metadata={SERVER_TOOLS: [shown]})]
