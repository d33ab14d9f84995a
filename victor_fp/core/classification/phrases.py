"""Phrases that report context overflow, exhausted quota, unknown models and invalid keys at vendors without codes.

Every entry names a source of the wording; not every source has been read again. The phrases of all families are searched
for in every error, because any server may run at any address and gateways forward messages of others. Phrases that have
another meaning at another vendor are limited to their family.
"""

from __future__ import annotations

from victor_fp.core.classification.tables import FaultType, Phrase
from victor_fp.core.faults import (
    AuthRejected,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
)

_GENERAL: frozenset[FaultType] = frozenset({InvalidRequest, ServerFailed})
_ANY: frozenset[FaultType] = frozenset({InvalidRequest, ServerFailed, RateLimited, Overloaded, PermissionRefused})
"""Fault types with an unspecific cause. They include PermissionRefused, because gateways reject prompts that are too long
and exhausted accounts with 403."""


def _build_overflow(source: str, *parts: str) -> Phrase:
    return Phrase(ContextLengthExceeded, parts, source, _ANY)


def _build_too_large(source: str, *parts: str) -> Phrase:
    return Phrase(RateLimited, parts, source, frozenset({RateLimited}))


def _build_quota(source: str, *parts: str) -> Phrase:
    return Phrase(QuotaExhausted, parts, source, _ANY)


def _build_unknown_model(source: str, *parts: str, refines: frozenset[FaultType] = _GENERAL) -> Phrase:
    return Phrase(ModelNotFound, parts, source, refines)


def _build_bad_key(source: str, *parts: str) -> Phrase:
    return Phrase(AuthRejected, parts, source, frozenset({InvalidRequest, PermissionRefused}))


CONTEXT_OVERFLOW: tuple[Phrase, ...] = (
    # OpenAI, Azure OpenAI, DeepSeek, vLLM, OpenRouter ("This endpoint's ..."), Mistral ("too large for model with ...")
    _build_overflow("https://github.com/langchain-ai/langchain/issues/24058", "maximum context length"),
    _build_overflow("https://platform.openai.com/docs/guides/conversation-state", "exceeds the context window"),
    _build_overflow("https://github.com/cline/cline/issues/5474", "input tokens exceed the configured limit"),
    _build_overflow("https://github.com/ridgesai/ridges-old/pull/75", "requested", "tokens, max", "tokens per request"),
    # Anthropic, also through Bedrock, Vertex and gateways
    _build_overflow("https://github.com/earendil-works/pi/issues/102", "prompt is too long"),
    _build_overflow("https://github.com/continuedev/continue/issues/6080", "exceed context limit"),
    # Gemini and Vertex
    _build_overflow(
        "https://github.com/google-gemini/gemini-cli/issues/6678",
        "input token count",
        "exceeds the maximum number of tokens",
    ),
    _build_overflow(
        "https://github.com/google-gemini/gemini-cli/issues/19727", "input token count is", "model only supports up to"
    ),
    _build_overflow("https://github.com/iBUHub/AIStudioToAPI/issues/268", "cannot truncate to", "required"),
    # Bedrock
    _build_overflow("https://github.com/aws-samples/bedrock-chat/issues/95", "input is too long"),
    _build_overflow(
        "https://docs.aws.amazon.com/bedrock/latest/userguide/titan-embedding-models.html", "too many input tokens"
    ),
    # xAI
    _build_overflow(
        "https://github.com/cline/cline/issues/3120", "maximum prompt length is", "but the request contains"
    ),
    # Groq, Cerebras ("Current length is ... while limit is ...")
    _build_overflow("https://console.groq.com/docs/errors", "reduce the length of the messages"),
    _build_overflow("https://github.com/cline/cline/issues/5140", "current length is", "while limit is"),
    # Together, Hugging Face TGI
    _build_overflow("https://github.com/stanford-crfm/helm/pull/2079", "inputs tokens + max_new_tokens must be <="),
    _build_overflow("https://github.com/meta-llama/llama/issues/1103", "inputs must have less than", "tokens"),
    # SGLang, Together, Kimi behind vLLM
    _build_overflow("https://github.com/sgl-project/sglang/issues/8096", "is longer than the models context length"),
    _build_overflow(
        "https://github.com/sgl-project/sglang/issues/4048",
        "input length",
        "tokens) exceeds the maximum allowed length",
    ),
    _build_overflow("https://openrouter.ai/poolside", "exceeds", "maximum allowed input length"),
    # Z.ai
    _build_overflow("https://github.com/zeroclaw-labs/zeroclaw/issues/4124", "prompt exceeds max length"),
    _build_overflow("https://docs.z.ai/api-reference/api-code", "model_context_window_exceeded"),
    _build_overflow(
        "https://github.com/anomalyco/opencode/pull/35671", "tokens in request more than max tokens allowed"
    ),
    # Qwen (DashScope)
    _build_overflow("https://github.com/QwenLM/qwen-code/issues/98", "range of input length should be"),
    # Moonshot
    _build_overflow("https://github.com/MoonshotAI/kimi-cli/issues/2011", "exceeded model token limit"),
    _build_overflow("https://platform.moonshot.ai/docs/api/errors", "total message size", "exceeds limit"),
    _build_overflow("https://github.com/MoonshotAI/MoonshotAI-Cookbook/issues/18", "model max length exceeded"),
    _build_overflow("https://platform.moonshot.ai/docs/api/errors", "input token length too long"),
    # SiliconFlow
    _build_overflow(
        "https://github.com/langgenius/dify/issues/19394", "length of prompt_tokens", "must be less than max_seq_len"
    ),
    # GitHub Models, with 413
    _build_overflow("https://github.com/cline/cline/issues/2115", "request body too large for", "max size:", "tokens"),
    # Cloudflare Workers AI, with 413 or 400, and IBM watsonx behind gateways
    _build_overflow(
        "https://developers.cloudflare.com/workers-ai/platform/errors/", "exceeded this model context window limit"
    ),
    _build_overflow("https://cloud.ibm.com/apidocs/watsonx-ai", "input tokens", "cannot exceed the total tokens limit"),
    # MiniMax
    _build_overflow("https://github.com/MiniMax-AI/MiniMax-01/issues/15", "context window exceeds limit"),
    # Volcengine; the texts of SambaNova, "The maximum context length of M is 32768.", and Novita, vLLM's, are among the others
    _build_overflow("https://github.com/bytedance/deer-flow/issues/583", "tokens of", "exceed max message tokens"),
    # GitHub Copilot
    _build_overflow(
        "https://github.com/jjleng/copilot-more/issues/35", "prompt token count of", "exceeds the limit of"
    ),
    # vLLM
    _build_overflow("https://github.com/vllm-project/vllm/issues/12165", "is too long to fit into the model"),
    _build_overflow("https://github.com/vllm-project/vllm/issues/10440", "is too long and exceeds limit of"),
    _build_overflow("https://github.com/vllm-project/vllm/pull/12600", "longer than the maximum model length"),
    # Since 0.15: "You passed N input tokens and requested M output tokens. However, the model's context length is only ..."
    _build_overflow(
        "https://github.com/vllm-project/vllm/blob/main/vllm/renderers/params.py", "models context length is only"
    ),
    # llama.cpp and llama-cpp-python
    _build_overflow(
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md", "exceeds the available context"
    ),
    _build_overflow("https://github.com/ggml-org/llama.cpp/issues/19774", "context size has been exceeded"),
    _build_overflow(
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md", "larger than the max context size"
    ),
    # A text to be embedded must fit one physical batch; the status is 500.
    _build_overflow("https://github.com/ggml-org/llama.cpp/issues/12295", "input is too large to process"),
    _build_overflow("https://github.com/gpustack/gpustack/issues/1357", "input prompt is too big compared to kv size"),
    _build_overflow("https://github.com/rllm-team/rllm/issues/55", "requested tokens", "exceed context window of"),
    # LM Studio
    _build_overflow(
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/546",
        "trying to keep the first",
        "context the overflows",
    ),
    _build_overflow("https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/546", "context length of only"),
    _build_overflow(
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1251", "reached context length of", "tokens"
    ),
    _build_overflow(
        "https://github.com/earendil-works/pi/blob/main/packages/ai/README.md", "greater than the context length"
    ),
    # MLX servers (oMLX, vMLX)
    _build_overflow("https://github.com/ValueCell-ai/ClawX/issues/658", "exceeds max context window"),
    _build_overflow("https://github.com/jjang-ai/vmlx/issues/253", "prompt_too_long"),
    # Ollama; the second is WasmEdge's as well
    _build_overflow("https://github.com/ollama/ollama/blob/main/server/routes.go", "input length exceeds"),
    _build_overflow("https://github.com/ollama/ollama/blob/main/runner/ollamarunner/runner.go", "prompt too long"),
    _build_overflow("https://github.com/ollama/ollama/blob/main/server/prompt.go", "exceeds maximum context"),
    # Cohere: both wordings name the limit; Bedrock's throttling says "Too many tokens, please wait" and is not one of them
    _build_overflow("https://github.com/cohere-ai/sandbox-topically/issues/4", "too many tokens:", "cannot exceed"),
    _build_overflow("https://docs.cohere.com/reference/errors", "too many tokens: size limit exceeded"),
    # Replicate: TensorRT-LLM and others behind it
    _build_overflow(
        "https://github.com/replicate/replicate-python/issues/264", "prompt length", "exceeds maximum input length"
    ),
    _build_overflow("https://github.com/run-llama/llama_index/issues/7974", "max input length is", "but you supplied"),
    # Servers that imitate others, and gateways that report the code in words
    _build_overflow("https://github.com/BerriAI/litellm/issues/10431", "contextwindowexceedederror"),
    _build_overflow("https://platform.openai.com/docs/guides/error-codes", "context_length_exceeded"),
    _build_overflow("https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2339", "context length exceeded"),
    _build_overflow("https://github.com/BerriAI/litellm/issues/10431", "context window exceeded"),
    _build_overflow("https://github.com/getkimchi/kimchi/issues/794", "input tokens exceeded"),
    _build_overflow(
        "https://github.com/earendil-works/pi/blob/main/packages/ai/README.md", "but the configured context size is"
    ),
)
"""The prompt, or the prompt and the requested output, does not fit the model."""

REQUEST_TOO_LARGE: tuple[Phrase, ...] = (
    # Groq answers 413, OpenAI 429, to one request that is larger than all tokens of a minute.
    _build_too_large("https://github.com/Aider-AI/aider/issues/1880", "request too large for", "tokens per min"),
)
"""A single request exceeds the rate limit, so that waiting does not help."""

QUOTA: tuple[Phrase, ...] = (
    # Anthropic
    _build_quota("https://github.com/anthropics/claude-code/issues/66314", "credit balance is too low"),
    _build_quota("https://github.com/anthropics/claude-code/issues/21484", "reached your specified api usage limits"),
    # DeepSeek, Moonshot ("suspended due to insufficient balance")
    _build_quota("https://github.com/continuedev/continue/issues/9942", "insufficient balance"),
    # OpenRouter, Replicate
    _build_quota("https://openrouter.ai/docs/api-reference/errors", "requires more credits"),
    _build_quota("https://replicate.com/docs/topics/billing", "insufficient credit"),
    # xAI
    _build_quota("https://github.com/continuedev/continue/issues/10373", "used all available credits"),
    _build_quota("https://github.com/continuedev/continue/issues/10373", "reached its monthly spending limit"),
    _build_quota("https://github.com/can1357/oh-my-pi/pull/4913", "run out of credits"),
    # Hugging Face
    _build_quota("https://github.com/huggingface/agents-course/issues/386", "exceeded your monthly included credits"),
    # Gemini
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "credits are depleted"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "credits have been depleted"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "credit is depleted"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "spending cap"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "spend cap"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "spending limit"),
    _build_quota("https://ai.google.dev/gemini-api/docs/billing", "spend limit"),
    # Qwen
    _build_quota("https://www.alibabacloud.com/help/en/model-studio/error-code", "free allocated quota exceeded"),
)
"""Exhausted credit, or a quota that is not restored within a minute."""

OPENAI_QUOTA: tuple[Phrase, ...] = (
    # Limited to OpenAI, because Google uses the same phrase for a limit per minute.
    _build_quota(
        "https://platform.openai.com/docs/guides/error-codes", "exceeded your current quota", "plan and billing"
    ),
)

COHERE_QUOTA: tuple[Phrase, ...] = (
    # The monthly limit of a trial key has the status of a rate limit.
    _build_quota("https://docs.cohere.com/docs/rate-limits", "monthly"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "calls / month"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "calls per month"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "calls/month"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "calls a month"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "requests per month"),
    _build_quota("https://docs.cohere.com/docs/rate-limits", "requests / month"),
)

_REQUEST_ONLY: frozenset[FaultType] = frozenset({InvalidRequest})
_OPENROUTER = "https://openrouter.ai/docs/api-reference/errors"
_OPENAI = "https://platform.openai.com/docs/guides/error-codes"

UNKNOWN_MODEL: tuple[Phrase, ...] = (
    _build_unknown_model(_OPENROUTER, "not a valid model"),
    _build_unknown_model("https://docs.mistral.ai/api", "invalid model:"),
    _build_unknown_model("https://api-docs.deepseek.com/quick_start/error_codes", "supported api model names"),
    _build_unknown_model(
        "https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles.html", "on-demand throughput"
    ),
    _build_unknown_model("https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html", "unknown model"),
    _build_unknown_model("https://github.com/lmstudio-ai/lmstudio-bug-tracker", "no such model"),
    _build_unknown_model(_OPENAI, "model", "does not exist"),
    _build_unknown_model("https://api-docs.deepseek.com/quick_start/error_codes", "model not exist"),
    _build_unknown_model("https://github.com/ollama/ollama/blob/main/server/routes.go", "model", "not found"),
    # Phrases that other errors also contain: they apply only to invalid requests.
    _build_unknown_model("https://docs.x.ai/docs/guides/chat", "model", "not exist", refines=_REQUEST_ONLY),
    _build_unknown_model(_OPENROUTER, "model", "not available", refines=_REQUEST_ONLY),
    _build_unknown_model("https://docs.cohere.com/docs/deprecations", "model", "removed", refines=_REQUEST_ONLY),
    _build_unknown_model(
        "https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html",
        "model",
        "end of its life",
        refines=_REQUEST_ONLY,
    ),
    _build_unknown_model("https://platform.openai.com/docs/deprecations", "model", "deprecated", refines=_REQUEST_ONLY),
    _build_unknown_model("https://docs.aws.amazon.com/bedrock", "model identifier is invalid", refines=_REQUEST_ONLY),
    _build_unknown_model("https://docs.mistral.ai/api", "model", "is invalid", refines=_REQUEST_ONLY),
)
"""The model does not exist, or no longer."""

REPLICATE_MODELS: tuple[Phrase, ...] = (
    # A 422 without a field: the version does not exist, or the key has no access to it.
    _build_unknown_model("https://replicate.com/docs/reference/http", "version does not exist"),
    _build_unknown_model("https://replicate.com/docs/reference/http", "invalid version"),
)

BAD_KEY: tuple[Phrase, ...] = (
    # xAI rejects an invalid key with 400 and a code that is equally general.
    _build_bad_key("https://docs.x.ai/docs/api-reference", "incorrect api key"),
    _build_bad_key("https://docs.mistral.ai/api", "invalid api key"),
    _build_bad_key("https://ai.google.dev/gemini-api/docs/troubleshooting", "api key not valid"),
    _build_bad_key("https://ai.google.dev/gemini-api/docs/troubleshooting", "unregistered callers"),
)
"""An invalid key, reported as an invalid or forbidden request."""

PLACE: tuple[Phrase, ...] = (
    # Gemini reports it as an invalid request (FAILED_PRECONDITION); OpenAI has a code for it.
    Phrase(
        PermissionRefused,
        ("user location is not supported",),
        "https://ai.google.dev/gemini-api/docs/troubleshooting",
        _REQUEST_ONLY,
    ),
)
"""The vendor does not serve the caller's country."""

AWS_BAD_KEY: tuple[Phrase, ...] = (
    # All of these come as AccessDeniedException.
    _build_bad_key("https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html", "api key"),
    _build_bad_key("https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html", "bearer token"),
    _build_bad_key("https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html", "security token"),
)

COMMON_PHRASES: tuple[Phrase, ...] = (*CONTEXT_OVERFLOW, *QUOTA, *BAD_KEY, *PLACE, *UNKNOWN_MODEL)
"""Phrases that are searched for in the errors of every family."""

WRONG_ADDRESS_MESSAGES = frozenset(
    {
        "",
        "not found",
        "404 not found",
        "404 page not found",  # Go's router, and so Ollama's
        "error 404 (not found)!!1",  # Google's front end
        "file not found",  # llama.cpp
        "page not found",
        "resource not found",  # Azure
        "the requested url was not found on this server.",
        "no route matched with those values",  # Kong
        "http 404",
        "an html page",
    }
)
"""Messages of web servers for a 404 of an unknown path. A vendor's 404 names the model instead."""
