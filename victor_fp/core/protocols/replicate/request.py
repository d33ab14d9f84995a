"""Requests that create a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from returns.result import Failure, Result
from victor_fp_wire.replicate.operations import CreateDeploymentPrediction, CreateModelPrediction, CreatePrediction
from victor_fp_wire.replicate.request import ModelInput, PredictionRequest, VersionPredictionRequest

from victor_fp.core.dialects.chat import find_nearest_effort
from victor_fp.core.dialects.policies.replicate import Inputs, OptionName
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.protocols.replicate.model_names import SPELLINGS, parse_model
from victor_fp.core.protocols.replicate.prompts import Prompt, build_prompt
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported

PREFER = "prefer"
_T = TypeVar("_T")


class UnknownInputs(TypedDict):
    """Options without a typed field, at their position in the body."""

    input: Mapping[str, Json]


def write(endpoint: Endpoint, dialect: ReplicateDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request that creates a prediction. Unknown options are sent as inputs of the model."""
    target = parse_model(request.model)
    if target is None:
        message = f"{request.model!r:.100} is not a Replicate model: expected {SPELLINGS}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    inputs, options = dialect.find_inputs(request.model), request.options
    prompt = build_prompt(inputs, request.messages)
    sent, unsupported = _build_input(inputs, request, prompt)
    resolved = resolve_unsupported(endpoint, request, [*prompt.unsupported, *unsupported]).map(
        lambda adjustments: (*adjustments, *prompt.notes)
    )
    prefer = UNSET if request.stream else f"wait={dialect.wait}"
    unknown = UnknownInputs(input=options.unknown) if options.unknown else None
    if target.version:
        versioned = VersionPredictionRequest(version=target.version, input=sent)
        creation = CreatePrediction(prefer=prefer)
        return resolved.map(
            lambda adjustments: replace(
                build_chat(endpoint, creation, versioned, options, adjustments, unknown=unknown), is_polled=True
            )
        )
    create = CreateDeploymentPrediction if target.is_deployment else CreateModelPrediction
    operation = create(owner=target.owner, name=target.name, prefer=prefer)
    body = PredictionRequest(input=sent)
    return resolved.map(
        lambda adjustments: replace(
            build_chat(endpoint, operation, body, options, adjustments, unknown=unknown), is_polled=True
        )
    )


def _build_input(inputs: Inputs, request: ChatRequest, prompt: Prompt) -> tuple[ModelInput, list[Adjustment]]:
    """Build the input of the model. Defaults are sent if the model accepts them, and silently omitted if not."""
    options = request.options
    length, in_length = _clamp(inputs, request.max_tokens)
    effort, in_effort = _choose_effort(inputs, options.reasoning_effort)
    budget = UNSET if options.reasoning_budget is None else options.reasoning_budget
    thinks: bool | UnsetType = UNSET
    if inputs.thinking_switch and budget is not UNSET:
        thinks = budget > 0
        budget = budget if thinks else UNSET
    bound = UNSET if length is None else length
    images = UNSET if not prompt.images else list(prompt.images)
    sent = ModelInput(
        prompt=prompt.prompt,
        system_prompt=prompt.system if inputs.system == "system_prompt" else UNSET,
        system_instruction=prompt.system if inputs.system == "system_instruction" else UNSET,
        messages=prompt.messages,
        image=prompt.images[0] if inputs.images == "image" and prompt.images else UNSET,
        images=images if inputs.images == "images" else UNSET,
        image_input=images if inputs.images == "image_input" else UNSET,
        max_tokens=bound if inputs.length == "max_tokens" else UNSET,
        max_completion_tokens=bound if inputs.length == "max_completion_tokens" else UNSET,
        max_output_tokens=bound if inputs.length == "max_output_tokens" else UNSET,
        max_new_tokens=bound if inputs.length == "max_new_tokens" else UNSET,
        temperature=_accept(inputs, "temperature", request.temperature),
        top_p=_accept(inputs, "top_p", options.top_p),
        top_k=_accept(inputs, "top_k", options.top_k),
        seed=_accept(inputs, "seed", options.seed),
        presence_penalty=_accept(inputs, "presence_penalty", options.presence_penalty),
        frequency_penalty=_accept(inputs, "frequency_penalty", options.frequency_penalty),
        stop_sequences=_accept(inputs, "stop", _join_stops(inputs, options.stop)),
        reasoning_effort=_accept(inputs, "reasoning_effort", effort),
        extended_thinking=thinks,
        thinking_budget=budget if inputs.budget == "thinking_budget" else UNSET,
        thinking_budget_tokens=budget if inputs.budget == "thinking_budget_tokens" else UNSET,
    )
    return sent, [*in_length, *in_effort, *_list_missing(inputs, request), *_list_unsupported(request)]


def _accept(inputs: Inputs, option: OptionName, value: _T | None) -> _T | UnsetType:
    """Return the value if the model has an input for the option."""
    return UNSET if value is None or option not in inputs.options else value


def _list_missing(inputs: Inputs, request: ChatRequest) -> list[Adjustment]:
    """List the requested options that other models have an input for."""
    options = request.options
    requested: dict[OptionName, bool] = {
        "temperature": request.asks_temperature,
        "top_p": options.top_p is not None,
        "top_k": options.top_k is not None,
        "seed": options.seed is not None,
        "presence_penalty": options.presence_penalty is not None,
        "frequency_penalty": options.frequency_penalty is not None,
        "stop": options.stop is not None,
        "reasoning_effort": options.reasoning_effort is not None,
    }
    missing: list[str] = [name for name, is_set in requested.items() if is_set and name not in inputs.options]
    if options.reasoning_budget is not None and inputs.budget is None:
        missing.append("reasoning_budget")
    return [Adjustment(parameter=name, reason="this model does not support it") for name in missing]


def _clamp(inputs: Inputs, bound: int | None) -> tuple[int | None, list[Adjustment]]:
    if bound is None or bound >= inputs.min_output_tokens:
        return bound, []
    reason = f"this model requires at least {inputs.min_output_tokens}"
    return inputs.min_output_tokens, [Adjustment(parameter="max_tokens", reason=reason, action="changed")]


def _join_stops(inputs: Inputs, stop: tuple[str, ...] | None) -> str | list[str] | None:
    if stop is None:
        return None
    return list(stop) if inputs.stop_form == "list" else ",".join(stop)


def _choose_effort(inputs: Inputs, effort: str | None) -> tuple[str | None, list[Adjustment]]:
    """Return the effort if the model accepts it, else the nearest one, reported; "none" is never substituted."""
    if effort is None or "reasoning_effort" not in inputs.options or effort in inputs.efforts:
        return effort, []
    nearest = find_nearest_effort(effort, inputs.efforts)
    reason = f"this model accepts {', '.join(inputs.efforts)}; sent as {nearest}"
    return nearest, [Adjustment(parameter="reasoning_effort", reason=reason, action="changed")]


def _list_unsupported(request: ChatRequest) -> list[Adjustment]:
    """List the requested options that predictions do not support."""
    options = request.options
    requested = {
        "tools": bool(request.tools) and options.tool_choice != "none",
        "parallel_tool_calls": bool(request.tools) and options.parallel_tool_calls is False,
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
