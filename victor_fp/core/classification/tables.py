"""Structure of the error tables: fault types by the codes, statuses and phrases of a vendor family."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.faults import Fault

FaultType: TypeAlias = type[Fault]
FaultCodes: TypeAlias = Mapping[str, FaultType]
"""Fault types by a vendor's codes, in lower case."""

LONGEST_GAP = 160
"""Maximum characters between two parts of a phrase."""
_IGNORED = str.maketrans(dict.fromkeys("`'\"\u2018\u2019\u201c\u201d\\", ""))


class Phrase(msgspec.Struct, frozen=True, gc=False):
    """A wording by which a vendor without a code reports a fault.

    It matches a text from `normalize_text` that contains the `parts` in this order, with at most `LONGEST_GAP` characters
    between two of them. `refines` are the fault types that it makes more specific; it has no effect on others.
    """

    fault_type: FaultType
    parts: tuple[str, ...]
    source: str
    refines: frozenset[FaultType]

    def is_match(self, text: str) -> bool:
        """Return whether a normalised text contains the phrase."""
        first, *others = self.parts
        start = text.find(first)
        while start >= 0:
            end: int = start + len(first)
            for part in others:
                found = text.find(part, end, end + LONGEST_GAP + len(part))
                if found < 0:
                    break
                end = found + len(part)
            else:
                return True
            start = text.find(first, start + 1)
        return False


class ErrorTable(msgspec.Struct, frozen=True, kw_only=True):
    """The error table of one vendor family."""

    codes: FaultCodes = {}
    """Codes, types and reasons that are more specific than a status."""
    stream_codes: FaultCodes = {}
    """Codes that apply only to errors without a status, or a code that is one: inside a stream, or in a 200 body."""
    statuses: Mapping[int, FaultType] = {}
    """Statuses that differ from `FAULT_TYPES_BY_STATUS`."""
    phrases: tuple[Phrase, ...] = ()
    """Phrases; the first match decides."""
    code_in_message: re.Pattern[str] | None = None
    """Finds codes inside messages; every group that matches is a code."""
    missing_capability: re.Pattern[str] | None = None
    """Finds the capability that the model does not have; its group is a key of `capabilities`."""
    capabilities: Mapping[str, str] = {}
    """Parameter names by capability."""

    def with_codes(self, codes: FaultCodes) -> ErrorTable:
        """Return the table with the codes that a dialect adds."""
        return msgspec.structs.replace(self, codes={**self.codes, **codes}) if codes else self


def normalize_text(text: str) -> str:
    """Return the text in lower case, with single spaces, and without quotation marks and backslashes.

    >>> normalize_text("`inputs` tokens  +\\n`max_new_tokens` must be <= 4096")
    'inputs tokens + max_new_tokens must be <= 4096'
    """
    return " ".join(text.translate(_IGNORED).lower().split())


def find_phrase(phrases: Sequence[Phrase], texts: Sequence[str], fault_type: FaultType) -> FaultType | None:
    """Return the fault type of the first phrase that refines `fault_type` and matches one of the normalised texts."""
    for phrase in phrases:
        if fault_type in phrase.refines and any(phrase.is_match(text) for text in texts):
            return phrase.fault_type
    return None
