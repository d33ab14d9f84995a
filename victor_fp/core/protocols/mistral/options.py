"""Sampling, thinking and the answer's form in Mistral's words, and what it has no word for."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.mistral.request import JsonSchemaFormat
from victor_fp_wire.mistral.request import ResponseFormat as WireFormat

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.options import Options, ResponseFormat
from victor_fp.core.protocols.mistral.chunks import refused
from victor_fp.core.protocols.support import find_nearest_effort
from victor_fp.core.requests import Adjustment, ChatRequest

JSON_OBJECT = WireFormat(type="json_object")


def temperature(
    spec: ProviderSpec, dialect: MistralDialect, request: ChatRequest, untaken: list[Adjustment]
) -> float | UnsetType:
    """The temperature; one beyond the bound is brought to it, visibly."""
    most = dialect.most_temperature
    if request.temperature is None or request.temperature <= most:
        return UNSET if request.temperature is None else request.temperature
    reason = f"{spec.title} takes at most {most:g}"
    untaken.append(Adjustment(parameter="temperature", reason=reason, action="changed"))
    return most


def effort(spec: ProviderSpec, dialect: MistralDialect, options: Options, untaken: list[Adjustment]) -> str | UnsetType:
    """The reasoning effort in the nearest of the vendor's words. There are no budgets."""
    if options.reasoning_budget is not None:
        untaken.append(refused(spec, "reasoning_budget"))
    word, known = options.reasoning_effort, dialect.efforts
    if word is None or word in known:
        return word or UNSET
    if not known:
        untaken.append(refused(spec, "reasoning_effort"))
        return UNSET
    near = find_nearest_effort(word, known)
    reason = f"{spec.title} knows {', '.join(known)}; sent as {near}"
    untaken.append(Adjustment(parameter="reasoning_effort", reason=reason, action="changed"))
    return near


def answer_form(spec: ProviderSpec, asked: ResponseFormat | None, untaken: list[Adjustment]) -> WireFormat | UnsetType:
    """JSON, by a schema or without. A schema is taken as it is, strict or not."""
    if asked is None:
        return UNSET
    if asked.kind == "schema" and spec.supports.json_schema is False:
        reason = f"{spec.title} knows JSON but no schema"
        untaken.append(Adjustment(parameter="response_format", reason=reason))
    if asked.kind == "json" or spec.supports.json_schema is False:
        return JSON_OBJECT
    schema = JsonSchemaFormat(name=asked.name, schema=dict(asked.schema), strict=asked.strict)
    return WireFormat(type="json_schema", json_schema=schema)


def tier(spec: ProviderSpec, dialect: MistralDialect, options: Options, untaken: list[Adjustment]) -> str | UnsetType:
    """The service tier, where it is one of the vendor's."""
    asked = options.service_tier
    if asked is None or asked in dialect.tiers:
        return asked or UNSET
    untaken.append(refused(spec, "service_tier"))
    return UNSET


def without_counterpart(spec: ProviderSpec, options: Options) -> list[Adjustment]:
    """What was asked for that a closed request has no field for."""
    asked = {
        "top_k": options.top_k is not None,
        "logprobs": options.logprobs is not None and options.logprobs is not False,
        "user": options.user is not None,
    }
    return [refused(spec, name) for name, given in asked.items() if given]
