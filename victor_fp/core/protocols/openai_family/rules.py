"""What a model accepts, resolved per request from the dialect and the model's policy: options and messages as far as accepted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.catalogue.spec import Supports
from victor_fp.core.conversation import build_result_text
from victor_fp.core.dialects.chat import CacheMarks, ModelPolicy, find_nearest_effort
from victor_fp.core.model_names import is_model_match
from victor_fp.core.options import NO_OPTIONS, Options
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message, Part, TextPart

T = TypeVar("T")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent, and its limits."""

    provider: str
    recipient: str
    """Subject of messages about unsupported options: the vendor, or the vendor and the model."""
    refuses: frozenset[str]
    """Names of options and parts, as in `ChatDialect.refuses`."""
    efforts: tuple[str, ...]
    effort_values: Mapping[str, str | None] = {}
    result_parts: frozenset[str] = frozenset()
    """Types of parts besides text that tool results may have."""
    cache_marks: CacheMarks = "none"
    call_id_limit: int | None = None
    max_temperature: float | None = None
    stop_limit: int | None = None
    min_output_tokens: int = 0
    service_tiers: tuple[str, ...] | None = None
    """Service tiers that the vendor accepts; None if all are passed through."""

    def is_refused(self, name: str) -> bool:
        """Return whether an option or part type is rejected."""
        return name in self.refuses

    def build_refusal(self, parameter: str) -> Adjustment:
        """Build the adjustment for a parameter that is not accepted."""
        return Adjustment(parameter=parameter, reason=f"{self.recipient} does not accept it")


def resolve_policy(policies: tuple[ModelPolicy, ...], request: ChatRequest) -> ModelPolicy | None:
    """Return the first policy that matches the model, without its refusals if the requested effort lifts them."""
    model = request.model.lower()
    for policy in policies:
        if is_model_match(model, policy.pattern):
            if request.options.reasoning_effort in policy.unless_effort:
                return msgspec.structs.replace(policy, refuses=frozenset())
            return policy
    return None


def list_unsupported(supports: Supports) -> frozenset[str]:
    """Return the names, as in `Rules.refuses`, of what the API does not support according to its catalogue entry."""
    supported = {
        "tools": supports.tools,
        "image": supports.images,
        "audio": supports.audio,
        "file": supports.files,
        "response_format:schema": supports.json_schema,
    }
    return frozenset(name for name, value in supported.items() if value is False)


class AcceptedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling and output options; UNSET if not requested or not accepted."""

    max_tokens: int | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    stop: list[str] | UnsetType = UNSET
    logprobs: int | UnsetType = UNSET
    """Number of alternatives per token; 0 for the chosen token only."""
    service_tier: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    adjustments: tuple[Adjustment, ...] = ()


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """Reasoning effort that the vendor accepts, or a budget in tokens."""

    effort: str | None = None
    budget: int | None = None
    adjustments: tuple[Adjustment, ...] = ()


NO_THINKING = Thinking()


def accept_options(rules: Rules, request: ChatRequest, tokens_fields: Collection[str]) -> AcceptedOptions:
    """Return the sampling and output options that the vendor accepts, and adjustments for the others.

    The default of max_tokens is not sent if the caller's `extra_body` or unknown options have one of `tokens_fields`.
    """
    options, adjustments = request.options, list[Adjustment]()
    tokens: int | UnsetType = UNSET if request.max_tokens is None else request.max_tokens
    if (
        (options.unknown or options.extra_body)
        and not request.asks_max_tokens
        and not (options.unknown.keys() | options.extra_body.keys()).isdisjoint(tokens_fields)
    ):
        tokens = UNSET
    elif tokens is not UNSET and tokens < rules.min_output_tokens:
        tokens = rules.min_output_tokens
        reason = f"{rules.recipient} requires at least {tokens}"
        adjustments.append(Adjustment(parameter="max_tokens", reason=reason, action="changed"))
    temperature: float | UnsetType = UNSET if request.temperature is None else request.temperature
    if temperature is not UNSET and "temperature" in rules.refuses:
        temperature = UNSET  # the default is not reported
        if request.asks_temperature:
            adjustments.append(rules.build_refusal("temperature"))
    elif temperature is not UNSET and rules.max_temperature is not None and temperature > rules.max_temperature:
        temperature = rules.max_temperature
        reason = f"{rules.recipient} accepts at most {temperature:g}"
        adjustments.append(Adjustment(parameter="temperature", reason=reason, action="changed"))
    if options is NO_OPTIONS:
        return AcceptedOptions(max_tokens=tokens, temperature=temperature, adjustments=tuple(adjustments))
    accepted = _accept_further_options(rules, options)
    return msgspec.structs.replace(
        accepted, max_tokens=tokens, temperature=temperature, adjustments=(*adjustments, *accepted.adjustments)
    )


def _accept_further_options(rules: Rules, options: Options) -> AcceptedOptions:
    """Return the accepted options apart from `max_tokens` and `temperature`, which every call has."""
    logprobs = None if options.logprobs is None or options.logprobs is False else options.logprobs
    requested = {
        "top_p": options.top_p,
        "top_k": options.top_k,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "seed": options.seed,
        "stop": options.stop,
        "logprobs": logprobs,
        "service_tier": options.service_tier,
        "user": options.user,
    }
    adjustments = [
        rules.build_refusal(name) for name in requested if requested[name] is not None and name in rules.refuses
    ]
    stop = _accept(rules, "stop", options.stop)
    if stop is not UNSET and rules.stop_limit is not None and len(stop) > rules.stop_limit:
        stop = stop[: rules.stop_limit]
        reason = f"{rules.recipient} accepts at most {rules.stop_limit}; the first are kept"
        adjustments.append(Adjustment(parameter="stop", reason=reason, action="changed"))
    tier = _accept(rules, "service_tier", options.service_tier)
    if tier is not UNSET and rules.service_tiers is not None and tier not in rules.service_tiers:
        reason = f"{rules.recipient} accepts {' and '.join(rules.service_tiers)}, not {tier}"
        adjustments.append(Adjustment(parameter="service_tier", reason=reason))
        tier = UNSET
    count = _accept(rules, "logprobs", logprobs)
    return AcceptedOptions(
        top_p=_accept(rules, "top_p", options.top_p),
        top_k=_accept(rules, "top_k", options.top_k),
        presence_penalty=_accept(rules, "presence_penalty", options.presence_penalty),
        frequency_penalty=_accept(rules, "frequency_penalty", options.frequency_penalty),
        seed=_accept(rules, "seed", options.seed),
        stop=stop if stop is UNSET else list(stop),
        logprobs=0 if count is True else count,
        service_tier=tier,
        user=_accept(rules, "user", options.user),
        adjustments=tuple(adjustments),
    )


def accept_thinking(rules: Rules, request: ChatRequest) -> Thinking:
    """Return effort or budget. If both are requested, the budget is kept, and the dropped effort is reported."""
    effort: str | None = request.options.reasoning_effort
    budget = request.options.reasoning_budget
    if effort is None and budget is None:
        return NO_THINKING
    adjustments: list[Adjustment] = []
    if budget is not None and rules.is_refused("reasoning_budget"):
        adjustments.append(rules.build_refusal("reasoning_budget"))
        budget = None
    if effort is not None and (rules.is_refused("reasoning_effort") or not rules.efforts):
        adjustments.append(rules.build_refusal("reasoning_effort"))
        effort = None
    if effort is not None and budget is not None:
        reason = "reasoning_budget is set, and only one of the two is accepted"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason))
        effort = None
    if effort is not None and effort not in rules.efforts:
        nearest = find_nearest_effort(effort, rules.efforts)
        reason = f"{rules.recipient} accepts {', '.join(rules.efforts)}; sent as {nearest}"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason, action="changed"))
        effort = nearest
    return Thinking(effort=effort, budget=budget, adjustments=tuple(adjustments))


def _accept(rules: Rules, name: str, value: T | None) -> T | UnsetType:
    return UNSET if value is None or name in rules.refuses else value


def accept_messages(rules: Rules, messages: Sequence[Message]) -> tuple[Sequence[Message], tuple[Adjustment, ...]]:
    """Return the messages as the vendor accepts them, and the adjustments.

    Unsupported names and parts are dropped. Parts that are accepted, but not in tool results, are moved to a user message
    after the results.
    """
    mismatches = {
        index
        for index, message in enumerate(messages)
        if not (isinstance(message.content, str) and message.name is None) and not _can_send(rules, message)
    }
    if not mismatches:
        return messages, ()
    accepted: list[Message] = []
    adjustments: dict[Adjustment, None] = {}
    moved: list[Part] = []
    for index, message in enumerate(messages):
        if moved and message.role != "tool":
            accepted.append(Message(role="user", content=moved))
            moved = []
        if index in mismatches:
            kept, moved_parts, changes = _accept_message(rules, message)
            accepted.append(kept)
            moved += moved_parts
            adjustments |= dict.fromkeys(changes)
        else:
            accepted.append(message)
    if moved:
        accepted.append(Message(role="user", content=moved))
    return accepted, tuple(adjustments)


RESULT_PLACEHOLDER = "The result is attached to the next message of the user."
"""Content of a result all of whose parts were moved."""


def _can_send(rules: Rules, message: Message) -> bool:
    """Return whether a message can be sent unchanged."""
    is_result = message.role == "tool"
    if message.name is not None and "name" in rules.refuses and not is_result:
        return False
    if isinstance(message.content, str):
        return True
    for part in message.content:
        if isinstance(part, TextPart):
            continue
        if (is_result and part.type not in rules.result_parts) or find_refusal(rules, part) is not None:
            return False
    return True


def _can_send_result(rules: Rules, part: Part) -> bool:
    return part.type == "text" or part.type in rules.result_parts


def _accept_message(rules: Rules, message: Message) -> tuple[Message, Sequence[Part], Sequence[Adjustment]]:
    """Return a message without unsupported content, the parts to move out of it, and the adjustments."""
    is_result = message.role == "tool"
    adjustments: list[Adjustment] = []
    changes: dict[str, object] = {}
    if message.name is not None and not is_result and "name" in rules.refuses:
        adjustments.append(rules.build_refusal("name"))
        changes["name"] = None
    if isinstance(message.content, str):
        return message.model_copy(update=changes), (), adjustments
    refusals = [find_refusal(rules, part) for part in message.content]
    adjustments += [refusal for refusal in refusals if refusal is not None]
    accepted = [part for part, refusal in zip(message.content, refusals, strict=True) if refusal is None]
    moved = [part for part in accepted if not _can_send_result(rules, part)] if is_result else []
    if not moved:
        return message.model_copy(update={**changes, "content": accepted}), (), adjustments
    kinds = ", ".join(sorted({part.type for part in moved}))
    reason = f"{rules.recipient} does not accept {kinds} parts in tool results; sent in a user message after them"
    adjustments.append(Adjustment(parameter="messages.content", reason=reason, action="changed"))
    kept = [part for part in accepted if _can_send_result(rules, part)]
    head = TextPart(text=f"Attached to the result of the call {message.tool_call_id}:")
    return message.model_copy(update={**changes, "content": kept or RESULT_PLACEHOLDER}), [head, *moved], adjustments


def find_refusal(rules: Rules, part: Part) -> Adjustment | None:
    """Return why a part cannot be sent; None if it can."""
    if isinstance(part, TextPart):
        return None
    if part.type in rules.refuses:
        return rules.build_refusal(part.type)
    if part.data is not None or f"{part.type}_url" not in rules.refuses:
        return None
    if part.type != "audio" and (part.url or "").startswith("data:"):
        # A data URL is sent by value, except audio, whose format is a separate field.
        return None
    return Adjustment(parameter=part.type, reason=f"{rules.recipient} accepts it as bytes, not by URL")


def read_result(message: Message) -> str | list[Part]:
    """Return a tool result as a string if it is one text, else as parts without empty texts.

    The formats have no field for failures: the text of a failed call starts with "Error".
    """
    given = message.content
    if message.is_error:
        text = build_result_text(message)
        if text != message.text:
            media = [] if isinstance(given, str) else [part for part in given if not isinstance(part, TextPart)]
            return [TextPart(text=text), *media] if media else text
    if isinstance(given, str):
        return given
    parts = [part for part in given if not isinstance(part, TextPart) or part.text]
    return message.text if len(parts) < 2 and all(isinstance(part, TextPart) for part in parts) else parts


def join_texts(parts: Sequence[Part]) -> str | None:
    """Join the texts of parts; None if one is not text."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "".join(texts) if len(texts) == len(parts) else None
