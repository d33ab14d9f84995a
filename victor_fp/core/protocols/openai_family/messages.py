"""A conversation as far as a vendor accepts it, before a protocol writes its messages."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import Message, Part, TextPart

MEDIA = ("image", "image_url", "audio", "audio_url", "file", "file_url")
"""The names, as in `Rules.refuses`, of parts and of parts by URL."""


def accept_messages(rules: Rules, messages: Sequence[Message]) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """The messages as the vendor accepts them, and what had to be changed for it.

    Names and parts that it refuses are left out. Parts that it accepts, but not in a tool's result, move into a user
    message after the results.
    """
    if not any(_may_change(rules, message) for message in messages):
        return messages, ()
    accepted: list[Message] = []
    adjustments: list[Adjustment] = []
    moved: list[Part] = []
    for message in messages:
        if moved and message.role != "tool":
            accepted.append(Message(role="user", content=moved))
            moved = []
        kept, misplaced, changes = _accept_message(rules, message)
        accepted.append(kept)
        moved += misplaced
        adjustments += changes
    if moved:
        accepted.append(Message(role="user", content=moved))
    return accepted, tuple(dict.fromkeys(adjustments))


SEE_BELOW = "The result is attached to the next message of the user."
"""Stands for a result that had nothing but parts which are sent elsewhere."""


def _may_change(rules: Rules, message: Message) -> bool:
    if message.role == "tool":
        return not isinstance(message.content, str)
    if message.name is not None and "name" in rules.refuses:
        return True
    return not isinstance(message.content, str) and not rules.refuses.isdisjoint(MEDIA)


def _accept_message(rules: Rules, message: Message) -> tuple[Message, list[Part], list[Adjustment]]:
    """A message without what the vendor refuses in it, the parts that move out of it, and what is to be said of both."""
    changes: dict[str, object] = {}
    adjustments: list[Adjustment] = []
    if message.name is not None and message.role != "tool" and "name" in rules.refuses:
        adjustments.append(rules.build_refusal("name"))
        changes["name"] = None
    moved: list[Part] = []
    if not isinstance(message.content, str):
        refusals = [find_refusal(rules, part) for part in message.content]
        adjustments += [refusal for refusal in refusals if refusal is not None]
        accepted = [part for part, refusal in zip(message.content, refusals, strict=True) if refusal is None]
        moved = [part for part in accepted if message.role == "tool" and not _fits_result(rules, part)]
        kept = [part for part in accepted if message.role != "tool" or _fits_result(rules, part)]
        if len(kept) < len(message.content):
            changes["content"] = kept or ([TextPart(text=SEE_BELOW)] if moved else [])
    if moved:
        kinds = ", ".join(sorted({part.type for part in moved}))
        reason = f"{rules.recipient} accepts no {kinds} in a tool's result; sent in a user message after it"
        adjustments.append(Adjustment(parameter="messages.content", reason=reason, action="changed"))
        moved = [TextPart(text=f"Attached to the result of the call {message.tool_call_id}:"), *moved]
    return message.model_copy(update=changes) if changes else message, moved, adjustments


def _fits_result(rules: Rules, part: Part) -> bool:
    return part.type == "text" or part.type in rules.result_parts


def find_refusal(rules: Rules, part: Part) -> Adjustment | None:
    """Why a part cannot be sent; None where it can."""
    if isinstance(part, TextPart):
        return None
    if part.type in rules.refuses:
        return rules.build_refusal(part.type)
    if part.data is not None or f"{part.type}_url" not in rules.refuses:
        return None
    if part.type != "audio" and (part.url or "").startswith("data:"):
        # A data URL is a value, except for audio, whose format stands in a field of its own.
        return None
    return Adjustment(parameter=part.type, reason=f"{rules.recipient} accepts it by value only, not by URL")


def list_result_parts(message: Message) -> list[Part]:
    """A tool's result in parts, empty texts left out.

    None of the formats has a mark for failures: where the text of one does not say so itself, it begins with "Error".
    """
    text, given = message.text, message.content
    if message.is_error and not text.lower().startswith("error"):
        media = [] if isinstance(given, str) else [part for part in given if not isinstance(part, TextPart)]
        return [TextPart(text=f"Error: {text}" if text else "Error"), *media]
    if isinstance(given, str):
        return [TextPart(text=given)] if given else []
    return [part for part in given if not isinstance(part, TextPart) or part.text]


def join_texts(parts: Sequence[Part]) -> str | None:
    """The text of parts that are nothing else; None where one is."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "".join(texts) if len(texts) == len(parts) else None
