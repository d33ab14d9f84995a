"""Options as far as a vendor accepts them, before a protocol writes them to its fields."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.options import NO_OPTIONS
from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.protocols.support import find_nearest_effort
from victor_fp.core.requests import Adjustment, ChatRequest

T = TypeVar("T")


class AcceptedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling and output options; UNSET if not requested or not accepted."""

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


def accept_options(rules: Rules, request: ChatRequest) -> AcceptedOptions:
    """Return the sampling and output options that the vendor accepts, and adjustments for the others."""
    temperature, changed = _accept_temperature(rules, request)
    options = request.options
    if options is NO_OPTIONS:
        return AcceptedOptions(temperature=temperature, adjustments=changed)
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
    adjustments = list(changed)
    adjustments += [
        rules.build_refusal(name) for name in requested if requested[name] is not None and name in rules.refuses
    ]
    stop = _accept(rules, "stop", options.stop)
    if stop is not UNSET and rules.stop_limit is not None and len(stop) > rules.stop_limit:
        stop = stop[: rules.stop_limit]
        reason = f"{rules.recipient} accepts at maximum {rules.stop_limit}; the first are kept"
        adjustments.append(Adjustment(parameter="stop", reason=reason, action="changed"))
    tier = _accept(rules, "service_tier", options.service_tier)
    if tier is not UNSET and rules.service_tiers is not None and tier not in rules.service_tiers:
        adjustments.append(rules.build_refusal("service_tier"))
        tier = UNSET
    count = _accept(rules, "logprobs", logprobs)
    return AcceptedOptions(
        temperature=temperature,
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


def accept_max_tokens(
    rules: Rules, request: ChatRequest, fields: Collection[str]
) -> tuple[int | UnsetType, tuple[Adjustment, ...]]:
    """Return max_tokens. The default is not sent if the caller's `extra_body` or unknown options have one of `fields`."""
    tokens, options = request.max_tokens, request.options
    if tokens is None:
        return UNSET, ()
    if (options.unknown or options.extra_body) and not request.asks_max_tokens:
        given = options.unknown.keys() | options.extra_body.keys()
        if not given.isdisjoint(fields):
            return UNSET, ()
    if tokens >= rules.min_output_tokens:
        return tokens, ()
    reason = f"{rules.recipient} requires at least {rules.min_output_tokens}"
    return rules.min_output_tokens, (Adjustment(parameter="max_tokens", reason=reason, action="changed"),)


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


def _accept_temperature(rules: Rules, request: ChatRequest) -> tuple[float | UnsetType, tuple[Adjustment, ...]]:
    """Return the temperature, clamped to the vendor's maximum. The default is not sent if the model rejects temperature."""
    requested, maximum = request.temperature, rules.max_temperature
    if requested is None:
        return UNSET, ()
    if "temperature" in rules.refuses:
        return UNSET, ((rules.build_refusal("temperature"),) if request.asks_temperature else ())
    if maximum is None or requested <= maximum:
        return requested, ()
    reason = f"{rules.recipient} accepts at maximum {maximum:g}"
    return maximum, (Adjustment(parameter="temperature", reason=reason, action="changed"),)
