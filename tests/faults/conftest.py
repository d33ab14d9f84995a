"""Captures everything that is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults.canaries import CapturedLogs


@pytest.fixture
def captured_logs() -> Iterator[CapturedLogs]:
    captured_logs, root = CapturedLogs(), logging.getLogger()
    level = root.level
    root.addHandler(captured_logs)
    root.setLevel(logging.DEBUG)
    try:
        yield captured_logs
    finally:
        root.setLevel(level)
        root.removeHandler(captured_logs)
