"""Capabilities of models as data; see `capabilities` for the merging of sections."""

from __future__ import annotations

from victor_fp.core.models.capability_table import CapabilityTable, ModelEntry, Section

_NATIVE: Section = {
    "native_tool_calls": True,
    "streaming_tool_calls": True,
    "parallel_tool_calls": True,
    "tool_choice_param": True,
    "requires_strict_prompting": False,
}
_HOSTED: Section = _NATIVE | {
    "json_fallback_parsing": False,
    "xml_fallback_parsing": False,
    "tool_call_format": "openai",
    "recommended_max_tools": 30,
    "recommended_tool_budget": 15,
}
_TOOLS: Section = {"tool_calling": True}
_CODE: Section = _TOOLS | {"code_generation": True}
_THINKS: Section = {"reasoning": True, "thinking_mode": True}
_PLAIN: Section = {"reasoning": False, "thinking_mode": False}
_IN_OLLAMA: dict[str, Section] = {
    "ollama": {
        "native_tool_calls": True,
        "streaming_tool_calls": True,
        "parallel_tool_calls": True,
        "requires_strict_prompting": False,
    }
}
"""Models whose template in Ollama's library supports tools."""


def _build_trained(
    *sections: Section, ollama: bool = False, settings: Section | None = None, text_format: str = ""
) -> ModelEntry:
    training: Section = {}
    for section in sections:
        training |= section
    if text_format:
        training |= {"text_format": text_format}
    return ModelEntry(training=training, providers=_IN_OLLAMA if ollama else {}, settings=settings or {})


CAPABILITIES = CapabilityTable(
    defaults={
        "native_tool_calls": False,
        "json_fallback_parsing": True,
        "xml_fallback_parsing": True,
        "text_format": "any",
        "text_call_format": "xml",
        "requires_strict_prompting": True,
        "argument_format": "json",
        "recommended_max_tools": 20,
        "recommended_tool_budget": 12,
    },
    kinds={
        "hosted": _HOSTED,
        "open": _HOSTED | {"json_fallback_parsing": True, "xml_fallback_parsing": True},
        # These parse calls by the model's template, or with a parser chosen at startup.
        "local": _NATIVE | {"tool_call_format": "openai", "timeout_multiplier": 1.5},
    },
    protocols={
        "anthropic-messages": {"tool_call_format": "anthropic"},
        "gemini": {"tool_call_format": "google"},
        "gemini-interactions": {"tool_call_format": "google"},
        "bedrock-converse": {
            "tool_call_format": "bedrock",
            "recommended_max_tools": 40,
            "recommended_tool_budget": 20,
        },
    },
    provider_defaults={
        "anthropic": {"recommended_max_tools": 50, "recommended_tool_budget": 20},
        "vertex-anthropic": {"recommended_max_tools": 50, "recommended_tool_budget": 20},
        "deepseek-anthropic": {"recommended_max_tools": 50, "recommended_tool_budget": 20},
        # tool_choice: only auto
        "zai": {"tool_choice_param": False},
        "zai-coding": {"tool_choice_param": False},
        "zai-china": {"tool_choice_param": False},
        "vllm": {"tool_call_format": "vllm"},
        "lmstudio": {"tool_call_format": "lmstudio_native", "text_call_format": "lmstudio_default"},
        # Rejects tools for models whose template does not support them.
        "ollama": {
            "native_tool_calls": False,
            "streaming_tool_calls": False,
            "parallel_tool_calls": False,
            "tool_choice_param": False,
            "requires_strict_prompting": True,
            "tool_call_format": "ollama_native",
            "text_call_format": "ollama_json",
            "timeout_multiplier": 2.0,
            "exploration_multiplier": 1.5,
        },
        # Accepts prompts only, no tools.
        "replicate": {"text_call_format": "none", "recommended_max_tools": 10, "recommended_tool_budget": 8},
    },
    # The text format is that of the model's chat template.
    models={
        "gpt-*": _build_trained(_CODE, {"vision": True}),
        "o[134]*": _build_trained(_CODE, _THINKS),
        "gpt-5*": _build_trained(_THINKS),
        "gpt-5-chat*": _build_trained(_PLAIN),
        "gpt-[6-9]*": _build_trained(_THINKS),
        "gpt-oss*": _build_trained(_CODE, _THINKS, {"vision": False}, text_format="harmony", ollama=True),
        "*claude-*": _build_trained(_CODE, {"vision": True}, _THINKS),
        "*claude-2*": _build_trained(_PLAIN),
        "*claude-instant*": _build_trained(_PLAIN),
        "*claude-3*": _build_trained(_PLAIN),
        "*claude-3-7*": _build_trained(_THINKS),
        "gemini-*": _build_trained(_CODE, {"vision": True}, _THINKS, text_format="tool_code"),
        "gemini-1.*": _build_trained(_PLAIN),
        "gemini-2.0*": _build_trained(_PLAIN),
        "gemini-2.5-*image*": _build_trained(_PLAIN),
        "gemini-2.5-*tts*": _build_trained(_PLAIN),
        "grok-*": _build_trained(_CODE, _THINKS),
        "grok-[23]*": _build_trained(_PLAIN),
        "grok-3-mini*": _build_trained(_THINKS),
        "grok-*non-reasoning*": _build_trained(_PLAIN),
        "qwen2.5*": _build_trained(_CODE, text_format="hermes", ollama=True),
        "qwen3*": _build_trained(
            _CODE, _THINKS, {"thinking_disable_prefix": "/no_think"}, text_format="hermes", ollama=True
        ),
        "qwen3-coder*": _build_trained(
            _PLAIN,
            {"thinking_disable_prefix": None},
            text_format="hermes,function_tags",
            settings={"argument_format": "xml"},
        ),
        "qwq*": _build_trained(_TOOLS, _THINKS, text_format="hermes", ollama=True),
        "llama*": _build_trained(text_format="json,python_tag,python"),
        "llama[-_.]3.[123]*": _build_trained(_CODE, text_format="json,python_tag,python,function_tags", ollama=True),
        "llama3.[123]*": _build_trained(_CODE, text_format="json,python_tag,python,function_tags", ollama=True),
        "*llama-3.[123]*": _build_trained(_CODE, text_format="json,python_tag,python,function_tags", ollama=True),
        "*llama-4*": _build_trained(_CODE, {"vision": True}, text_format="python,json,python_tag"),
        "llama4*": _build_trained(_CODE, {"vision": True}, text_format="python,json,python_tag", ollama=True),
        "codellama*": _build_trained({"code_generation": True}),
        "*mistral*": _build_trained(_CODE, text_format="mistral,json", ollama=True),
        "*mixtral*": _build_trained(_CODE, text_format="mistral,json", ollama=True),
        "ministral*": _build_trained(_CODE, text_format="mistral,json", ollama=True),
        "devstral*": _build_trained(_CODE, text_format="mistral,json", ollama=True),
        "codestral*": _build_trained(_CODE, text_format="mistral,json"),
        "magistral*": _build_trained(_TOOLS, _THINKS, text_format="mistral,json", ollama=True),
        "deepseek-*": _build_trained({"code_generation": True}, text_format="dsml,deepseek"),
        "deepseek-chat*": _build_trained(_TOOLS),
        "deepseek-reasoner*": _build_trained(_TOOLS, _THINKS),
        "deepseek-v*": _build_trained(_TOOLS),
        "deepseek-v[4-9]*": _build_trained(_THINKS),
        "deepseek-r1*": _build_trained(_THINKS, text_format="deepseek,json", settings={"recommended_tool_budget": 8}),
        "glm-*": _build_trained(_CODE, text_format="hermes"),
        "kimi-*": _build_trained(_CODE, text_format="kimi"),
        "kimi-*thinking*": _build_trained(_THINKS),
        "kimi-k2.[5-9]*": _build_trained(_THINKS),
        "kimi-k[3-9]*": _build_trained(_THINKS),
        "minimax-*": _build_trained(_CODE, text_format="invoke"),
        "nemotron*": _build_trained(_TOOLS, text_format="hermes,function_tags,json"),
        "hermes*": _build_trained(_TOOLS, text_format="hermes", ollama=True),
        "functionary*": _build_trained(_TOOLS, text_format="any"),
        "firefunction*": _build_trained(_TOOLS, text_format="json", ollama=True),
        "command-*": _build_trained(_TOOLS, text_format="command_r", ollama=True),
        "command-a-reasoning*": _build_trained(_THINKS),
        "granite*": _build_trained(_CODE, text_format="hermes,granite,function_call,json", ollama=True),
        "phi*": _build_trained(text_format="json"),
        "phi-4-mini*": _build_trained(_TOOLS, text_format="granite,json"),
        "phi4-mini*": _build_trained(_TOOLS, text_format="granite,json"),
        "lfm2*": _build_trained(_TOOLS, text_format="lfm2"),
        "gemma*": _build_trained(text_format="tool_code,json,python"),
        "functiongemma*": _build_trained(_TOOLS, text_format="function_gemma"),
        "smollm2*": _build_trained(_TOOLS, text_format="hermes,json", ollama=True),
    },
)
