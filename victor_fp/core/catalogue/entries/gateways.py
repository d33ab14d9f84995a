"""Gateways: one key and one address for many vendors' models."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.spec import ProviderSpec, Setting, Supports, derive_entry
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import KEPT, ResponsesDialect

OPENROUTER = ProviderSpec(
    name="openrouter",
    title="OpenRouter",
    dialect=ChatDialect(
        request_model="openrouter",
        # It leaves out by itself what a model does not take, and takes files by address.
        refuses=frozenset(),
        effort_form="reasoning",
        budget_form="reasoning",
        # https://openrouter.ai/docs/use-cases/reasoning-tokens: details are to be passed back unmodified.
        reasoning_back="reasoning_details",
        result_parts=frozenset({"image", "audio", "file"}),  # its document: ChatToolMessage
        cache_marks="cache_control",
    ),
    embeddings=embeddings.OPENROUTER,
    reranking=reranking.OPENROUTER,
    base_url="https://openrouter.ai/api/v1",
    key_variables=("OPENROUTER_API_KEY",),
    settings=(
        Setting(name="site_url", variables=("OPENROUTER_SITE_URL",), header="http-referer"),
        Setting(name="app_name", variables=("OPENROUTER_APP_NAME",), header="x-title"),
    ),
    supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
    default_model="openrouter/auto",
    open_models=True,
    context_window=128_000,
    source="https://openrouter.ai/docs/api-reference/chat-completion",
)

OPENROUTER_RESPONSES = derive_entry(
    OPENROUTER,
    "responses",
    ResponsesDialect(
        request_model="openrouter",
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

ENTRIES: tuple[ProviderSpec, ...] = (
    OPENROUTER,
    OPENROUTER_RESPONSES,
)
