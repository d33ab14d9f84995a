"""How many examples property tests take: a part of them in the default suite, all of them in the slow session."""

from __future__ import annotations

from hypothesis import settings

ALL = 100
"""Examples of a test that does not say how many, where the profile takes all."""
LEAST = 10


def scale_examples(most: int) -> int:
    """The examples of a test that takes `most` where the profile takes all."""
    return max(min(most, LEAST), most * settings().max_examples // ALL)
