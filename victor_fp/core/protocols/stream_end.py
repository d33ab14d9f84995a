"""The end marker `[DONE]` of event streams, which OpenAI introduced and most vendors and gateways send."""

from __future__ import annotations

DONE = b"[DONE]"
_MAX_LENGTH = 16
"""Maximum length of a marker with surrounding white space, in bytes."""


def is_done(data: bytes) -> bool:
    """Return whether an event's data is the end marker. It is not JSON, so it is recognised before decoding.

    >>> is_done(b" [DONE]"), is_done(b'{"done": true}')
    (True, False)
    """
    return len(data) <= _MAX_LENGTH and data.strip() == DONE
