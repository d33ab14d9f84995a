"""Ids for tool calls without one: deterministic for a response, and unique within a conversation."""

from __future__ import annotations

from hashlib import blake2b


def make_id(seed: str, ordinal: int) -> str:
    """Make an id from a value that identifies the response (its id or time) and the position of the call.

    It has nine characters, which satisfies the strictest vendor (Mistral: 9 of [a-zA-Z0-9]).

    >>> make_id("resp-1", 0) == make_id("resp-1", 0) != make_id("resp-1", 1)
    True
    """
    return "c" + blake2b(f"{seed}\x00{ordinal}".encode("utf-8", "replace"), digest_size=4).hexdigest()
