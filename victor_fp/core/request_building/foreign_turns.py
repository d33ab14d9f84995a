"""What of an assistant's turn that another provider made cannot be sent on: named, so that nothing is lost in silence."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import assert_never

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects import (
    AnthropicDialect,
    BedrockDialect,
    ChatDialect,
    CohereDialect,
    Dialect,
    GeminiDialect,
    MistralDialect,
    OllamaDialect,
    ReplicateDialect,
    ResponsesDialect,
)
from victor_fp.core.request_building.conversation import Block, TurnState, read_turn_state
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message


def list_left_behind(spec: ProviderSpec, request: ChatRequest) -> tuple[Adjustment, ...]:
    """The reasoning, and the blocks that only their vendor understands, of other providers' turns that stay behind."""
    adjustments: dict[Adjustment, None] = {}
    for message in request.messages:
        if message.metadata is None or message.role != "assistant":
            continue
        state = read_turn_state(message)
        if state is None or state.provider == spec.name:
            continue
        maker = state.provider or "another provider"
        for block in state.blocks:
            if block.kind == "reasoning" and block.text and not _takes_reasoning(spec.dialect, request, message, block):
                reason = f"{spec.title} is not sent the reasoning of turns that {maker} made"
                adjustments[Adjustment(parameter="messages.reasoning", reason=reason)] = None
            elif block.kind == "opaque" and not _takes_opaque(spec.dialect, state, block):
                reason = f"blocks that only {maker} understands are not sent to {spec.title}"
                adjustments[Adjustment(parameter="messages.provider_state", reason=reason)] = None
    return tuple(adjustments)


def _takes_reasoning(dialect: Dialect, request: ChatRequest, message: Message, block: Block) -> bool:
    """Whether the reasoning of another provider's turn is sent: as plain text, or with the signature of the same models."""
    state = read_turn_state(message)
    is_signed = state is not None and state.protocol == dialect.protocol and bool((block.state or {}).get("signature"))
    match dialect:
        case ChatDialect():
            return _chat_takes_reasoning(dialect, request, message)
        case AnthropicDialect():
            return is_signed or dialect.unsigned_thinking
        case BedrockDialect():
            return is_signed
        case GeminiDialect():
            return state is not None and state.protocol == dialect.protocol
        case CohereDialect():
            return state is not None and state.protocol == dialect.protocol and dialect.policy(request.model).thinks
        case OllamaDialect():
            return state is not None and state.protocol == dialect.protocol
        case MistralDialect() | ResponsesDialect() | ReplicateDialect():
            return False
        case _:
            assert_never(dialect)


def _chat_takes_reasoning(dialect: ChatDialect, request: ChatRequest, message: Message) -> bool:
    model = request.model.lower()
    policy = next((policy for policy in dialect.models if fnmatchcase(model, policy.pattern)), None)
    back = (policy.reasoning_back if policy is not None else None) or dialect.reasoning_back
    if back == "none" or dialect.reasoning_back_on == "all":
        return back != "none"
    has_tools = bool(request.tools) or any(other.tool_calls for other in request.messages)
    return bool(message.tool_calls) or (has_tools and dialect.reasoning_filler is not None)


def _takes_opaque(dialect: Dialect, state: TurnState, block: Block) -> bool:
    """Whether a block goes back as it came: to models of the same format, wherever they are served."""
    match dialect:
        case AnthropicDialect() | GeminiDialect() | BedrockDialect():
            return state.protocol == dialect.protocol and bool(block.state)
        case (
            ChatDialect()
            | CohereDialect()
            | OllamaDialect()
            | MistralDialect()
            | ResponsesDialect()
            | ReplicateDialect()
        ):
            return False
        case _:
            assert_never(dialect)
