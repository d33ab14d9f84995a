"""Ids for calls that came without one: the same for the same answer, different for every call of a conversation."""

from __future__ import annotations

from hashlib import blake2b


def make_id(seed: str, ordinal: int) -> str:
    """An id from something that tells answers apart (the vendor's response id or time) and the call's place in it.

    Nine characters of [a-z0-9] after the prefix's letter keep the strictest vendor (Mistral: 9 of [a-zA-Z0-9]) content.

    >>> make_id("resp-1", 0) == make_id("resp-1", 0) != make_id("resp-1", 1)
    True
    """
    return "c" + blake2b(f"{seed}\x00{ordinal}".encode("utf-8", "replace"), digest_size=4).hexdigest()
