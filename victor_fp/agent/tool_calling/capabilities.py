"""Capabilities for adapters, from the file of model capabilities."""

from __future__ import annotations

from victor_fp.agent.tool_calling.results import ToolCallFormat, ToolCallingCapabilities
from victor_fp.config.model_capabilities import CapabilityFile, ModelCapabilities, capabilities_of


class ModelCapabilityLoader:
    """The capabilities of models by provider, from the bundled file or another."""

    def __init__(self, file: CapabilityFile | None = None) -> None:
        self._file = file

    def get_capabilities(
        self, provider: str, model: str = "", format_hint: ToolCallFormat | None = None
    ) -> ToolCallingCapabilities:
        """What the model can do with tools at the provider; `format_hint` stands where the file names no format."""
        return _apply_hint(capabilities_of(provider, model, self._file), format_hint or ToolCallFormat.UNKNOWN)


def get_model_capabilities(
    provider: str, model: str = "", format_hint: ToolCallFormat | None = None
) -> ToolCallingCapabilities:
    """As the bundled file has it."""
    return ModelCapabilityLoader().get_capabilities(provider, model, format_hint)


def _apply_hint(known: ModelCapabilities, hint: ToolCallFormat) -> ToolCallingCapabilities:
    named = known.tool_call_format if known.native_tool_calls else known.text_call_format
    return ToolCallingCapabilities(
        native_tool_calls=known.native_tool_calls,
        streaming_tool_calls=known.streaming_tool_calls,
        parallel_tool_calls=known.parallel_tool_calls,
        tool_choice_param=known.tool_choice_param,
        json_fallback_parsing=known.json_fallback_parsing,
        xml_fallback_parsing=known.xml_fallback_parsing,
        thinking_mode=known.thinking_mode,
        thinking_disable_prefix=known.thinking_disable_prefix,
        requires_strict_prompting=known.requires_strict_prompting,
        tool_call_format=hint if named is None else ToolCallFormat(named),
        argument_format=known.argument_format,
        recommended_max_tools=known.recommended_max_tools,
        recommended_tool_budget=known.recommended_tool_budget,
        exploration_multiplier=known.exploration_multiplier,
        continuation_patience=known.continuation_patience,
        timeout_multiplier=known.timeout_multiplier,
        text_format=known.text_format,
    )
