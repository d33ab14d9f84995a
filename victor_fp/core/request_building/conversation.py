"""What a conversation says, apart from any wire format: its rules, and an assistant's turn as ordered blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json, decode_json
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import Message, TextPart, ToolCall

BlockKind: TypeAlias = Literal["text", "reasoning", "refusal", "tool_call", "opaque"]


INSTRUCTIONS = frozenset({"system", "developer"})
"""Roles of messages that instruct the model."""
SYSTEM_MOVED = Adjustment(
    parameter="messages.system",
    reason="moved to the start of the conversation: this model does not accept a system message there",
    action="changed",
)


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One block of an assistant's turn, with the opaque state the vendor wants back on it."""

    kind: BlockKind
    text: str = ""
    id: str = ""
    """A tool call's id."""
    name: str = ""
    arguments: dict[str, Json] | str = {}
    state: dict[str, Json] | None = None


class TurnState(msgspec.Struct, frozen=True, kw_only=True):
    """`metadata["provider_state"]` of an assistant's message: the turn as its vendor gave it."""

    protocol: str
    provider: str = ""
    model: str | None = None
    blocks: list[Block] = []


def read_turn_state(message: Message) -> TurnState | None:
    """The state a message carries; None where there is none, or where it is not ours to read."""
    if not message.metadata or not isinstance(state := message.metadata.get("provider_state"), dict):
        return None
    try:
        return msgspec.convert(state, TurnState)
    except msgspec.ValidationError:
        return None


def split_assistant_turn(message: Message, protocol: str, *, foreign_reasoning: bool = False) -> tuple[Block, ...]:
    """An assistant's turn in order: as its vendor gave it where the same protocol wants it back, else text, then calls.

    `foreign_reasoning` puts the reasoning of another protocol's turn before them, without what only its vendor understands.

    The message wins over the state: text that was edited replaces the old text in its place, calls that were removed
    are left out, calls that were added come last. Only text parts of a list content are taken; see `lone_text`.
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
    """The reasoning and the text of a turn of another protocol; a refusal is the text of a turn that has no other."""
    thoughts = [block.text for block in blocks if block.kind == "reasoning" and block.text] if reasoning else []
    text = text or "".join(block.text for block in blocks if block.kind == "refusal")
    translated = [Block(kind="reasoning", text="\n\n".join(thoughts))] if thoughts else []
    return [*translated, Block(kind="text", text=text)] if text else translated


def read_call_arguments(arguments: Mapping[str, Json] | str) -> dict[str, Json] | str:
    """The object of a call's arguments, for protocols that want one; the text where it is no JSON object.

    OpenAI's spelling of a message has arguments as text. An empty text is that of a call without arguments.

    >>> read_call_arguments('{"city": "Rome"}'), read_call_arguments('{"ci')
    ({'city': 'Rome'}, '{"ci')
    """
    if not isinstance(arguments, str):
        return dict(arguments)
    if not arguments.strip():
        return {}
    value = decode_json(arguments)
    return value if isinstance(value, dict) else arguments


def _build_call_block(call: ToolCall) -> Block:
    return Block(kind="tool_call", id=call["id"], name=call["name"], arguments=call["arguments"])


def _reconcile_blocks(blocks: Sequence[Block], text: str, calls: Sequence[ToolCall]) -> list[Block]:
    edited = "".join(block.text for block in blocks if block.kind == "text") != text
    left = {call["id"]: call for call in calls}
    kept: list[Block] = []
    for block in blocks:
        if block.kind == "text" and edited:
            if text:
                kept.append(Block(kind="text", text=text))
                text = ""
        elif block.kind == "tool_call":
            if (call := left.pop(block.id, None)) is not None:
                kept.append(msgspec.structs.replace(block, name=call["name"], arguments=call["arguments"]))
        else:
            kept.append(block)
    if edited and text:
        kept.append(Block(kind="text", text=text))
    return kept + [_build_call_block(call) for call in left.values()]


def split_system(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Instructions (system and developer messages) apart from the turns, for protocols that keep them apart."""
    system = [message for message in messages if message.role in ("system", "developer")]
    return system, [message for message in messages if message.role not in ("system", "developer")]


def index_tool_names(messages: Sequence[Message]) -> dict[str, str]:
    """The name of every call by its id, for protocols that want names with results."""
    return {call["id"]: call["name"] for message in messages for call in message.tool_calls or ()}


def validate_conversation(
    messages: Sequence[Message], *, provider: str = "", model: str | None = None, continues: bool = False
) -> Fault | None:
    """What is wrong with a conversation before any vendor sees it; None if nothing is.

    One that continues what the vendor keeps may begin with results of calls that it does not show.
    """
    reason = _find_problem(messages, continues=continues)
    return None if reason is None else InvalidRequest(provider=provider, model=model, message=reason)


def _find_problem(messages: Sequence[Message], *, continues: bool) -> str | None:
    if not messages:
        return "messages is empty"
    waiting: dict[str, str] = {}
    has_unseen = continues
    """Whether calls that the vendor keeps may still wait for results."""
    for place, message in enumerate(messages):
        has_unseen = has_unseen and message.role != "assistant"
        if message.role == "tool":
            if not message.tool_call_id:
                return f"messages[{place}]: a tool message requires tool_call_id"
            if has_unseen:
                continue
            if message.tool_call_id not in waiting:
                return f"messages[{place}]: no call {message.tool_call_id!r} is pending for this result"
            waiting.pop(message.tool_call_id)
            continue
        if waiting:
            return f"messages[{place}]: calls without a result: {_format_ids(waiting)}"
        if message.tool_calls and message.role != "assistant":
            return f"messages[{place}]: only an assistant's message has tool_calls"
        if message.role in ("system", "developer", "assistant") and not _is_text(message):
            return f"messages[{place}]: a message of role {message.role} accepts text parts only"
        for call in message.tool_calls or ():
            if call["id"] in waiting:
                return f"messages[{place}]: two calls with the id {call['id']!r}"
            waiting[call["id"]] = call["name"]
    if waiting:
        return f"calls without a result: {_format_ids(waiting)}"
    return None


def _is_text(message: Message) -> bool:
    return isinstance(message.content, str) or all(isinstance(part, TextPart) for part in message.content)


def _format_ids(waiting: dict[str, str]) -> str:
    return ", ".join(f"{name} ({id_})" for id_, name in waiting.items())


def build_provider_state(
    protocol: str, provider: str, model: str | None, blocks: Sequence[Block]
) -> dict[str, Any] | None:
    """The plain dict for `metadata["build_provider_state"]`; None where plain text and calls say everything."""
    kinds = [block.kind for block in blocks]
    calls_last = "tool_call" not in kinds or "text" not in kinds[kinds.index("tool_call") :]
    if calls_last and all(block.state is None and block.kind in ("text", "tool_call") for block in blocks):
        return None
    state = TurnState(protocol=protocol, provider=provider, model=model, blocks=list(blocks))
    built: dict[str, Any] = msgspec.to_builtins(state)
    return built


def append_instructions(messages: Sequence[Message], words: str) -> tuple[Message, ...]:
    """The conversation with these words at the end of its system message, which is made where there is none."""
    if not messages or messages[0].role not in ("system", "developer"):
        return (Message(role="system", content=words), *messages)
    first, *rest = messages
    content = (
        f"{first.content}\n\n{words}" if isinstance(first.content, str) else [*first.content, TextPart(text=words)]
    )
    return (first.model_copy(update={"content": content}), *rest)
