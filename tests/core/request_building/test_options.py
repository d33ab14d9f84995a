"""Every option reaches the request of every provider, or is reported: none is dropped silently."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.test_request_snapshots import ALL, CONTINUED, MODELS, SETTINGS, WEATHER
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.options import Options
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import Message

NOT_SENT = frozenset({"on_unsupported", "unknown", "text_tool_calls"})
"""They change how a request is built or how its response is read."""
EXTRA: dict[str, Any] = {"service_tier": "flex", "tools_in_prompt": True}
"""Values that no vendor has as its default."""
VALUES: dict[str, Any] = {**ALL, **CONTINUED, **EXTRA}


def build_request(spec: ProviderSpec, **options: Any) -> HttpRequest:
    return replay.request(
        spec.name,
        [Message(role="user", content="Hi")],
        model=MODELS.get(spec.name, spec.default_model or "some-model"),
        settings=SETTINGS,
        tools=[WEATHER],
        text_tool_calls="hermes",
        on_unsupported="adjust",
        **options,
    ).unwrap()


@pytest.mark.parametrize("spec", CATALOGUE.chats, ids=lambda spec: spec.name)
def test_every_option_is_sent_or_reported(spec: ProviderSpec) -> None:
    without = build_request(spec)
    names = [name for name in Options.__struct_fields__ if name not in NOT_SENT]
    assert [name for name in names if build_request(spec, **{name: VALUES[name]}) == without] == []
