"""The caller's options as far as a vendor accepts them, before a protocol writes them into its own fields."""

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
    """Sampling and reporting options; UNSET is what was not asked for, or what is refused."""

    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    stop: list[str] | UnsetType = UNSET
    logprobs: int | UnsetType = UNSET
    """How many alternatives per token, 0 for none beside the token itself."""
    service_tier: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    adjustments: tuple[Adjustment, ...] = ()


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to think, by a word the vendor knows or by tokens."""

    effort: str | None = None
    budget: int | None = None
    adjustments: tuple[Adjustment, ...] = ()


NO_THINKING = Thinking()


def accept_options(rules: Rules, request: ChatRequest) -> AcceptedOptions:
    """The sampling and reporting options that the vendor accepts, and what of the others had to be adjusted."""
    temperature, changed = _accept_temperature(rules, request)
    options = request.options
    if options is NO_OPTIONS:
        return AcceptedOptions(temperature=temperature, adjustments=changed)
    logprobs = None if options.logprobs is None or options.logprobs is False else options.logprobs
    asked = {
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
    adjustments += [rules.build_refusal(name) for name in asked if asked[name] is not None and name in rules.refuses]
    stop = _accept(rules, "stop", options.stop)
    if stop is not UNSET and rules.stop_limit is not None and len(stop) > rules.stop_limit:
        stop = stop[: rules.stop_limit]
        reason = f"{rules.recipient} accepts {rules.stop_limit} at most; the first are kept"
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
    """The bound on the answer's length; the default one yields where the caller's own fields name one of `fields`."""
    tokens, options = request.max_tokens, request.options
    if tokens is None:
        return UNSET, ()
    if (options.unknown or options.extra_body) and not request.asks_max_tokens:
        given = options.unknown.keys() | options.extra_body.keys()
        if not given.isdisjoint(fields):
            return UNSET, ()
    if tokens >= rules.min_output_tokens:
        return tokens, ()
    reason = f"{rules.recipient} accepts {rules.min_output_tokens} at least"
    return rules.min_output_tokens, (Adjustment(parameter="max_tokens", reason=reason, action="changed"),)


def accept_thinking(rules: Rules, request: ChatRequest) -> Thinking:
    """Effort and budget. Where both are asked for, the budget, being exact, wins visibly."""
    word, budget = request.options.reasoning_effort, request.options.reasoning_budget
    if word is None and budget is None:
        return NO_THINKING
    effort: str | None = word
    adjustments: list[Adjustment] = []
    if budget is not None and rules.is_refused("reasoning_budget"):
        adjustments.append(rules.build_refusal("reasoning_budget"))
        budget = None
    if effort is not None and (rules.is_refused("reasoning_effort") or not rules.efforts):
        adjustments.append(rules.build_refusal("reasoning_effort"))
        effort = None
    if effort is not None and budget is not None:
        reason = "a budget says the same more exactly, and only one of the two may be sent"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason))
        effort = None
    if effort is not None and effort not in rules.efforts:
        near = find_nearest_effort(effort, rules.efforts)
        reason = f"{rules.recipient} knows {', '.join(rules.efforts)}; sent as {near}"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason, action="changed"))
        effort = near
    return Thinking(effort=effort, budget=budget, adjustments=tuple(adjustments))


def _accept(rules: Rules, name: str, value: T | None) -> T | UnsetType:
    return UNSET if value is None or name in rules.refuses else value


def _accept_temperature(rules: Rules, request: ChatRequest) -> tuple[float | UnsetType, tuple[Adjustment, ...]]:
    """The temperature within the vendor's bound. The default one is left out where the model takes none."""
    asked, most = request.temperature, rules.max_temperature
    if asked is None:
        return UNSET, ()
    if "temperature" in rules.refuses:
        return UNSET, ((rules.build_refusal("temperature"),) if request.asks_temperature else ())
    if most is None or asked <= most:
        return asked, ()
    reason = f"{rules.recipient} accepts {most:g} at most"
    return most, (Adjustment(parameter="temperature", reason=reason, action="changed"),)
