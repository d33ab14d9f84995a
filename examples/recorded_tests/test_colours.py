"""Tests with recordings: `pytest` answers from the files, `pytest --record` asks the provider and writes them anew."""

from __future__ import annotations

import pytest
from colours import name_colours

from victor_fp.providers.base import ProviderError
from victor_fp.recording import Recording
from victor_fp.sync import create


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Replayed tests need no key, but a provider is not created without one."""
    if not request.config.getoption("--record"):
        monkeypatch.setenv("OPENAI_API_KEY", "unused")


def test_colours(recording: Recording) -> None:
    with create("openai/gpt-5-mini") as provider:
        assert name_colours(provider, 3) == ["red", "green", "blue"]
    assert len(recording.exchanges) == 1


def test_what_was_not_recorded_is_not_sent(recording: Recording, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--record"):
        pytest.skip("this one has no recording")
    with create("openai/gpt-5-mini") as provider, pytest.raises(ProviderError, match="no recording of POST"):
        name_colours(provider, 5)
