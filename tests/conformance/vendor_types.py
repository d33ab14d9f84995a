"""Which SDK's own request type each provider's requests are checked against."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, TypeAlias

import msgspec

from tests.conformance import request_types
from tests.conformance.schema_checking import Mismatch
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.requests import HttpRequest

Body: TypeAlias = Mapping[str, Any]
Complain: TypeAlias = "Callable[[HttpRequest, str, bool], list[Mismatch]]"
"""What is wrong with a request; given are also the model, and whether it asks for a stream."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An SDK's type for a request."""

    package: str
    """As PyPI has it."""
    module: str
    """Found where the package is installed."""
    complain: Complain


def _get_body(request: HttpRequest) -> dict[str, Any]:
    value = request.json()
    assert isinstance(value, dict)
    return value


def _check_type(
    module: str, whole: str, streamed: str, request: HttpRequest, model: str, stream: bool
) -> list[Mismatch]:
    kind = getattr(importlib.import_module(module), streamed if stream else whole)
    return request_types.find_mismatches(_get_body(request), kind)


def _build_held(package: str, module: str, whole: str, streamed: str | None = None) -> Held:
    return Held(package=package, module=module, complain=partial(_check_type, module, whole, streamed or whole))


def _check_cohere(request: HttpRequest, model: str, stream: bool) -> list[Mismatch]:
    from cohere.v2.client import V2Client

    function = V2Client.chat_stream if stream else V2Client.chat
    body = {name: item for name, item in _get_body(request).items() if name != "stream"}
    return request_types.find_argument_mismatches(body, function, without=("request_options",))


def _check_google(request: HttpRequest, model: str, stream: bool) -> list[Mismatch]:
    return request_types.find_field_mismatches(_get_body(request), _list_gemini_fields())


@cache
def _list_gemini_fields() -> request_types.Fields:
    """The SDK builds the body from these, whose fields have the wire's names."""
    from google.genai import types

    return {
        "contents": (list[types.Content], True),
        "systemInstruction": (types.Content, False),
        "tools": (list[types.Tool], False),
        "toolConfig": (types.ToolConfig, False),
        "safetySettings": (list[types.SafetySetting], False),
        "generationConfig": (types.GenerationConfig, False),
        "cachedContent": (str, False),
        "serviceTier": (types.ServiceTier, False),
    }


@cache
def _converse(operation: str) -> Any:
    from botocore.session import Session

    return Session().get_service_model("bedrock-runtime").operation_model(operation).input_shape


def _check_bedrock(request: HttpRequest, model: str, stream: bool) -> list[Mismatch]:
    """AWS's client refuses what its service model does not know by itself."""
    from botocore.validate import ParamValidator

    shape = _converse("ConverseStream" if stream else "Converse")
    report: str = ParamValidator().validate({**_get_body(request), "modelId": model}, shape).generate_report()
    return [Mismatch("$", line) for line in report.splitlines()]


OPENAI = _build_held(
    "openai",
    "openai.types.chat.completion_create_params",
    "CompletionCreateParamsNonStreaming",
    "CompletionCreateParamsStreaming",
)
OPENAI_RESPONSES = _build_held(
    "openai",
    "openai.types.responses.response_create_params",
    "ResponseCreateParamsNonStreaming",
    "ResponseCreateParamsStreaming",
)
ANTHROPIC = _build_held(
    "anthropic",
    "anthropic.types.message_create_params",
    "MessageCreateParamsNonStreaming",
    "MessageCreateParamsStreaming",
)
GOOGLE = Held(package="google-genai", module="google.genai", complain=_check_google)
INTERACTIONS = _build_held("google-genai", "google.genai._gaos.types.interactions", "CreateModelInteractionParam")

OF_PROVIDER: Mapping[str, Held] = {
    "groq": _build_held("groq", "groq.types.chat.completion_create_params", "CompletionCreateParams"),
    "cerebras": _build_held(
        "cerebras-cloud-sdk", "cerebras.cloud.sdk.types.chat.completion_create_params", "CompletionCreateParams"
    ),
    "mistral": _build_held(
        "mistralai", "mistralai.client.models", "ChatCompletionRequest", "ChatCompletionStreamRequest"
    ),
    "openrouter": _build_held("openrouter", "openrouter.components", "ChatRequest"),
    "openrouter-responses": _build_held("openrouter", "openrouter.components", "ResponsesRequest"),
    "ollama": _build_held("ollama", "ollama._types", "ChatRequest"),
    "cohere": Held(package="cohere", module="cohere", complain=_check_cohere),
    "bedrock": Held(package="botocore", module="botocore", complain=_check_bedrock),
}
OF_PROTOCOL: Mapping[str, Held] = {
    "openai-chat": OPENAI,
    "openai-responses": OPENAI_RESPONSES,
    "anthropic-messages": ANTHROPIC,
    "gemini": GOOGLE,
    "gemini-interactions": INTERACTIONS,
}
"""The first speaker's SDK, for places that have none of their own here."""


def find_held(spec: ProviderSpec) -> Held | None:
    """The type for a provider's requests; None where no SDK has one."""
    return OF_PROVIDER.get(spec.name) or OF_PROTOCOL.get(spec.dialect.protocol)
