"""What many entries share: dialects of servers that follow another vendor's protocol, and how certain their facts are."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue.spec import Auth
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.responses import UNSUPPORTED_OPTIONS, ResponsesDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS
from victor_fp.core.models.claude import CLAUDE_MODELS, ClaudePolicy

READ = "2026-11-29"
"""When the sources of most entries were read."""
FIRST_READ = "2026-11-22"
"""When those of the first entries were read."""
LITELLM = "https://github.com/BerriAI/litellm"
ANY_LLM = "https://github.com/mozilla-ai/any-llm"
MODELS_DEV = "https://github.com/anomalyco/models.dev"
LITELLM_MODELS = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
PYDANTIC_AI = "https://github.com/pydantic/pydantic-ai"

PLAIN = ChatDialect(developer_role="system", refusals=False, schemas=ANY_SCHEMAS)
"""Chat Completions without what only OpenAI itself has."""
OPEN = replace(PLAIN, think_tags=True)
"""The same in front of open models, some of which think inside the text."""
SWITCH = replace(OPEN, effort_form="thinking", efforts=("none", "high"), request_model="deepseek")
"""`thinking` is a switch."""
ENABLE = replace(OPEN, effort_form="enable_thinking", efforts=("none", "high"), request_model="qwen")
"""`enable_thinking` is a boolean."""
REASONING_OBJECT = replace(OPEN, effort_form="reasoning", request_model="openrouter")
"""`reasoning` is OpenRouter's object."""
TEMPLATE = replace(OPEN, effort_form="chat_template_kwargs", efforts=("none", "high"), request_model="vllm")
"""Thinking is an argument of the chat template."""

RESPONSES = ResponsesDialect(
    refuses=UNSUPPORTED_OPTIONS | {"name", "audio"},
    min_output_tokens=1,
    schemas=ANY_SCHEMAS,
    encrypted_reasoning="never",
    developer_role="system",
    refusals=False,
    reasoning_replay="any",
    call_id_limit=None,
)
"""Responses without what only OpenAI itself has."""

MESSAGES = AnthropicDialect(counts_tokens=False, lists_models=False)
"""Anthropic Messages in front of Claude and other models."""
OPEN_MESSAGES = AnthropicDialect(
    models=(*CLAUDE_MODELS[:-1], ClaudePolicy(pattern="*", structured=False)),
    unsigned_thinking=True,
    counts_tokens=False,
    lists_models=False,
)
"""Anthropic Messages in front of other vendors' models, whose thinking has no signature."""
GEMINI = GeminiDialect(lists_models=False)
"""Gemini's protocol in front of its models, without a list of them."""
MESSAGES_AUTH = Auth(second_header="x-api-key")
"""Servers of this protocol read the key from one header or the other."""
MESSAGES_HEADERS = {"anthropic-version": "2023-06-01"}
