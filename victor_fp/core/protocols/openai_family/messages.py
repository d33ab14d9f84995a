"""Adaptation of a conversation to what a vendor accepts, before a protocol builds its messages."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.protocols.openai_family.options import Rules
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import Message, Part, TextPart


def accept_messages(rules: Rules, messages: Sequence[Message]) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """Return the messages as the vendor accepts them, and the adjustments.

    Unsupported names and parts are dropped. Parts that are accepted, but not in tool results, are moved to a user message
    after the results.
    """
    misfits = {
        index
        for index, message in enumerate(messages)
        if not (isinstance(message.content, str) and message.name is None) and not _can_send(rules, message)
    }
    if not misfits:
        return messages, ()
    accepted: list[Message] = []
    adjustments: dict[Adjustment, None] = {}
    moved: list[Part] = []
    for index, message in enumerate(messages):
        if moved and message.role != "tool":
            accepted.append(Message(role="user", content=moved))
            moved = []
        if index in misfits:
            kept, moved_parts, changes = _accept_message(rules, message)
            accepted.append(kept)
            moved += moved_parts
            adjustments |= dict.fromkeys(changes)
        else:
            accepted.append(message)
    if moved:
        accepted.append(Message(role="user", content=moved))
    return accepted, tuple(adjustments)


RESULT_PLACEHOLDER = "The result is attached to the next message of the user."
"""Content of a result all of whose parts were moved."""


def _can_send(rules: Rules, message: Message) -> bool:
    """Return whether a message can be sent unchanged."""
    is_result = message.role == "tool"
    if message.name is not None and "name" in rules.refuses and not is_result:
        return False
    if isinstance(message.content, str):
        return True
    for part in message.content:
        if isinstance(part, TextPart):
            continue
        if (is_result and part.type not in rules.result_parts) or find_refusal(rules, part) is not None:
            return False
    return True


def _can_send_result(rules: Rules, part: Part) -> bool:
    return part.type == "text" or part.type in rules.result_parts


def _accept_message(rules: Rules, message: Message) -> tuple[Message, Sequence[Part], Sequence[Adjustment]]:
    """Return a message without unsupported content, the parts to move out of it, and the adjustments."""
    is_result = message.role == "tool"
    adjustments: list[Adjustment] = []
    changes: dict[str, object] = {}
    if message.name is not None and not is_result and "name" in rules.refuses:
        adjustments.append(rules.build_refusal("name"))
        changes["name"] = None
    if isinstance(message.content, str):
        return message.model_copy(update=changes), (), adjustments
    refusals = [find_refusal(rules, part) for part in message.content]
    adjustments += [refusal for refusal in refusals if refusal is not None]
    accepted = [part for part, refusal in zip(message.content, refusals, strict=True) if refusal is None]
    moved = [part for part in accepted if not _can_send_result(rules, part)] if is_result else []
    if not moved:
        return message.model_copy(update={**changes, "content": accepted}), (), adjustments
    kinds = ", ".join(sorted({part.type for part in moved}))
    reason = f"{rules.recipient} does not accept {kinds} parts in tool results; sent in a user message after them"
    adjustments.append(Adjustment(parameter="messages.content", reason=reason, action="changed"))
    kept = [part for part in accepted if _can_send_result(rules, part)]
    head = TextPart(text=f"Attached to the result of the call {message.tool_call_id}:")
    return message.model_copy(update={**changes, "content": kept or RESULT_PLACEHOLDER}), [head, *moved], adjustments


def find_refusal(rules: Rules, part: Part) -> Adjustment | None:
    """Return why a part cannot be sent; None if it can."""
    if isinstance(part, TextPart):
        return None
    if part.type in rules.refuses:
        return rules.build_refusal(part.type)
    if part.data is not None or f"{part.type}_url" not in rules.refuses:
        return None
    if part.type != "audio" and (part.url or "").startswith("data:"):
        # A data URL is sent by value, except audio, whose format is a separate field.
        return None
    return Adjustment(parameter=part.type, reason=f"{rules.recipient} accepts it by value only, not by URL")


def read_result(message: Message) -> str | list[Part]:
    """Return a tool result as a string if it is one text, else as parts without empty texts.

    The formats have no field for failures: the text of a failed call is prefixed with "Error" if it lacks it.
    """
    given = message.content
    if message.is_error:
        text = message.text
        if not text.lower().startswith("error"):
            text = f"Error: {text}" if text else "Error"
            media = [] if isinstance(given, str) else [part for part in given if not isinstance(part, TextPart)]
            return [TextPart(text=text), *media] if media else text
    if isinstance(given, str):
        return given
    parts = [part for part in given if not isinstance(part, TextPart) or part.text]
    return message.text if len(parts) < 2 and all(isinstance(part, TextPart) for part in parts) else parts


def join_texts(parts: Sequence[Part]) -> str | None:
    """Join the texts of parts; None if one is not text."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "".join(texts) if len(texts) == len(parts) else None
