"""Images, audio and files in tool results, for vendors whose results accept only some types of parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

Media: TypeAlias = ImagePart | AudioPart | FilePart
Placement: TypeAlias = Literal["keep", "move"] | Adjustment
"""Whether a part stays in the result, moves to a user message after it, or is rejected with a reason."""

RESULT_PLACEHOLDER = "The result is attached to the next message of the user."
"""Content of a result all of whose parts were moved."""


def place_result_parts(
    messages: Sequence[Message], place: Callable[[Media], Placement], recipient: str
) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """Place the parts of tool results where the vendor accepts them; return the messages and the adjustments.

    Parts are moved to one user message after all results of a turn, labelled with the id of their call.
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
        moving: list[Media] = []
        for part in message.content:
            where: Placement = "keep" if isinstance(part, TextPart) else place(part)
            if isinstance(where, Adjustment):
                adjustments[where] = None
            elif where == "keep" or isinstance(part, TextPart):
                kept.append(part)
            else:
                moving.append(part)
        if moving:
            kinds = ", ".join(sorted({part.type for part in moving}))
            reason = f"{recipient} does not accept {kinds} parts in tool results; sent in a user message after them"
            adjustments[Adjustment(parameter="messages.content", reason=reason, action="changed")] = None
            moved += [TextPart(text=f"Attached to the result of the call {message.tool_call_id}:"), *moving]
        content = kept or (RESULT_PLACEHOLDER if moving else "")
        placed.append(message if len(kept) == len(message.content) else message.model_copy(update={"content": content}))
    if moved:
        placed.append(Message(role="user", content=moved))
    return placed, tuple(adjustments)
