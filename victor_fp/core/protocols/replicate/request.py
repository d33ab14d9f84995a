"""Requests that create a prediction."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace
from returns.result import Failure, Result
from victor_fp_wire.replicate.operations import CreateDeploymentPrediction, CreateModelPrediction, CreatePrediction
from victor_fp_wire.replicate.request import PredictionRequest, VersionPredictionRequest

from victor_fp.core.dialects.chat import find_nearest_effort
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json
from victor_fp.core.models.replicate import Inputs
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.protocols.replicate.model_names import SPELLINGS, parse_model
from victor_fp.core.protocols.replicate.prompts import build_prompt
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported

PREFER = "prefer"


def write(endpoint: Endpoint, dialect: ReplicateDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request that creates a prediction. Unknown options are sent as inputs of the model."""
    target = parse_model(request.model)
    if target is None:
        message = f"{request.model!r:.100} is not a Replicate model: expected {SPELLINGS}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    inputs, options = dialect.find_inputs(request.model), request.options
    prompt = build_prompt(inputs, request.messages)
    option_inputs, unsupported = _build_inputs(inputs, request)
    resolved = resolve_unsupported(endpoint, request, [*prompt.unsupported, *unsupported]).map(
        lambda adjustments: (*adjustments, *prompt.notes)
    )
    all_inputs: dict[str, Json] = {**prompt.fields, **option_inputs}
    prefer = UNSET if request.stream else f"wait={dialect.wait}"
    unknown = {"input": options.unknown} if options.unknown else {}
    if target.version:
        versioned = VersionPredictionRequest(version=target.version, input=all_inputs)
        creation = CreatePrediction(prefer=prefer)
        return resolved.map(
            lambda adjustments: replace(
                build_chat(endpoint, creation, versioned, options, adjustments, unknown=unknown), is_polled=True
            )
        )
    create = CreateDeploymentPrediction if target.is_deployment else CreateModelPrediction
    operation = create(owner=target.owner, name=target.name, prefer=prefer)
    body = PredictionRequest(input=all_inputs)
    return resolved.map(
        lambda adjustments: replace(
            build_chat(endpoint, operation, body, options, adjustments, unknown=unknown), is_polled=True
        )
    )


def _build_inputs(inputs: Inputs, request: ChatRequest) -> tuple[dict[str, Json], list[Adjustment]]:
    """Build the input fields of options. Defaults are sent if the model accepts them, and silently omitted if not."""
    options, fields = request.options, dict[str, Json]()
    bound, in_bound = _clamp(inputs, request.max_tokens)
    effort, in_effort = _choose_effort(inputs, options.reasoning_effort)
    unsupported = [*in_bound, *in_effort]
    values: dict[str, Json] = {
        "max_tokens": bound,
        "temperature": request.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "seed": options.seed,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "stop": _stop(inputs, options.stop),
        "reasoning_effort": effort,
        "reasoning_budget": options.reasoning_budget,
    }
    defaults = {"max_tokens": not request.asks_max_tokens, "temperature": not request.asks_temperature}
    for name, value in values.items():
        if value is None:
            continue
        if name in inputs.fields:
            fields[inputs.fields[name]] = value
        elif not defaults.get(name):
            unsupported.append(Adjustment(parameter=name, reason="this model has no such input"))
    if inputs.thinking_switch and options.reasoning_budget is not None:
        fields[inputs.thinking_switch] = options.reasoning_budget > 0
        if options.reasoning_budget <= 0:
            del fields[inputs.fields["reasoning_budget"]]
    return fields, [*unsupported, *_list_unsupported(request)]


def _clamp(inputs: Inputs, bound: int | None) -> tuple[int | None, list[Adjustment]]:
    if bound is None or bound >= inputs.min_output_tokens or "max_tokens" not in inputs.fields:
        return bound, []
    reason = f"this model requires at least {inputs.min_output_tokens}"
    return inputs.min_output_tokens, [Adjustment(parameter="max_tokens", reason=reason, action="changed")]


def _stop(inputs: Inputs, stop: tuple[str, ...] | None) -> Json:
    if stop is None:
        return None
    return list(stop) if inputs.stop_form == "list" else ",".join(stop)


def _choose_effort(inputs: Inputs, effort: str | None) -> tuple[str | None, list[Adjustment]]:
    """Return the effort if the model accepts it, else the nearest one, reported; "none" is never substituted."""
    if effort is None or "reasoning_effort" not in inputs.fields or effort in inputs.efforts:
        return effort, []
    nearest = find_nearest_effort(effort, inputs.efforts)
    reason = f"this model accepts {', '.join(inputs.efforts)}; sent as {nearest}"
    return nearest, [Adjustment(parameter="reasoning_effort", reason=reason, action="changed")]


def _list_unsupported(request: ChatRequest) -> list[Adjustment]:
    """List the requested options that predictions do not support."""
    options = request.options
    requested = {
        "tools": bool(request.tools) and options.tool_choice != "none",
        "response_format": options.response_format is not None,
        "logprobs": options.logprobs is not None and options.logprobs is not False,
        "service_tier": options.service_tier is not None,
        "user": options.user is not None,
    }
    unsupported = [
        Adjustment(parameter=name, reason="predictions do not support it")
        for name, is_set in requested.items()
        if is_set
    ]
    if not request.tools and (options.tool_choice == "required" or isinstance(options.tool_choice, dict)):
        unsupported.append(Adjustment(parameter="tool_choice", reason="there are no tools to choose from"))
    return unsupported
