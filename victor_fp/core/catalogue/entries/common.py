"""Values shared by many entries: dialects of servers that implement another vendor's protocol, and dates of sources."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue.spec import Auth
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.policies.claude import CLAUDE_MODELS, ClaudePolicy
from victor_fp.core.dialects.responses import UNSUPPORTED_OPTIONS, ResponsesDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS

READ = "2026-11-29"
"""Date on which the sources of most entries were read."""
FIRST_READ = "2026-11-22"
"""Date on which the sources of the first entries were read."""
LITELLM = "https://github.com/BerriAI/litellm"
ANY_LLM = "https://github.com/mozilla-ai/any-llm"
MODELS_DEV = "https://github.com/anomalyco/models.dev"
LITELLM_MODELS = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
PYDANTIC_AI = "https://github.com/pydantic/pydantic-ai"

PLAIN = ChatDialect(developer_role="system", refusals=False, schemas=ANY_SCHEMAS)
"""Chat Completions without features that only OpenAI has."""
OPEN = replace(PLAIN, think_tags=True)
"""Chat Completions for open models, some of which write their reasoning into the text."""
SWITCH = replace(OPEN, effort_form="thinking", efforts=("none", "high"), request_model="deepseek")
"""Reasoning is switched by the object `thinking`."""
ENABLE = replace(OPEN, effort_form="enable_thinking", efforts=("none", "high"), request_model="qwen")
"""Reasoning is switched by the boolean `enable_thinking`."""
REASONING_OBJECT = replace(OPEN, effort_form="reasoning", request_model="openrouter")
"""Reasoning is configured by OpenRouter's object `reasoning`."""
TEMPLATE = replace(OPEN, effort_form="chat_template_kwargs", efforts=("none", "high"), request_model="vllm")
"""Reasoning is switched by an argument of the chat template."""

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
"""Responses without features that only OpenAI has."""

MESSAGES = AnthropicDialect(counts_tokens=False, lists_models=False)
"""Anthropic Messages for Claude and other models."""
OPEN_MESSAGES = AnthropicDialect(
    models=(*CLAUDE_MODELS[:-1], ClaudePolicy(pattern="*", structured=False)),
    unsigned_thinking=True,
    counts_tokens=False,
    lists_models=False,
)
"""Anthropic Messages for other vendors' models, whose reasoning has no signature."""
GEMINI = GeminiDialect(lists_models=False)
"""Gemini's protocol, without a list of models."""
MESSAGES_AUTH = Auth(second_header="x-api-key")
"""Servers of this protocol read the key from one header or the other."""
MESSAGES_HEADERS = {"anthropic-version": "2023-06-01"}
