"""Limits of models as data, by provider: changed by `victor models --refresh` or by hand.

Patterns are globs in lower case, and the first that matches counts. What was asked of a provider has the date of that.
"""

# fmt: off
from __future__ import annotations

from typing import TypeAlias

Row: TypeAlias = tuple[str, int, int | None, str, str]
"""Pattern, context window and longest answer in tokens, source, date."""

MODEL_LIMITS: dict[str, tuple[Row, ...]] = {
    "anthropic": (
        ("claude-3-haiku*", 200_000, 4_096, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("claude-3-opus*", 200_000, 4_096, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("claude-3-5-*", 200_000, 8_192, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("claude-3-7-*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("claude-haiku-4-5*", 200_000, 64_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-opus-4-5*", 200_000, 64_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-opus-4-1*", 200_000, 32_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-sonnet-4-5*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("claude-opus-4-6*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-opus-4-7*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-opus-4-8*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-sonnet-4-6*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-opus-4*", 200_000, 32_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("claude-sonnet-4*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("claude-opus-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("claude-sonnet-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("claude-fable-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("claude-mythos-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
    ),
    "bedrock": (
        ("*anthropic.claude-3-haiku*", 200_000, 4_096, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("*anthropic.claude-3-opus*", 200_000, 4_096, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("*anthropic.claude-3-5-*", 200_000, 8_192, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("*anthropic.claude-3-7-*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/model-deprecations", ""),
        ("*anthropic.claude-haiku-4-5*", 200_000, 64_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-opus-4-5*", 200_000, 64_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-opus-4-1*", 200_000, 32_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-sonnet-4-5*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*anthropic.claude-opus-4-6*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-opus-4-7*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-opus-4-8*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-sonnet-4-6*", 1_000_000, 128_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-opus-4*", 200_000, 32_000, "GET https://api.anthropic.com/v1/models, as recorded in 2026", ""),
        ("*anthropic.claude-sonnet-4*", 200_000, 64_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*anthropic.claude-opus-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*anthropic.claude-sonnet-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*anthropic.claude-fable-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*anthropic.claude-mythos-5*", 1_000_000, 128_000, "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026", ""),
        ("*amazon.nova-2-lite*", 1_000_000, 64_000, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*amazon.nova-premier*", 1_000_000, 10_000, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*amazon.nova-micro*", 128_000, 10_000, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*amazon.nova-*", 300_000, 10_000, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*meta.llama3-8b*", 8_000, None, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*meta.llama3-70b*", 8_000, None, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*meta.llama3*", 128_000, None, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*openai.gpt-oss*", 128_000, None, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
        ("*deepseek.*", 128_000, None, "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026", ""),
    ),
    "cohere": (
        ("command-a-reasoning*", 256_000, 32_000, "https://docs.cohere.com/docs/models", ""),
        ("command-a-03-2025", 256_000, 8_000, "https://docs.cohere.com/docs/models", ""),
        ("command-a-vision*", 128_000, 8_000, "https://docs.cohere.com/docs/models", ""),
        ("command-a-translate*", 8_000, 8_000, "https://docs.cohere.com/docs/models", ""),
        ("command-a-*", 128_000, None, "https://docs.cohere.com/docs/models", ""),
        ("command-r*", 128_000, 4_096, "https://docs.cohere.com/docs/models", ""),
    ),
    "deepseek": (
        ("deepseek-v4*", 1_000_000, None, "https://api-docs.deepseek.com", ""),
        ("deepseek-*", 128_000, None, "https://api-docs.deepseek.com", ""),
    ),
    "google": (
        ("*-tts*", 8_192, 16_384, "GET /v1beta/models", ""),
        ("gemini-2.5-flash-image*", 32_768, 32_768, "GET /v1beta/models", ""),
        ("gemini-3-pro-image*", 131_072, 32_768, "GET /v1beta/models", ""),
        ("gemini-3.1-flash*-image*", 65_536, 65_536, "GET /v1beta/models", ""),
        ("gemini-2.5-computer-use*", 131_072, 65_536, "GET /v1beta/models", ""),
        ("gemini-2.0-flash*", 1_048_576, 8_192, "GET /v1beta/models", ""),
        ("gemini-1.5-pro*", 2_097_152, 8_192, "Gemini API, model pages", ""),
        ("gemini-1.5-flash*", 1_048_576, 8_192, "Gemini API, model pages", ""),
        ("gemma-4*", 262_144, 32_768, "GET /v1beta/models", ""),
        ("gemma-3*", 131_072, 8_192, "Gemini API, model pages", ""),
        ("gemini-*", 1_048_576, 65_536, "GET /v1beta/models", ""),
    ),
    "mistral": (
        ("*", 131_072, None, "max_context_length of GET /v1/models", ""),
    ),
    "moonshot": (
        ("kimi-k2*", 262_144, None, "https://platform.kimi.ai/docs", ""),
    ),
    "ollama": (
        ("*", 4_096, None, "envconfig of ollama/ollama: OLLAMA_CONTEXT_LENGTH", ""),
    ),
    "openai": (
        ("gpt-5-chat*", 128_000, 16_384, "https://platform.openai.com/docs/models", ""),
        ("gpt-5.*-chat*", 128_000, 16_384, "https://platform.openai.com/docs/models", ""),
        ("gpt-5*", 400_000, 128_000, "https://platform.openai.com/docs/models", ""),
        ("gpt-4.1*", 1_047_576, 32_768, "https://platform.openai.com/docs/models", ""),
        ("gpt-4o*", 128_000, 16_384, "https://platform.openai.com/docs/models", ""),
        ("chatgpt-4o*", 128_000, 16_384, "https://platform.openai.com/docs/models", ""),
        ("gpt-4-turbo*", 128_000, 4_096, "https://platform.openai.com/docs/models", ""),
        ("gpt-4*", 8_192, 8_192, "https://platform.openai.com/docs/models", ""),
        ("gpt-3.5*", 16_385, 4_096, "https://platform.openai.com/docs/models", ""),
        ("o1-mini*", 128_000, 65_536, "https://platform.openai.com/docs/models", ""),
        ("o[134]*", 200_000, 100_000, "https://platform.openai.com/docs/models", ""),
    ),
    "replicate": (
        ("openai/gpt-5*", 400_000, None, "https://replicate.com/openai", ""),
        ("openai/gpt-4.1*", 1_000_000, None, "https://replicate.com/openai", ""),
        ("openai/gpt-4o*", 128_000, None, "https://replicate.com/openai", ""),
        ("anthropic/claude-*", 200_000, None, "https://replicate.com/anthropic", ""),
        ("google/gemini-*", 1_000_000, None, "https://replicate.com/google", ""),
        ("meta/meta-llama-3.1-*", 128_000, None, "https://replicate.com/meta", ""),
        ("meta/llama-2-*", 4_096, None, "https://replicate.com/meta", ""),
        ("meta/*", 8_192, None, "https://replicate.com/meta", ""),
    ),
    "xai": (
        ("grok-4*fast*", 2_000_000, None, "https://docs.x.ai/docs/models", ""),
        ("grok-4*", 256_000, None, "https://docs.x.ai/docs/models", ""),
        ("grok-code*", 256_000, None, "https://docs.x.ai/docs/models", ""),
    ),
    "zai": (
        ("glm-4.[67]*", 200_000, 128_000, "https://docs.z.ai", ""),
        ("glm-5*", 200_000, 128_000, "https://docs.z.ai", ""),
    ),
}
