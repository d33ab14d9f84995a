"""Requests are checked against the service model that AWS's client validates with: unknown fields are errors there."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.core.protocols.bedrock_converse.answers import (
    answer,
    build_cited_text,
    build_code_blocks,
    build_redacted_thought,
    build_text,
    build_thought,
    call,
    read_completion,
)
from tests.core.protocols.bedrock_converse.requests import (
    GPT_OSS,
    HI,
    LLAMA,
    NEW,
    NOVA,
    NOVA_2,
    SONNET,
    WEATHER,
    request,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

pytest.importorskip("botocore", reason="the extra `bedrock` is not installed")


@cache
def converse() -> Any:
    from botocore.session import Session

    return Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def report_violations(body: Any, model: str) -> str:
    from botocore.validate import ParamValidator

    found: str = ParamValidator().validate({**body, "modelId": model}, converse()).generate_report()
    return found


ANSWERED = read_completion(
    answer(
        build_thought("Hm.", "Sig=="),
        build_redacted_thought("RW5j"),
        *build_code_blocks("1 + 1", "2"),
        build_cited_text(
            "Blue.", {"title": "T", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}
        ),
        build_text("Well."),
        call("tooluse_1", "weather", city="Rome"),
        call("tooluse_2", "weather", city="Oslo"),
        stop="tool_use",
    )
).to_message()
PARTS: list[Part] = [
    TextPart(text="Look"),
    ImagePart(data=b"png", media_type="image/png"),
    FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
    FilePart(url="s3://bucket/talk.mp4"),
    AudioPart(data=b"snd", media_type="audio/mpeg"),
]
CONVERSATIONS: dict[str, list[Message]] = {
    "plain": [HI],
    "instructions": [Message(role="system", content="Be brief.", cache=True), HI],
    "parts": [Message(role="user", content=PARTS, cache=True)],
    "tools": [
        HI,
        ANSWERED,
        Message(role="tool", tool_call_id="tooluse_1", content="sunny", cache=True),
        Message(role="tool", tool_call_id="tooluse_2", content=[], is_error=True),
        Message(role="assistant", content="Fine."),
        Message(role="system", content="In French."),
        HI,
    ],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "sampling": {"top_p": 0.3, "top_k": 5, "stop": ["END"], "service_tier": "flex"},
    "effort": {"reasoning_effort": "high"},
    "budget": {"reasoning_budget": 2000},
    "schema": {"response_format": {"title": "A", "type": "object", "properties": {"a": {"type": "string"}}}},
    "tools": {"tools": [WEATHER.model_copy(update={"cache": True, "strict": True})], "tool_choice": "required"},
    "one named tool at a time": {
        "tools": [WEATHER],
        "tool_choice": {"name": "weather"},
        "parallel_tool_calls": False,
    },
    "no calls": {"tools": [WEATHER], "tool_choice": "none"},
}


@pytest.mark.parametrize("model", [SONNET, NEW, NOVA, NOVA_2, LLAMA, GPT_OSS])
@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("options", OPTIONS)
def test_a_request_is_one_that_the_vendors_client_would_send(conversation: str, options: str, model: str) -> None:
    built = request(CONVERSATIONS[conversation], model=model, on_unsupported="adjust", **OPTIONS[options])
    assert report_violations(built.json(), model) == ""


def test_a_field_that_the_vendor_does_not_know_would_be_noticed() -> None:
    assert "surprise" in report_violations(request(extra_body={"surprise": 1}).json(), SONNET)
