"""State of other providers' assistant turns that is not sent: reported as adjustments."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.conversation import read_turn_state
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.requests import Adjustment, ChatRequest


def list_dropped_state(spec: ProviderSpec, request: ChatRequest) -> tuple[Adjustment, ...]:
    """Return adjustments for reasoning and vendor-specific blocks of other providers' turns that are not sent."""
    adjustments: dict[Adjustment, None] = {}
    has_tools = bool(request.tools) or any(message.tool_calls for message in request.messages)
    for message in request.messages:
        if message.metadata is None or message.role != "assistant":
            continue
        state = read_turn_state(message)
        if state is None or state.provider == spec.name:
            continue
        source = state.provider or "another provider"
        for block in state.blocks:
            reasoning = EarlierReasoning(
                protocol=state.protocol,
                is_signed=bool((block.state or {}).get("signature")),
                has_calls=bool(message.tool_calls),
                model=request.model,
                has_tools=has_tools,
            )
            is_sent = spec.dialect.keeps_opaque and state.protocol == spec.dialect.protocol and bool(block.state)
            if block.kind == "reasoning" and block.text and not spec.dialect.can_send_reasoning(reasoning):
                reason = f"reasoning of {source} is not sent to {spec.title}"
                adjustments[Adjustment(parameter="messages.reasoning", reason=reason)] = None
            elif block.kind == "opaque" and not is_sent:
                reason = f"blocks specific to {source} are not sent to {spec.title}"
                adjustments[Adjustment(parameter="messages.provider_state", reason=reason)] = None
    return tuple(adjustments)
