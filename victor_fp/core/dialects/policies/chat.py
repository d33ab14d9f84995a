"""Parameters of models on Chat Completions and Responses, by vendor and model pattern; the first match applies."""

from __future__ import annotations

from victor_fp.core.dialects.chat import ModelPolicy

# https://platform.openai.com/docs/guides/reasoning, "limitations" and the API reference's notes on single parameters.
SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs"})
O_SERIES = frozenset({*SAMPLING, "parallel_tool_calls"})
CLASSIC = frozenset({"reasoning_effort"})

OPENAI_MODELS = (
    ModelPolicy(
        pattern="o[34]*",
        tokens_field="max_completion_tokens",
        refuses=O_SERIES | {"stop"},
        efforts=("low", "medium", "high"),
    ),
    ModelPolicy(
        pattern="o1*", tokens_field="max_completion_tokens", refuses=O_SERIES, efforts=("low", "medium", "high")
    ),
    ModelPolicy(pattern="gpt-5-chat*", tokens_field="max_completion_tokens", refuses=CLASSIC, reasons=False),
    ModelPolicy(
        pattern="*-search-*", tokens_field="max_completion_tokens", refuses=CLASSIC | SAMPLING | {"seed", "stop"}
    ),
    # From 5.1 on, effort "none" lifts the limits on sampling.
    ModelPolicy(
        pattern="gpt-5.1*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high"),
    ),
    # Breakpoints came with 5.6: `prompt_cache_options` of the API reference.
    ModelPolicy(
        pattern="gpt-5.[6-9]*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high", "xhigh", "max"),
        cache_marks="breakpoint",
    ),
    ModelPolicy(
        pattern="gpt-5.*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high", "xhigh"),
    ),
    ModelPolicy(
        pattern="gpt-5*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        efforts=("minimal", "low", "medium", "high"),
    ),
    ModelPolicy(
        pattern="gpt-[6-9]*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        reasons=True,
        cache_marks="breakpoint",
    ),
    *(
        ModelPolicy(pattern=pattern, refuses=CLASSIC, reasons=False)
        for pattern in ("gpt-4*", "gpt-3*", "chatgpt-*", "ft:gpt-[34]*")
    ),
)

_GROK_THINKING = frozenset({"presence_penalty", "frequency_penalty", "stop"})
GROK_EFFORTS = ("none", "low", "medium", "high", "xhigh")
"""The values of reasoning_effort; models accept some of them. From xAI's SDK."""
GROK_TIERS = ("default", "priority")
"""https://docs.x.ai/developers/advanced-api-usage/priority-processing: in Chat Completions and Responses."""
# https://docs.x.ai/docs/guides/reasoning: parameters rejected by reasoning models, and models that accept an effort.
GROK_MODELS = (
    ModelPolicy(pattern="*non-reasoning*", refuses=frozenset({"reasoning_effort"}), reasons=False),
    ModelPolicy(pattern="grok-3-mini*", refuses=_GROK_THINKING, efforts=("low", "high")),
    ModelPolicy(pattern="grok-[23]*", refuses=frozenset({"reasoning_effort"}), reasons=False),
    ModelPolicy(pattern="grok-4", refuses=_GROK_THINKING | {"reasoning_effort"}, reasons=True),
    ModelPolicy(pattern="grok-4-*", refuses=_GROK_THINKING | {"reasoning_effort"}, reasons=True),
    ModelPolicy(pattern="grok-code*", refuses=_GROK_THINKING | {"reasoning_effort"}, reasons=True),
    ModelPolicy(pattern="grok-4.3*", refuses=_GROK_THINKING, efforts=("none", "low", "medium", "high")),
    ModelPolicy(pattern="grok-4.5*", refuses=_GROK_THINKING, efforts=("low", "medium", "high")),
    ModelPolicy(pattern="grok-4.*", refuses=_GROK_THINKING, reasons=True),
)

_KIMI_FIXED = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})
# https://platform.kimi.ai/docs: the sampling parameters of these models are fixed.
KIMI_MODELS = (
    ModelPolicy(
        pattern="kimi-k[3-9]*",
        refuses=_KIMI_FIXED,
        efforts=("low", "high", "max"),
        effort_form="reasoning_effort",
    ),
    # https://platform.kimi.ai/docs/openapi.json: thinking cannot be disabled.
    ModelPolicy(pattern="kimi-k2.7-code*", refuses=_KIMI_FIXED, efforts=("high",)),
    ModelPolicy(pattern="kimi-k2.*", refuses=_KIMI_FIXED, efforts=("none", "high")),
    ModelPolicy(pattern="*", refuses=frozenset({"reasoning_effort"})),
)

# https://console.groq.com/docs/reasoning
GROQ_MODELS = (
    ModelPolicy(pattern="openai/gpt-oss*", efforts=("low", "medium", "high")),
    ModelPolicy(pattern="qwen/*", efforts=("none", "high"), effort_values={"high": "default"}),
    ModelPolicy(pattern="*", refuses=frozenset({"reasoning_effort"})),
)
