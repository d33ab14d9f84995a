"""Requests as plain values."""

from __future__ import annotations

from tests.core.protocols.request_builder import HI, WEATHER, RequestBuilder

__all__ = ["HI", "WEATHER"]

SONNET, OLD, NEW = (
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "global.anthropic.claude-opus-4-8-v1:0",
)
NOVA, NOVA_2, LLAMA, GPT_OSS, MINIMAX = (
    "amazon.nova-lite-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "meta.llama3-70b-instruct-v1:0",
    "openai.gpt-oss-120b-1:0",
    "minimax.minimax-m2",
)
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
REGION = {"region": "eu-west-1"}

BUILDER = RequestBuilder("bedrock", SONNET, {"settings": REGION})
request = BUILDER.request
build_body = BUILDER.build_body
build_turns = BUILDER.build_turns
get_fault = BUILDER.get_fault
get_unsupported_parameter = BUILDER.get_unsupported_parameter
build_body_and_adjustments = BUILDER.build_body_and_adjustments
build_adjusted_body = BUILDER.build_adjusted_body
