"""Tests with recordings: `pytest` answers from the files, `pytest --record` asks the provider and writes them anew."""

from __future__ import annotations

import os
import sys

import pytest
from colours import name_colours

from victor_fp.providers.base import ProviderError
from victor_fp.recording import Recording
from victor_fp.sync import create


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording is replayed with any key; without one no request is made."""
    if "OPENAI_API_KEY" not in os.environ:
        monkeypatch.setenv("OPENAI_API_KEY", "unused")


def test_colours(recording: Recording) -> None:
    with create("openai/gpt-5-mini") as provider:
        assert name_colours(provider, 3) == ["red", "green", "blue"]
    assert len(recording.exchanges) == 1


@pytest.mark.skipif("--record" in sys.argv, reason="it has no recording")
def test_what_was_not_recorded_is_not_sent(recording: Recording) -> None:
    with create("openai/gpt-5-mini") as provider, pytest.raises(ProviderError, match="no recording of POST"):
        name_colours(provider, 5)
