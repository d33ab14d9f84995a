"""What becomes of every feature of a conversation that began elsewhere, at every provider: sent, adjusted visibly, or refused by
name; nothing is dropped in silence.

Providers that are sent equal bodies (see `group_alike`) stand under the name of the first of them, listed at the head of the page.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from returns.result import Failure, Success
from syrupy.assertion import SnapshotAssertion

from tests.catalogue_samples import SETTINGS, group_alike
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PNG, PDF, WAV = b"\x89PNG\r\n\x1a\nMARK", b"%PDF-1.4 MARK", b"RIFF\x00\x00MARK"
IMAGE = ImagePart(data=PNG, media_type="image/png")
FILE = FilePart(data=PDF, media_type="application/pdf", filename="a.pdf")
AUDIO = AudioPart(data=WAV, media_type="audio/wav")
IMAGE_URL = ImagePart(url="https://example.org/MARK.png")
FILE_URL = FilePart(url="https://example.org/MARK.pdf")
MARKS = ("MARK", *(b64encode(data).decode() for data in (PNG, PDF, WAV)))
"""What shows that the feature arrived: `MARK` in a text, and the bytes of the parts."""

USER = Message(role="user", content="Hello")
CALL = {"id": "call_1", "name": "look", "arguments": {"a": 1}}


def build_assistant_turn(content: str = "", *, calls: Sequence[dict[str, Any]] = (), **more: Any) -> Message:
    return Message(role="assistant", content=content, tool_calls=[*calls] or None, **more)


def result(content: Any, call_id: str = "call_1", **more: Any) -> Message:
    return Message(role="tool", tool_call_id=call_id, content=content, **more)


def build_turn_with_state(
    protocol: str, *blocks: dict[str, Any], provider: str = "elsewhere", content: str = "Hi"
) -> Message:
    """An assistant's turn with the state that a vendor of this protocol left on it."""
    state = {"protocol": protocol, "provider": provider, "model": "m", "blocks": [*blocks]}
    return build_assistant_turn(content, metadata={"provider_state": state})


THOUGHT = {"kind": "reasoning", "text": "MARK"}
SIGNED = {"kind": "reasoning", "text": "MARK", "state": {"signature": "s"}}
SAID = {"kind": "text", "text": "Hi"}

FEATURES: dict[str, list[Message]] = {
    "reasoning of Chat Completions": [USER, build_turn_with_state("openai-chat", THOUGHT, SAID), USER],
    "reasoning of Anthropic Messages": [USER, build_turn_with_state("anthropic-messages", SIGNED, SAID), USER],
    "reasoning of Gemini": [USER, build_turn_with_state("gemini", THOUGHT, SAID), USER],
    "reasoning, empty": [
        USER,
        build_turn_with_state(
            "openai-chat", {"kind": "reasoning", "text": ""}, {**SAID, "text": "MARK"}, content="MARK"
        ),
        USER,
    ],
    "a vendor's own block": [
        USER,
        build_turn_with_state(
            "anthropic-messages", {"kind": "opaque", "state": {"type": "web_search_tool_result", "x": "MARK"}}, SAID
        ),
        USER,
    ],
    "a refusal": [USER, build_turn_with_state("openai-chat", {"kind": "refusal", "text": "MARK"}, content=""), USER],
    "a call without reasoning": [
        USER,
        build_assistant_turn(calls=[{**CALL, "arguments": {"a": "MARK"}}]),
        result("3"),
        USER,
    ],
    "arguments that are no JSON": [
        USER,
        build_assistant_turn(calls=[{**CALL, "arguments": "{MARK"}]),
        result("3"),
        USER,
    ],
    "an id with odd signs": [
        USER,
        build_assistant_turn(calls=[{**CALL, "id": "functions.look:0/ä" * 9}]),
        result("MARK", "functions.look:0/ä" * 9),
    ],
    "text after the result": [
        USER,
        build_assistant_turn(calls=[CALL]),
        result("3"),
        build_assistant_turn("MARK"),
        USER,
    ],
    "text and call in one turn": [USER, build_assistant_turn("MARK", calls=[CALL]), result("3")],
    "two results of one turn": [
        USER,
        build_assistant_turn(calls=[CALL, {**CALL, "id": "call_2"}]),
        result("3"),
        result("MARK", "call_2"),
    ],
    "an empty result": [USER, build_assistant_turn(calls=[{**CALL, "arguments": {"a": "MARK"}}]), result("")],
    "a failed result": [USER, build_assistant_turn(calls=[CALL]), result("MARK", is_error=True)],
    "an image in a result": [USER, build_assistant_turn(calls=[CALL]), result([TextPart(text="see"), IMAGE])],
    "an image alone in a result": [USER, build_assistant_turn(calls=[CALL]), result([IMAGE])],
    "an image by URL in a result": [USER, build_assistant_turn(calls=[CALL]), result([IMAGE_URL])],
    "a file in a result": [USER, build_assistant_turn(calls=[CALL]), result([TextPart(text="see"), FILE])],
    "a file by URL in a result": [USER, build_assistant_turn(calls=[CALL]), result([FILE_URL])],
    "audio in a result": [USER, build_assistant_turn(calls=[CALL]), result([TextPart(text="hear"), AUDIO])],
    "an image of the user": [Message(role="user", content=[TextPart(text="see"), IMAGE])],
    "an image by URL of the user": [Message(role="user", content=[TextPart(text="see"), IMAGE_URL])],
    "a file of the user": [Message(role="user", content=[TextPart(text="see"), FILE])],
    "audio of the user": [Message(role="user", content=[TextPart(text="hear"), AUDIO])],
    "the detail of an image": [
        Message(role="user", content=[ImagePart(data=PNG, media_type="image/png", detail="low"), TextPart(text="see")])
    ],
    "a user's name": [Message(role="user", content="Hello", name="MARK")],
    "an assistant's name": [USER, build_assistant_turn("Hi", name="MARK"), USER],
    "a system message first": [Message(role="system", content="MARK"), USER],
    "a developer message first": [Message(role="developer", content="MARK"), USER],
    "a system message in the middle": [USER, build_assistant_turn("Hi"), Message(role="system", content="MARK"), USER],
    "a system message last": [USER, Message(role="system", content="MARK")],
    "two user messages": [USER, Message(role="user", content="MARK")],
    "two assistant messages": [USER, build_assistant_turn("Hi"), build_assistant_turn("MARK"), USER],
    "an empty assistant message": [USER, build_assistant_turn(""), Message(role="user", content="MARK")],
    "an empty user message": [Message(role="user", content=""), build_assistant_turn("MARK"), USER],
    "empty texts among parts": [Message(role="user", content=[TextPart(text=""), TextPart(text="MARK")])],
    "the last message is the assistant's": [USER, build_assistant_turn("MARK")],
}
MODELS = {
    "google": ("gemini-3.5-flash", "gemini-2.0-flash", "gemma-3-27b-it"),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-8"),
    "bedrock": ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-2-lite-v1:0"),
    "replicate": ("meta/meta-llama-3-70b-instruct", "openai/gpt-5"),
    "cohere": ("command-a-reasoning-08-2025", "command-r-08-2024"),
}
GROUPS = group_alike()
SILENT = "DROPPED IN SILENCE"


def describe_cell(provider: str, model: str, feature: str) -> str:
    """What becomes of a feature: where it is sent, what is said of it, or who refuses it."""
    match outcome(replay.request(provider, FEATURES[feature], model=model, settings=SETTINGS)):
        case Failure(fault):
            assert type(fault).__name__ in ("UnsupportedParameter", "InvalidRequest"), fault
            refused = f"refused: {getattr(fault, 'parameter', '') or fault.message}"
            loose = outcome(
                replay.request(provider, FEATURES[feature], model=model, settings=SETTINGS, on_unsupported="adjust")
            )
            match loose:
                case Success(request):
                    assert request.adjustments
                    return f"{refused}; where adjusted: {_find_path(request.json()) or 'left out'}"
                case Failure():
                    return refused
        case Success(request):
            place = _find_path(request.json())
            said = [f"{one.parameter} {one.action}" for one in request.adjustments]
            if not said and not place:
                return SILENT
            if not said and feature == "the detail of an image" and "low" not in request.body.decode().lower():
                return SILENT
            return "; ".join([*([place] if place else []), *said])


def _find_path(body: Any) -> str:
    """The field of the body that has the feature."""
    return next(iter(dict.fromkeys(_list_paths(body))), "")


def _list_paths(value: Any, path: str = "") -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _list_paths(inner, f"{path}.{name}" if path else name)
        case list():
            for inner in value:
                yield from _list_paths(inner, f"{path}[]")
        case str() if any(mark in value for mark in MARKS):
            yield f"in {path}"
        case _:
            pass


def list_targets() -> list[tuple[str, str]]:
    """One provider of each group, with models that differ in what they accept."""
    return [
        (first.name, model) for first, *_ in GROUPS for model in MODELS.get(first.name, (first.default_model or "m",))
    ]


def render_page(feature: str) -> str:
    """The cells of one feature, each with the providers that have it."""
    found: dict[str, list[str]] = {}
    for provider, model in list_targets():
        name = f"{provider} ({model})" if provider in MODELS else provider
        found.setdefault(describe_cell(provider, model, feature), []).append(name)
    lines = [f"  {one}:\n      {', '.join(sorted(names))}" for one, names in sorted(found.items())]
    return "\n".join([feature, *lines])


def test_features_by_providers(snapshot: SnapshotAssertion) -> None:
    heads = [f"{first.name} stands for {', '.join(one.name for one in others)}" for first, *others in GROUPS if others]
    assert snapshot == "\n\n".join(["\n".join(heads), *map(render_page, FEATURES)])


@pytest.mark.parametrize("provider", [first.name for first, *_ in GROUPS])
def test_nothing_is_dropped_silently(provider: str) -> None:
    models = [model for name, model in list_targets() if name == provider]
    dropped = [
        (model, feature)
        for model in models
        for feature in FEATURES
        if describe_cell(provider, model, feature) == SILENT
    ]
    assert dropped == []


def test_every_provider_is_in_the_matrix() -> None:
    assert {name for name, _ in list_targets()} == {first.name for first, *_ in GROUPS}
    assert {one.name for group in GROUPS for one in group} == {spec.name for spec in CATALOGUE.chats}


def test_providers_of_one_group_are_sent_equal_bodies() -> None:
    for first, *others in GROUPS:
        for feature in FEATURES:
            found = {describe_cell(one.name, "m", feature).replace(one.title, first.title) for one in (first, *others)}
            assert len(found) == 1, (first.name, feature, found)


def test_reasoning_is_sent_or_named_as_left_out_and_not_both() -> None:
    for provider, model in list_targets():
        for feature in FEATURES:
            found = describe_cell(provider, model, feature)
            assert not (found.startswith("in ") and "messages.reasoning" in found), (provider, feature, found)
