"""Conversations independent of a wire format: assistant turns as ordered blocks, and system messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json, decode_json
from victor_fp.core.requests import Adjustment
from victor_fp.core.streaming.tool_call_drafts import make_id
from victor_fp.core.types import Message, TextPart, ToolCall

BlockKind: TypeAlias = Literal["text", "reasoning", "refusal", "tool_call", "opaque"]


INSTRUCTIONS = frozenset({"system", "developer"})
"""Roles of instruction messages."""
NO_NAMES = Adjustment(parameter="messages.name", reason="the protocol has no field for participant names")
SYSTEM_MOVED = Adjustment(
    parameter="messages.system",
    reason="moved to the start of the conversation: this model does not accept a system message there",
    action="changed",
)

WRAPPED_ARGUMENTS = Adjustment(
    parameter="messages.tool_calls",
    reason="arguments that are not a JSON object are sent as {'invalid_json': text}",
    action="changed",
)


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One block of an assistant turn, with the opaque state that is sent back to the vendor."""

    kind: BlockKind
    text: str = ""
    id: str = ""
    """ID of a tool call."""
    name: str = ""
    arguments: dict[str, Json] | str = {}
    state: dict[str, Json] | None = None


class TurnState(msgspec.Struct, frozen=True, kw_only=True):
    """`metadata["provider_state"]` of an assistant message: the turn as received from its vendor."""

    protocol: str
    provider: str = ""
    model: str | None = None
    blocks: list[Block] = []


def read_turn_state(message: Message) -> TurnState | None:
    """Return the state of a message; None if there is none, or if it is not of this library."""
    if not message.metadata or not isinstance(state := message.metadata.get("provider_state"), dict):
        return None
    try:
        return msgspec.convert(state, TurnState)
    except msgspec.ValidationError:
        return None


def split_assistant_turn(message: Message, protocol: str, *, foreign_reasoning: bool = False) -> tuple[Block, ...]:
    """Split an assistant turn into ordered blocks: as received, if the protocol is the same, else text followed by calls.

    With `foreign_reasoning`, the reasoning of another protocol's turn precedes them, without vendor-specific state.

    The message takes precedence over the state: edited text replaces the old text at its position, removed calls are dropped,
    added calls come last. Only text parts of list content are used.
    """
    calls = message.tool_calls or []
    state = read_turn_state(message)
    if state is None:
        plain = [Block(kind="text", text=message.text)] if message.text else []
        return (*plain, *map(_build_call_block, calls))
    if state.protocol != protocol:
        translated = _translate_blocks(state.blocks, message.text, reasoning=foreign_reasoning)
        return (*translated, *map(_build_call_block, calls))
    return tuple(_reconcile_blocks(state.blocks, message.text, calls))


def _translate_blocks(blocks: Sequence[Block], text: str, *, reasoning: bool) -> list[Block]:
    """Return reasoning and text of another protocol's turn; a refusal is used as text if there is no other."""
    thoughts = [block.text for block in blocks if block.kind == "reasoning" and block.text] if reasoning else []
    text = text or "".join(block.text for block in blocks if block.kind == "refusal")
    translated = [Block(kind="reasoning", text="\n\n".join(thoughts))] if thoughts else []
    return [*translated, Block(kind="text", text=text)] if text else translated


def read_call_arguments(arguments: Mapping[str, Json] | str) -> dict[str, Json] | str:
    """Return call arguments as an object, for protocols that require one; the text if it is not a JSON object.

    OpenAI's messages have arguments as text. Empty text means no arguments.

    >>> read_call_arguments('{"city": "Rome"}'), read_call_arguments('{"ci')
    ({'city': 'Rome'}, '{"ci')
    """
    if not isinstance(arguments, str):
        return dict(arguments)
    if not arguments.strip():
        return {}
    value = decode_json(arguments)
    return value if isinstance(value, dict) else arguments


def is_invalid_object(arguments: object) -> bool:
    """Return whether arguments are text that is not a JSON object.

    >>> is_invalid_object("{broken"), is_invalid_object('{"a": 1}'), is_invalid_object({})
    (True, False, False)
    """
    return isinstance(arguments, str) and isinstance(read_call_arguments(arguments), str)


def wrap_arguments(arguments: Mapping[str, Json] | str) -> dict[str, Json]:
    """Return call arguments as an object; text that is not one is wrapped, as `WRAPPED_ARGUMENTS` says."""
    read = read_call_arguments(arguments)
    return {"invalid_json": read} if isinstance(read, str) else read


def fit_call_id(id_: str, accepted: re.Pattern[str]) -> str:
    """Return the id of a call, or an id derived from it, always the same, if the vendor does not accept it.

    >>> fit_call_id("call/1", re.compile("[a-z0-9]+")) == fit_call_id("call/1", re.compile("[a-z0-9]+")) != "call/1"
    True
    """
    return id_ if accepted.fullmatch(id_) else make_id(id_, 0)


def build_result_text(message: Message) -> str:
    """Return the text of a tool result. In formats without a field for failures, that of a failed call starts with "Error"."""
    text = message.text
    if not message.is_error or text.lower().startswith("error"):
        return text
    return f"Error: {text}" if text else "Error"


def _build_call_block(call: ToolCall) -> Block:
    return Block(kind="tool_call", id=call["id"], name=call["name"], arguments=call["arguments"])


def _reconcile_blocks(blocks: Sequence[Block], text: str, calls: Sequence[ToolCall]) -> list[Block]:
    edited = "".join(block.text for block in blocks if block.kind == "text") != text
    remaining = {call["id"]: call for call in calls}
    kept: list[Block] = []
    for block in blocks:
        if block.kind == "text" and edited:
            if text:
                kept.append(Block(kind="text", text=text))
                text = ""
        elif block.kind == "tool_call":
            if (call := remaining.pop(block.id, None)) is not None:
                kept.append(msgspec.structs.replace(block, name=call["name"], arguments=call["arguments"]))
        else:
            kept.append(block)
    if edited and text:
        kept.append(Block(kind="text", text=text))
    return kept + [_build_call_block(call) for call in remaining.values()]


def split_system(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Split system and developer messages from the turns."""
    system = [message for message in messages if message.role in ("system", "developer")]
    return system, [message for message in messages if message.role not in ("system", "developer")]


def index_tool_names(messages: Sequence[Message]) -> dict[str, str]:
    """Return the name of every call by id, for protocols that require names in results."""
    return {call["id"]: call["name"] for message in messages for call in message.tool_calls or ()}


def build_provider_state(
    protocol: str, provider: str, model: str | None, blocks: Sequence[Block]
) -> dict[str, Any] | None:
    """Build `metadata["provider_state"]` as a plain dict; None if text and calls are sufficient."""
    kinds = [block.kind for block in blocks]
    calls_last = "tool_call" not in kinds or "text" not in kinds[kinds.index("tool_call") :]
    if calls_last and all(block.state is None and block.kind in ("text", "tool_call") for block in blocks):
        return None
    state = TurnState(protocol=protocol, provider=provider, model=model, blocks=list(blocks))
    built: dict[str, Any] = msgspec.to_builtins(state)
    return built


def append_instructions(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """Append text to the system message of a conversation, which is created if there is none."""
    if not messages or messages[0].role not in ("system", "developer"):
        return (Message(role="system", content=text), *messages)
    first, *rest = messages
    content = f"{first.content}\n\n{text}" if isinstance(first.content, str) else [*first.content, TextPart(text=text)]
    return (first.model_copy(update={"content": content}), *rest)


def list_next_roles(messages: Sequence[Message]) -> list[str]:
    """Return, for each message, the role of the next one that is not a system message; "assistant" if there is none."""
    roles, following = [], "assistant"
    for message in reversed(messages):
        roles.append(following)
        following = following if message.role in INSTRUCTIONS else message.role
    return roles[::-1]


def is_system_turn_allowed(turns: Sequence[tuple[str, object]], next_role: str) -> bool:
    """Return whether a system turn may follow in a conversation with Claude.

    Anthropic's document: it must follow a user turn, and be the last or followed by an assistant turn.
    """
    return bool(turns) and turns[-1][0] in ("user", "system") and next_role == "assistant"
