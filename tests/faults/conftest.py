"""Captures everything that is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults.canaries import CapturedLogs


@pytest.fixture
def heard() -> Iterator[CapturedLogs]:
    heard, root = CapturedLogs(), logging.getLogger()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(heard)
