"""Builds requests to Mistral."""

from __future__ import annotations

import json
from typing import Any

from tests.core.protocols.openai_chat import requests
from tests.core.protocols.openai_chat.requests import HI, WEATHER
from victor_fp import replay
from victor_fp.core.types import Message

__all__ = [
    "HI",
    "WEATHER",
    "build_extra_fields",
    "build_replayed_message",
    "build_turns",
    "get_adjustments",
    "get_refusal",
    "read_message",
]


def build_extra_fields(**options: Any) -> dict[str, Any]:
    """What an option adds to the body of the plainest request."""
    return requests.build_extra_fields("mistral", **options)


def build_turns(*messages: Message, **options: Any) -> list[dict[str, Any]]:
    """The messages of a request."""
    found: list[dict[str, Any]] = requests.build_body("mistral", messages, **options)["messages"]
    return found


def get_refusal(*messages: Message, **options: Any) -> tuple[str, str]:
    """The fault's class and the parameter it names."""
    return requests.get_refusal("mistral", messages or (HI,), **options)


def get_adjustments(**options: Any) -> dict[str, str]:
    """The parameters that were left out or changed, where the caller allows it."""
    return requests.get_adjustments("mistral", **options)


def read_message(whole: dict[str, Any]) -> Message:
    """The assistant's message that an answer makes."""
    return replay.response("mistral", 200, {}, json.dumps(whole).encode()).unwrap().to_message()


def build_replayed_message(whole: dict[str, Any]) -> dict[str, Any]:
    """A response as it is sent back with the next turn."""
    given = read_message(whole)
    results = [Message(role="tool", tool_call_id=one["id"], content="ok") for one in given.tool_calls or ()]
    return build_turns(HI, given, *results, HI)[1]
