"""A conversation as far as a vendor accepts it, before a protocol writes its messages."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import Message, Part, TextPart

MEDIA = ("image", "image_url", "audio", "audio_url", "file", "file_url")
"""The names, as in `Rules.refuses`, of parts and of parts by URL."""


def accept_messages(rules: Rules, messages: Sequence[Message]) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """The messages without names and parts that the vendor refuses, and what was left out.

    Results of tools are kept as they are.
    """
    refuses_names, refuses_parts = "name" in rules.refuses, not rules.refuses.isdisjoint(MEDIA)
    adjustments: list[Adjustment] = []
    changed: dict[int, Message] = {}
    for place, message in enumerate(messages):
        changes: dict[str, object] = {}
        if refuses_names and message.name is not None and message.role != "tool":
            adjustments.append(rules.build_refusal("name"))
            changes["name"] = None
        if refuses_parts and not isinstance(message.content, str) and message.role != "tool":
            refusals = [find_refusal(rules, part) for part in message.content]
            if any(refusals):
                adjustments += [refusal for refusal in refusals if refusal is not None]
                pairs = zip(message.content, refusals, strict=True)
                changes["content"] = [part for part, refusal in pairs if refusal is None]
        if changes:
            changed[place] = message.model_copy(update=changes)
    if not changed:
        return messages, ()
    accepted = [changed.get(place, message) for place, message in enumerate(messages)]
    return accepted, tuple(dict.fromkeys(adjustments))


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


def list_result_texts(message: Message) -> list[str]:
    """The text of a tool's result, in its parts; of a failure, where the text does not say so itself, the text says it."""
    if message.is_error and not message.text.lower().startswith("error"):
        return [f"Error: {message.text}" if message.text else "Error"]
    given = message.content
    return [given] if isinstance(given, str) else [part.text for part in given if isinstance(part, TextPart)]
