"""Images, audio and files in the results of tools, for vendors whose results hold text only or some kinds of parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

Media: TypeAlias = ImagePart | AudioPart | FilePart
Placement: TypeAlias = Literal["keep", "move"] | Adjustment
"""Whether a part stays in the result, moves into a user message after it, or is refused for the reason given."""

SEE_BELOW = "The result is attached to the next message of the user."
"""Stands for a result that had nothing but parts which are sent elsewhere."""


def place_result_parts(
    messages: Sequence[Message], place: Callable[[Media], Placement], recipient: str
) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """The messages with the parts of results where the vendor accepts them, and what was moved or refused.

    Parts move into one user message after all results of a turn, each under the id of the call that it is a result of.
    """
    if not any(message.role == "tool" and not isinstance(message.content, str) for message in messages):
        return messages, ()
    placed: list[Message] = []
    adjustments: dict[Adjustment, None] = {}
    moved: list[TextPart | Media] = []
    for message in messages:
        if moved and message.role != "tool":
            placed.append(Message(role="user", content=moved))
            moved = []
        if message.role != "tool" or isinstance(message.content, str):
            placed.append(message)
            continue
        kept: list[TextPart | Media] = []
        leaving: list[Media] = []
        for part in message.content:
            where: Placement = "keep" if isinstance(part, TextPart) else place(part)
            if isinstance(where, Adjustment):
                adjustments[where] = None
            elif where == "keep" or isinstance(part, TextPart):
                kept.append(part)
            else:
                leaving.append(part)
        if leaving:
            kinds = ", ".join(sorted({part.type for part in leaving}))
            reason = f"{recipient} accepts no {kinds} in tool results; sent in a user message after them"
            adjustments[Adjustment(parameter="messages.content", reason=reason, action="changed")] = None
            moved += [TextPart(text=f"Attached to the result of the call {message.tool_call_id}:"), *leaving]
        content = kept or (SEE_BELOW if leaving else "")
        placed.append(message if len(kept) == len(message.content) else message.model_copy(update={"content": content}))
    if moved:
        placed.append(Message(role="user", content=moved))
    return placed, tuple(adjustments)
