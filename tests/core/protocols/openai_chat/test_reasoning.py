"""Effort, budget and the limits of reasoning models, by model and in the vendor's fields."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.acme import HI
from tests.core.protocols.openai_chat.requests import build_body, build_extra_fields, get_adjustments, get_refusal
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.chat import ChatDialect

PLACE: dict[str, Any] = {"settings": {"endpoint": "https://mine.openai.azure.com"}}
REFUSED: dict[str, Any] = {
    "temperature": 0.2,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": 3,
}


@pytest.mark.parametrize(
    "model", ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5.2", "GPT-5.6-sol", "gpt-6"]
)
@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_reasoning_models_accept_max_completion_tokens_and_no_sampling(provider: str, model: str) -> None:
    body = build_body(provider, model=model, **PLACE)
    assert body["max_completion_tokens"] == 4096
    assert "max_tokens" not in body
    assert "temperature" not in body
    for option, value in REFUSED.items():
        given = {option: value}
        assert get_refusal(provider, model=model, **given, **PLACE) == ("UnsupportedParameter", option)
        assert get_adjustments(provider, model=model, **given, **PLACE) == {option: "dropped"}


def test_effort_none_allows_sampling_if_the_model_supports_it() -> None:
    assert build_body("openai", model="gpt-5.1", reasoning_effort="none")["temperature"] == 0.7
    assert build_body("openai", model="gpt-5.1", reasoning_effort="none", top_p=0.5)["top_p"] == 0.5
    assert get_refusal("openai", model="gpt-5.1", reasoning_effort="low", top_p=0.5) == (
        "UnsupportedParameter",
        "top_p",
    )
    assert get_refusal("openai", model="gpt-5", reasoning_effort="none", top_p=0.5)[0] == "UnsupportedParameter"


def test_chat_models_among_reasoning_models_keep_their_sampling() -> None:
    assert build_body("openai", model="gpt-5-chat-latest", temperature=0.1)["temperature"] == 0.1


@pytest.mark.parametrize(
    ("provider", "model", "effort", "fields"),
    [
        ("openai", "gpt-5", "minimal", {"reasoning_effort": "minimal"}),
        ("openrouter", "m", "high", {"reasoning": {"effort": "high"}}),
        ("zai", "glm-4.7", "none", {"thinking": {"type": "disabled"}}),
        ("zai", "glm-5.3", "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("deepseek", "deepseek-v4-flash", "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ("qwen", "qwen3-max", "none", {"enable_thinking": False}),
        ("qwen", "qwen3-max", "high", {"enable_thinking": True}),
        ("moonshot", "kimi-k2.5", "none", {"thinking": {"type": "disabled"}}),
        ("moonshot", "kimi-k3", "max", {"reasoning_effort": "max"}),
        ("groq", "openai/gpt-oss-120b", "low", {"reasoning_effort": "low"}),
        ("groq", "qwen/qwen3-32b", "high", {"reasoning_effort": "default"}),
        ("nvidia", "m", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("friendli", "m", "high", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("baseten", "m", "high", {"chat_template_args": {"enable_thinking": True}}),
        ("regolo-ai", "m", "none", {"thinking": False}),
        ("regolo-ai", "m", "low", {"thinking": True, "reasoning_effort": "low"}),
        ("inception", "m", "minimal", {"reasoning_effort": "instant"}),
        ("sarvam", "m", "high", {"reasoning_effort": "high"}),
        ("siliconflow", "m", "none", {"enable_thinking": False}),
        ("vercel", "m", "high", {"reasoning": {"effort": "high"}}),
        ("tencent-tokenhub", "m", "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
    ],
)
def test_effort_is_sent_in_the_vendor_field(provider: str, model: str, effort: str, fields: dict[str, Any]) -> None:
    assert build_extra_fields(provider, model=model, reasoning_effort=effort) == fields


@pytest.mark.parametrize(
    ("provider", "model", "effort", "sent_as"),
    [
        ("openai", "o3", "xhigh", "high"),
        ("openai", "gpt-5", "none", "minimal"),
        ("xai", "grok-3-mini", "medium", "low"),
        ("xai", "grok-4.3", "xhigh", "high"),
        ("xai", "grok-4.5", "none", "low"),
        ("xai", "grok-4.6", "max", "xhigh"),
    ],
)
def test_an_effort_that_the_model_does_not_know_is_refused_or_becomes_the_nearest(
    provider: str, model: str, effort: str, sent_as: str
) -> None:
    assert get_refusal(provider, model=model, reasoning_effort=effort) == ("UnsupportedParameter", "reasoning_effort")
    assert get_adjustments(provider, model=model, reasoning_effort=effort) == {"reasoning_effort": "changed"}
    assert (
        build_body(provider, model=model, reasoning_effort=effort, on_unsupported="adjust")["reasoning_effort"]
        == sent_as
    )


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-4o"), ("groq", "llama-3.3-70b-versatile"), ("xai", "grok-4"), ("mlx", "m")]
)
def test_effort_is_rejected_for_models_without_reasoning(provider: str, model: str) -> None:
    assert get_refusal(provider, model=model, reasoning_effort="low") == ("UnsupportedParameter", "reasoning_effort")


def test_budgets() -> None:
    assert build_extra_fields("openrouter", reasoning_budget=2000) == {"reasoning": {"max_tokens": 2000}}
    assert build_extra_fields("fireworks", reasoning_budget=2000) == {
        "thinking": {"type": "enabled", "budget_tokens": 2000}
    }
    assert build_extra_fields("siliconflow", reasoning_budget=200) == {"enable_thinking": True, "thinking_budget": 200}
    assert build_extra_fields("qiniu-ai", reasoning_budget=2000) == {
        "thinking": {"type": "enabled", "budget_tokens": 2000}
    }
    assert build_extra_fields("vercel", reasoning_budget=2000) == {"reasoning": {"max_tokens": 2000}}
    assert build_extra_fields("qwen", reasoning_budget=2000) == {"enable_thinking": True, "thinking_budget": 2000}
    assert get_refusal("openai", reasoning_budget=2000) == ("UnsupportedParameter", "reasoning_budget")
    assert get_adjustments("openrouter", reasoning_budget=2000, reasoning_effort="low") == {
        "reasoning_effort": "dropped"
    }


def test_an_effort_may_be_null() -> None:
    body = build_body("sarvam", reasoning_effort="none")
    assert "reasoning_effort" in body
    assert body["reasoning_effort"] is None


def test_the_template_switch_is_named_by_the_dialect() -> None:
    spec = CATALOGUE.find("nvidia").unwrap()
    assert isinstance(spec.dialect, ChatDialect)
    named = msgspec.structs.replace(spec, dialect=msgspec.structs.replace(spec.dialect, template_switch="thinking"))
    request = replay.request("nvidia", HI, model="m", reasoning_effort="high", catalogue=CATALOGUE.with_entry(named))
    body = request.unwrap().json()
    assert isinstance(body, dict)
    assert body["chat_template_kwargs"] == {"thinking": True}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "reasoning", "text": "Hm"},
        {"type": "thinking", "thinking": "Hm"},
    ],
)
def test_reasoning_in_a_part_of_the_content_is_not_text(part: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": [part, {"type": "text", "text": "Yes."}]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    settings = {"host": "h.test"}
    whole = replay.response("databricks", 200, {}, json.dumps(body).encode(), settings=settings).unwrap()
    chunk = {"id": "c", "choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}
    *_, last = replay.stream("databricks", 200, {}, [f"data: {json.dumps(chunk)}\n\n".encode()], settings=settings)
    for response in (whole, last.unwrap().response):
        assert response is not None
        assert (response.content, (response.metadata or {})["reasoning_content"]) == ("Yes.", "Hm")
