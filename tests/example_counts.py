"""Numbers of examples of property tests: reduced in the default suite, full in the slow session."""

from __future__ import annotations

from hypothesis import settings

ALL = 100
"""Examples of a test without a number, if the profile runs all."""
LEAST = 10


def scale_examples(most: int) -> int:
    """The examples of a test that runs `most` if the profile runs all."""
    return max(min(most, LEAST), most * settings().max_examples // ALL)
