"""The form of classification tables: which codes, statuses and phrases of a vendor family mean which fault."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.faults import Fault

FaultType: TypeAlias = type[Fault]
FaultCodes: TypeAlias = Mapping[str, FaultType]
"""A vendor's codes, in lower case, and what they mean."""

LONGEST_GAP = 160
"""Characters between two parts of a phrase."""
_IGNORED = str.maketrans(dict.fromkeys("`'\"\u2018\u2019\u201c\u201d\\", ""))


class Phrase(msgspec.Struct, frozen=True, gc=False):
    """Words by which a vendor that has no code for it reports a fault.

    `parts` appear in this order, with at most `LONGEST_GAP` characters between two of them, in a text that went through
    `normalize_text`. `refines` are the fault types that the phrase makes more specific; of any other type it says nothing.
    """

    fault_type: FaultType
    parts: tuple[str, ...]
    source: str
    refines: frozenset[FaultType]

    def is_match(self, text: str) -> bool:
        """Whether a normalised text contains the phrase."""
        first, *rest = self.parts
        start = text.find(first)
        while start >= 0:
            end: int = start + len(first)
            for part in rest:
                found = text.find(part, end, end + LONGEST_GAP + len(part))
                if found < 0:
                    break
                end = found + len(part)
            else:
                return True
            start = text.find(first, start + 1)
        return False


class ErrorTable(msgspec.Struct, frozen=True, kw_only=True):
    """What one vendor family's errors mean."""

    codes: FaultCodes = {}
    """Codes, types and reasons that say more than a status."""
    stream_codes: FaultCodes = {}
    """Those that count only where there is no status: inside a stream, or in a 200 body."""
    statuses: Mapping[int, FaultType] = {}
    """Statuses with another meaning than usual."""
    phrases: tuple[Phrase, ...] = ()
    """The first that matches decides."""
    code_in_message: re.Pattern[str] | None = None
    """Finds the codes of a vendor that writes them into its messages; every group that matched is a code."""
    missing_capability: re.Pattern[str] | None = None
    """Finds the capability that a model is said to lack; its group is a key of `capabilities`."""
    capabilities: Mapping[str, str] = {}
    """The parameter that stands for a capability."""

    def with_codes(self, codes: FaultCodes) -> ErrorTable:
        """The table with the codes that a dialect adds."""
        return msgspec.structs.replace(self, codes={**self.codes, **codes}) if codes else self


def normalize_text(text: str) -> str:
    """Lower case, single spaces, no quotation marks or backslashes: what phrases are compared with.

    >>> normalize_text("`inputs` tokens  +\\n`max_new_tokens` must be <= 4096")
    'inputs tokens + max_new_tokens must be <= 4096'
    """
    return " ".join(text.translate(_IGNORED).lower().split())


def find_phrase(phrases: Sequence[Phrase], texts: Sequence[str], fault_type: FaultType) -> FaultType | None:
    """What the first phrase that matches one of the normalised texts makes of a fault type."""
    for phrase in phrases:
        if fault_type in phrase.refines and any(phrase.is_match(text) for text in texts):
            return phrase.fault_type
    return None
