"""A whole body, folded: the same deltas and the same fold as a stream, at once."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core import think_tags
from victor_fp.core.deltas import Delta
from victor_fp.core.protocols import Codec
from victor_fp.core.transcript import EMPTY, Transcript, advance


def folded(speaker: Codec, body: bytes) -> Transcript:
    """The transcript of a 200 body."""
    deltas: Sequence[Delta] = speaker.response(body)
    if speaker.think_tags:
        thinking, split = think_tags.split(think_tags.START, deltas)
        deltas = [*split, *think_tags.flush(thinking)]
    if speaker.text_calls is not None:
        from victor_fp.core.tool_calling.text_calls import whole

        deltas = whole(speaker.text_calls, deltas)
    return advance(EMPTY, deltas)[0]
