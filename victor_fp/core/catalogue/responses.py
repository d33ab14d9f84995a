"""Vendors that speak OpenAI Responses beside Chat Completions: the same places, keys and models, another dialect."""

from __future__ import annotations

import msgspec

from victor_fp.core.catalogue.chat_clouds import OPENROUTER
from victor_fp.core.catalogue.chat_labs import DEEPSEEK, GROK_MODELS, XAI
from victor_fp.core.catalogue.chat_local import LLAMACPP
from victor_fp.core.catalogue.chat_openai import AZURE, OPENAI, OPENAI_MODELS
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.responses import CODES, KEPT, NOT_IN_THIS_API, ResponsesDialect
from victor_fp.core.faults import InvalidRequest

_NAMELESS = NOT_IN_THIS_API | {"name"}
_WITHOUT_AUDIO = Supports(images=True, files=True, reasoning=True, json_schema=True)


def _derive_responses_entry(
    chat: ProviderSpec,
    dialect: ResponsesDialect,
    *,
    source: str,
    supports: Supports | None = None,
    base_url: str | None = None,
) -> ProviderSpec:
    """The entry of a vendor's second protocol, whose key is stored under the first one's name."""
    return msgspec.structs.replace(
        chat,
        name=f"{chat.name}-responses",
        title=f"{chat.title} Responses",
        aliases=(),
        dialect=dialect,
        base_url=base_url or chat.base_url,
        key_name=chat.key_name or chat.name,
        limits_name=chat.limits_name or chat.name,
        supports=supports or chat.supports,
        source=source,
    )


OPENAI_RESPONSES = _derive_responses_entry(
    OPENAI,
    # `user` is the older form of what is now safety_identifier.
    ResponsesDialect(models=OPENAI_MODELS, spelling={"user": "safety_identifier"}),
    supports=_WITHOUT_AUDIO,
    source="https://platform.openai.com/docs/api-reference/responses",
)

AZURE_RESPONSES = _derive_responses_entry(
    AZURE,
    # Its v1 document has no service_tier.
    ResponsesDialect(refuses=_NAMELESS | {"service_tier"}, models=OPENAI_MODELS, deployment_urls=True),
    supports=_WITHOUT_AUDIO,
    source="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses",
)

XAI_RESPONSES = _derive_responses_entry(
    XAI,
    ResponsesDialect(
        # https://docs.x.ai/developers/rest-api-reference: service_tier is taken and ignored, results are text.
        refuses=_NAMELESS | {"service_tier", "result_parts", "background"},
        models=GROK_MODELS,
        least_tokens=1,
        logprobs_as="switch",
        strict_schemas=False,
        encrypted_reasoning="always",
        developer_role="system",
        call_id_limit=None,
        # A bad key and a bad model share this code (seen with 400); the prose behind it decides.
        codes={**CODES, "invalid-argument": InvalidRequest},
        # Seen: x_search is told as custom_tool_call items named x_keyword_search, view_x_video and so on.
        has_own_custom_calls=True,
    ),
    source="https://docs.x.ai/docs/guides/chat",
)

OPENROUTER_RESPONSES = _derive_responses_entry(
    OPENROUTER,
    ResponsesDialect(
        # Its document has the other options of chats; `reasoning.max_tokens` is the budget.
        refuses=frozenset({"seed", "stop", "name"}) | KEPT,
        least_tokens=1,
        logprobs_as="count",  # its `include` has no word for them
        # It keeps nothing in any case, and leaves out by itself what a model does not have.
        stateless=False,
        encrypted_reasoning="always",
        reasoning_back="any",
        cache_marks="breakpoint",
    ),
    source="https://openrouter.ai/docs/api/api-reference/responses/create-responses",
)

DEEPSEEK_RESPONSES = _derive_responses_entry(
    DEEPSEEK,
    ResponsesDialect(
        refuses=_NAMELESS | {"parallel_tool_calls", "service_tier", "user", "logprobs", "result_parts"} | KEPT,
        efforts=("none", "low", "medium", "high", "max"),
        least_tokens=1,
        strict_schemas=False,
        encrypted_reasoning="never",
        developer_role="system",
        refusals=False,
        # As in its chats: an empty result is refused, and the thinking before calls is wanted back, which is plain text.
        empty_result="(no output)",
        reasoning_back="plain",
        call_id_limit=None,
    ),
    base_url="https://api.deepseek.com",
    source="https://api-docs.deepseek.com, and what was recorded",
)

LLAMACPP_RESPONSES = _derive_responses_entry(
    LLAMACPP,
    ResponsesDialect(
        think_tags=True,  # with --reasoning-format none
        # It makes a chat of the request: options of chats pass through, those of responses are lost (as tried).
        refuses=frozenset(
            {
                "user",
                "service_tier",
                "reasoning_budget",
                "reasoning_effort",
                "logprobs",
                "name",
                "result_parts",
                "tool_choice:named",
            }
        )
        | KEPT,
        least_tokens=1,
        format_as="response_format",
        strict_schemas=False,
        stateless=False,
        encrypted_reasoning="never",
        developer_role="system",
        refusals=False,
        given_text="parts",  # older versions take a plain text for the user's
        reasoning_back="plain",
        call_id_limit=None,
        has_server_props=True,
    ),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    source="tools/server/README.md of ggml-org/llama.cpp",
)

RESPONSES: tuple[ProviderSpec, ...] = (
    OPENAI_RESPONSES,
    AZURE_RESPONSES,
    XAI_RESPONSES,
    OPENROUTER_RESPONSES,
    DEEPSEEK_RESPONSES,
    LLAMACPP_RESPONSES,
)
