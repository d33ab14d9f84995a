"""Images, audio and files in the results of tools: sent, moved to a user message visibly, or refused; never dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.catalogue_samples import SETTINGS, group_alike
from tests.core.protocols.openai_chat.requests import build_request
from victor_fp.core.faults import UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

PROTOCOLS = ("openai-chat", "openai-responses", "mistral")
NAMES = [spec.name for spec, *_ in group_alike() if spec.dialect.protocol in PROTOCOLS]
"""One of each group that is sent equal bodies."""
MARK = "bWFyaw=="
"""The bytes of every part in base64."""
PARTS: dict[str, Part] = {
    "image": ImagePart(data=b"mark", media_type="image/png"),
    "audio": AudioPart(data=b"mark", media_type="audio/wav"),
    "file": FilePart(data=b"mark", media_type="application/pdf"),
}
CALL = {"id": "abcdefghi", "name": "look", "arguments": {}}
LAST = Message(role="user", content="What is it?")


def build_conversation(*contents: str | list[Part], is_error: bool = False) -> list[Message]:
    """One call per content, all results, and a question."""
    calls: list[Any] = [{**CALL, "id": f"abcdefgh{place}"} for place in range(len(contents))]
    results = [
        Message(role="tool", tool_call_id=f"abcdefgh{place}", content=content, is_error=is_error)
        for place, content in enumerate(contents)
    ]
    return [LAST, Message(role="assistant", tool_calls=calls), *results, LAST]


def list_entries(request: HttpRequest) -> list[dict[str, Any]]:
    """The messages or input items."""
    body: Any = request.json()
    found: list[dict[str, Any]] = body.get("messages") or body["input"]
    return found


def is_result(entry: dict[str, Any]) -> bool:
    return entry.get("role") == "tool" or entry.get("type") == "function_call_output"


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("provider", NAMES)
def test_a_part_of_a_result_is_sent_or_moved_or_refused(provider: str, kind: str) -> None:
    turns = build_conversation([TextPart(text="seen"), PARTS[kind]])
    strict = build_request(provider, turns, settings=SETTINGS)
    request = build_request(provider, turns, settings=SETTINGS, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    changes = [(change.parameter, change.action) for change in request.adjustments]
    marked = [entry for entry in list_entries(request) if MARK in json.dumps(entry)]
    assert "seen" in json.dumps([entry for entry in list_entries(request) if is_result(entry)])
    if not changes:
        assert isinstance(strict, HttpRequest)
        assert [is_result(entry) for entry in marked] == [True]
        return
    assert isinstance(strict, UnsupportedParameter)
    assert strict.parameter == changes[0][0]
    if changes == [("messages.content", "changed")]:
        assert [entry["role"] for entry in marked] == ["user"]
        assert kind in strict.message
    else:
        assert (changes, marked) == ([(kind, "dropped")], [])


@pytest.mark.parametrize(
    ("provider", "kinds"),
    [
        ("groq", {"image"}),
        ("fireworks", {"image"}),
        ("openrouter", {"image", "audio", "file"}),
        ("mistral", {"image", "audio", "file"}),
        ("openai-responses", {"image", "file"}),
        ("openai", set()),
        ("together", set()),
    ],
)
def test_tool_result_parts_match_the_vendor_documents(provider: str, kinds: set[str]) -> None:
    taken = {
        kind
        for kind, part in PARTS.items()
        if isinstance(build_request(provider, build_conversation([part])), HttpRequest)
    }
    assert taken == kinds


@pytest.mark.parametrize("provider", ["openai", "xai-responses"])
def test_moved_parts_follow_all_results_of_a_turn(provider: str) -> None:
    turns = build_conversation([PARTS["image"]], "plain", [TextPart(text="a"), PARTS["image"]])
    request = build_request(provider, turns, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    *_, first, second, third, moved, last = list_entries(request)
    assert [is_result(entry) for entry in (first, second, third, moved, last)] == [True, True, True, False, False]
    texts = [part["text"] for part in moved["content"] if "text" in part]
    assert texts == [f"Attached to the result of the call abcdefgh{place}:" for place in (0, 2)]
    assert "attached to the next message" in json.dumps(first)
    assert len(request.adjustments) == 1


@pytest.mark.parametrize("provider", ["openai", "groq", "mistral", "openai-responses"])
def test_a_failed_result_with_an_image_is_marked_once_and_sends_the_image(provider: str) -> None:
    turns = build_conversation([TextPart(text="no such page"), PARTS["image"]], is_error=True)
    request = build_request(provider, turns, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    text = json.dumps(list_entries(request))
    assert (text.count("Error: no such page"), text.count(MARK)) == (1, 1)


@pytest.mark.parametrize("provider", NAMES)
def test_the_names_of_participants_are_sent_or_refused(provider: str) -> None:
    named = Message(role="user", name="ann", content="Hi")
    strict = build_request(provider, [named], settings=SETTINGS)
    request = build_request(provider, [named], settings=SETTINGS, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    if isinstance(strict, HttpRequest):
        assert list_entries(strict)[0]["name"] == "ann"
        assert request.adjustments == ()
    else:
        assert "ann" not in json.dumps(request.json())
        assert [change.parameter for change in request.adjustments] == ["name"]


def test_fireworks_is_sent_names() -> None:
    assert isinstance(build_request("fireworks", [Message(role="user", name="ann", content="Hi")]), HttpRequest)
