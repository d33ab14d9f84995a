"""Builds requests to Mistral."""

from __future__ import annotations

import json
from typing import Any

from tests.core.protocols.openai_chat import requests
from tests.core.protocols.openai_chat.requests import HI, WEATHER
from victor_fp import replay
from victor_fp.core.types import Message

__all__ = ["HI", "WEATHER", "adjusted", "back", "extra_fields", "refusal", "returned", "turns"]


def extra_fields(**options: Any) -> dict[str, Any]:
    """What an option adds to the body of the plainest request."""
    return requests.extra_fields("mistral", **options)


def turns(*messages: Message, **options: Any) -> list[dict[str, Any]]:
    """The messages of a request."""
    found: list[dict[str, Any]] = requests.sent("mistral", messages, **options)["messages"]
    return found


def refusal(*messages: Message, **options: Any) -> tuple[str, str]:
    """The fault's class and the parameter it names."""
    return requests.refusal("mistral", messages or (HI,), **options)


def adjusted(**options: Any) -> dict[str, str]:
    """The parameters that were left out or changed, where the caller allows it."""
    return requests.adjusted("mistral", **options)


def returned(whole: dict[str, Any]) -> Message:
    """The assistant's message that an answer makes."""
    return replay.response("mistral", 200, {}, json.dumps(whole).encode()).unwrap().to_message()


def back(whole: dict[str, Any]) -> dict[str, Any]:
    """A response as it is sent back with the next turn."""
    given = returned(whole)
    results = [Message(role="tool", tool_call_id=one["id"], content="ok") for one in given.tool_calls or ()]
    return turns(HI, given, *results, HI)[1]
