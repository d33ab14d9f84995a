"""What of an assistant's turn that another provider made cannot be sent on: named, so that nothing is lost in silence."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.request_building.conversation import read_turn_state
from victor_fp.core.requests import Adjustment, ChatRequest


def list_left_behind(spec: ProviderSpec, request: ChatRequest) -> tuple[Adjustment, ...]:
    """The reasoning, and the blocks that only their vendor understands, of other providers' turns that stay behind."""
    adjustments: dict[Adjustment, None] = {}
    has_tools = bool(request.tools) or any(message.tool_calls for message in request.messages)
    for message in request.messages:
        if message.metadata is None or message.role != "assistant":
            continue
        state = read_turn_state(message)
        if state is None or state.provider == spec.name:
            continue
        maker = state.provider or "another provider"
        for block in state.blocks:
            reasoning = EarlierReasoning(
                protocol=state.protocol,
                is_signed=bool((block.state or {}).get("signature")),
                has_calls=bool(message.tool_calls),
                model=request.model,
                has_tools=has_tools,
            )
            goes_back = spec.dialect.keeps_opaque and state.protocol == spec.dialect.protocol and bool(block.state)
            if block.kind == "reasoning" and block.text and not spec.dialect.can_send_reasoning(reasoning):
                reason = f"{spec.title} is not sent the reasoning of turns that {maker} made"
                adjustments[Adjustment(parameter="messages.reasoning", reason=reason)] = None
            elif block.kind == "opaque" and not goes_back:
                reason = f"blocks that only {maker} understands are not sent to {spec.title}"
                adjustments[Adjustment(parameter="messages.provider_state", reason=reason)] = None
    return tuple(adjustments)
