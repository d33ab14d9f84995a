"""Length, sampling and reporting options in the vendor's words."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.requests import Adjustment, ChatRequest

TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")


def length(rules: Rules, request: ChatRequest, extras: Mapping[str, object]) -> Written:
    """The bound on the answer; the default one yields where the caller bounds it in the vendor's words."""
    if request.max_tokens is None or (not request.asks_max_tokens and any(name in extras for name in TOKENS_FIELDS)):
        return Written()
    return Written(fields={rules.tokens_field: request.max_tokens})


def sampling(rules: Rules, request: ChatRequest) -> Written:
    """Temperature and its kin. A default temperature is left out where the model takes none."""
    options = request.options
    fields: dict[str, object] = {}
    adjustments: list[Adjustment] = []
    if request.temperature is not None:
        most = rules.dialect.most_temperature
        if most is not None and request.temperature > most and not rules.refused("temperature"):
            fields["temperature"] = most
            reason = f"{rules.taker} takes at most {most:g}"
            adjustments.append(Adjustment(parameter="temperature", reason=reason, action="changed"))
        elif not rules.refused("temperature"):
            fields["temperature"] = request.temperature
        elif request.asks_temperature:
            adjustments.append(rules.against("temperature"))
    asked = {
        "top_p": options.top_p,
        "top_k": options.top_k,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "seed": options.seed,
        "stop": options.stop,
    }
    for name, value in asked.items():
        if value is None:
            continue
        if rules.refused(name):
            adjustments.append(rules.against(name))
        else:
            fields[rules.word(name)] = value
    limit = rules.dialect.stop_limit
    if options.stop is not None and limit is not None and "stop" in fields and len(options.stop) > limit:
        fields["stop"] = options.stop[:limit]
        reason = f"{rules.taker} takes {limit} at most; the first are kept"
        adjustments.append(Adjustment(parameter="stop", reason=reason, action="changed"))
    return Written(fields=fields, adjustments=tuple(adjustments))


def reporting(rules: Rules, request: ChatRequest) -> Written:
    """Log probabilities, the service tier and the end user."""
    options = request.options
    fields: dict[str, object] = {}
    adjustments: list[Adjustment] = []
    if options.logprobs is not None and options.logprobs is not False:
        if rules.refused("logprobs"):
            adjustments.append(rules.against("logprobs"))
        else:
            fields |= _logprobs(rules, 0 if options.logprobs is True else int(options.logprobs))
    for name, value in (("service_tier", options.service_tier), ("user", options.user)):
        if value is None:
            continue
        if rules.refused(name):
            adjustments.append(rules.against(name))
        else:
            fields[rules.word(name)] = value
    return Written(fields=fields, adjustments=tuple(adjustments))


def _logprobs(rules: Rules, count: int) -> dict[str, object]:
    if rules.dialect.logprobs_as == "count":
        return {"logprobs": count or 1}
    return {"logprobs": True, **({"top_logprobs": count} if count else {})}
