"""Tool calling capabilities from the table of model capabilities."""

from __future__ import annotations

from victor_fp.agent.tool_calling.results import ToolCallFormat, ToolCallingCapabilities
from victor_fp.core.models.capabilities import find_capabilities
from victor_fp.core.models.capability_table import CapabilityTable, ModelCapabilities
from victor_fp.providers.registry import ProviderRegistry


class ModelCapabilityLoader:
    """Loads the capabilities of models from the bundled table or another one."""

    def __init__(self, table: CapabilityTable | None = None) -> None:
        self._table = table

    def get_capabilities(
        self, provider: str, model: str = "", format_hint: ToolCallFormat | None = None
    ) -> ToolCallingCapabilities:
        """Return the tool calling capabilities of a model; `format_hint` is used if the table has no format."""
        known = find_capabilities(provider, model, self._table, ProviderRegistry.catalogue())
        return _build_capabilities(known, format_hint or ToolCallFormat.UNKNOWN)


def get_model_capabilities(
    provider: str, model: str = "", format_hint: ToolCallFormat | None = None
) -> ToolCallingCapabilities:
    """Return the tool calling capabilities from the bundled table."""
    return ModelCapabilityLoader().get_capabilities(provider, model, format_hint)


def _build_capabilities(known: ModelCapabilities, hint: ToolCallFormat) -> ToolCallingCapabilities:
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
