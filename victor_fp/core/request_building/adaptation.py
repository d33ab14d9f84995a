"""Adaptation of tool names and schemas to what the vendor accepts, before a protocol builds the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.dialects.schemas import SchemaRules, SchemaSupport
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import ResponseFormat
from victor_fp.core.request_building.foreign_turns import list_dropped_state
from victor_fp.core.request_building.tool_names import list_tool_names, map_tool_names, rename_tools
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.schemas.conversion import Conversion, convert_schema
from victor_fp.core.types import ToolDefinition

_SHOWN_LOSSES = 3


class AdaptedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request with names and schemas that the vendor accepts."""

    request: ChatRequest
    adjustments: tuple[Adjustment, ...] = ()
    tool_names: Mapping[str, str] = {}
    """The caller's tool names by sent names, where they differ."""


class _AdaptedTool(msgspec.Struct, frozen=True, kw_only=True):
    tool: ToolDefinition
    unsupported: tuple[Adjustment, ...] = ()
    changes: tuple[Adjustment, ...] = ()


class _AdaptedFormat(msgspec.Struct, frozen=True, kw_only=True):
    form: ResponseFormat | None
    unsupported: tuple[Adjustment, ...] = ()
    changes: tuple[Adjustment, ...] = ()


def adapt_request(endpoint: Endpoint, request: ChatRequest) -> Result[AdaptedRequest, Fault]:
    """Replace tool names and convert schemas to what the vendor accepts for the model.

    UnsupportedParameter names the first schema that cannot be converted, unless the caller allows adjustments: then a tool's
    schema is relaxed, and a response schema is moved to the system message.
    InvalidRequest names a tool without a name, or with a duplicate name.
    """
    foreign_adjustments = list_dropped_state(endpoint.spec, request)
    names = [tool.name for tool in request.tools]
    if not all(names) or len(set(names)) < len(names):
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=_name_problem(names)))
    mapped = map_tool_names(endpoint.spec.dialect.tool_names, list_tool_names(request))
    if not mapped:
        return _adapt_schemas(endpoint, request, foreign_adjustments)
    renamed, changes = rename_tools(request, mapped)
    originals = {sent: name for name, sent in mapped.items()}
    return _adapt_schemas(endpoint, renamed, (*foreign_adjustments, *changes)).map(
        lambda adapted: msgspec.structs.replace(adapted, tool_names=originals)
    )


def _name_problem(names: Sequence[str]) -> str:
    """Return what is wrong with the names of the tools."""
    for index, name in enumerate(names):
        if not name:
            return f"tools[{index}]: name is empty"
        if name in names[:index]:
            return f"tools[{index}]: {name!r} is also the name of tools[{names.index(name)}]"
    return "tools: names are missing or not unique"


def _adapt_schemas(
    endpoint: Endpoint, request: ChatRequest, before: tuple[Adjustment, ...]
) -> Result[AdaptedRequest, Fault]:
    """Convert the schemas of a request; `before` are earlier adjustments."""
    spec, options = endpoint.spec, request.options
    form = options.response_format if spec.supports.json_schema is not False else None
    has_schema = form is not None and form.kind == "schema"
    if not has_schema and not (request.tools and spec.supports.tools):
        return Success(AdaptedRequest(request=request, adjustments=before))
    support = spec.dialect.find_schema_support(request.model)
    tools = [_adapt_tool(tool, support) for tool in request.tools] if spec.supports.tools else []
    adapted = _adapt_format(form, support) if has_schema and form is not None else _AdaptedFormat(form=form)
    unsupported = [*(one for tool in tools for one in tool.unsupported), *adapted.unsupported]
    changes = (*(one for tool in tools for one in tool.changes), *adapted.changes)
    match outcome(resolve_unsupported(endpoint, request, unsupported)):
        case Failure(fault):
            return Failure(fault)
        case Success(decided):
            pass
    replaced = msgspec.structs.replace(
        request,
        tools=tuple(tool.tool for tool in tools) or request.tools,
        options=msgspec.structs.replace(options, response_format=adapted.form) if has_schema else options,
    )
    return Success(AdaptedRequest(request=replaced, adjustments=(*before, *decided, *changes)))


def _adapt_tool(tool: ToolDefinition, support: SchemaSupport) -> _AdaptedTool:
    unsupported: tuple[Adjustment, ...] = ()
    strict = tool.strict
    converted: Conversion | None = None
    if strict and support.strict_tools is not None:
        converted = convert_schema(tool.parameters, support.strict_tools, arguments=True)
        if converted.losses:
            reason = f"{tool.name} cannot be strict: {_list_losses(converted.losses)}"
            unsupported = (Adjustment(parameter="tools.strict", reason=reason),)
            strict, converted = False, None
    if converted is None:
        converted = convert_schema(tool.parameters, support.tools, arguments=True)
        unsupported += tuple(
            Adjustment(parameter="tools", reason=f"{tool.name}: {loss}", action="changed") for loss in converted.losses
        )
    changes = tuple(
        Adjustment(parameter="tools", reason=f"{tool.name}: {change}", action="changed") for change in converted.changes
    )
    if converted.schema == tool.parameters and strict == tool.strict:
        return _AdaptedTool(tool=tool, unsupported=unsupported, changes=changes)
    replaced = tool.model_copy(update={"parameters": converted.schema, "strict": strict})
    return _AdaptedTool(tool=replaced, unsupported=unsupported, changes=changes)


def _adapt_format(form: ResponseFormat, support: SchemaSupport) -> _AdaptedFormat:
    """Convert the response format, strict if possible; None if its schema cannot be expressed."""
    lax, strict_rules = support.answers, support.strict_answers
    if strict_rules is None:
        return _convert_format(form, lax, is_strict=form.strict)
    if not form.strict and lax is not None:
        return _convert_format(form, lax, is_strict=False)
    strict = _convert_format(form, strict_rules, is_strict=form.strict)
    if strict.form is not None or lax is None:
        return strict
    reason = f"sent without strict: {strict.unsupported[0].reason}"
    relaxed = Adjustment(parameter="response_format", reason=reason, action="changed")
    other = _convert_format(form, lax, is_strict=False)
    if form.is_strict_required:
        return msgspec.structs.replace(other, unsupported=(relaxed, *other.unsupported))
    return msgspec.structs.replace(other, changes=(relaxed, *other.changes))


def _convert_format(form: ResponseFormat, rules: SchemaRules | None, *, is_strict: bool) -> _AdaptedFormat:
    if rules is None:
        return _AdaptedFormat(form=form)
    converted = convert_schema(form.schema, rules)
    if converted.losses:
        dropped = Adjustment(parameter="response_format", reason=_list_losses(converted.losses))
        return _AdaptedFormat(form=None, unsupported=(dropped,))
    return _AdaptedFormat(
        form=msgspec.structs.replace(form, schema=converted.schema, strict=is_strict),
        changes=tuple(
            Adjustment(parameter="response_format", reason=change, action="changed") for change in converted.changes
        ),
    )


def _list_losses(losses: Sequence[str]) -> str:
    more = f" (and {len(losses) - _SHOWN_LOSSES} more)" if len(losses) > _SHOWN_LOSSES else ""
    return "; ".join(losses[:_SHOWN_LOSSES]) + more
