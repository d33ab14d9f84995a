"""The options of a completion besides messages and tools, and their conversion to typed values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast

import msgspec
from pydantic import BaseModel, TypeAdapter
from pydantic.dataclasses import is_pydantic_dataclass
from returns.result import Failure, Result, Success
from typing_extensions import TypedDict, is_typeddict

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json
from victor_fp.core.json.keys import convert_keys
from victor_fp.core.security.secrets import HiddenValuesDict

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
OnUnsupported: TypeAlias = Literal["fail", "adjust"]


class NamedTool(TypedDict):
    """Requires a call of this tool."""

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | NamedTool
ResponseFormatOption: TypeAlias = "type[object] | Mapping[str, Any] | Literal['json']"
"""A class is a pydantic model, a msgspec Struct, a dataclass or a TypedDict."""


class ChatOptions(TypedDict, total=False):
    """The options of `chat` and `stream`, for `**options: Unpack[ChatOptions]`."""

    top_p: float
    top_k: int
    seed: int
    stop: list[str]
    presence_penalty: float
    frequency_penalty: float
    tool_choice: ToolChoice
    parallel_tool_calls: bool
    text_tool_calls: str
    """Also accept calls of the passed tools that the model writes as text: in the named format, in one of several
    comma-separated formats, or in `any`."""
    tools_in_prompt: bool
    """Describe the tools in the prompt instead of using the API, for models without tool support; requires
    `text_tool_calls`."""
    response_format: ResponseFormatOption
    repair: int
    """How many times a non-streaming response that does not match `response_format` is requested again, with the errors
    added to the conversation. The turns are in `metadata["attempts"]`."""
    reasoning_effort: ReasoningEffort
    reasoning_budget: int
    """Tokens."""
    logprobs: bool | int
    """True, or the number of alternatives per token."""
    service_tier: str
    user: str
    store: bool
    """Let the vendor store the response, so that `previous_response_id` can continue it. Default: not stored."""
    previous_response_id: str | None
    """Continue a stored response (`response.response_id`); messages that the vendor has stored are not sent again."""
    background: bool
    """Let the vendor generate the response in the background, independently of the connection; it is polled."""
    extra_body: Mapping[str, Any]
    """Merged into the request body unchanged, last."""
    extra_headers: Mapping[str, str]
    timeout: float
    """Seconds for one attempt: in total for a call, between two reads for a stream."""
    deadline: float
    """Seconds in total: queue, attempts, backoff, fallbacks."""
    max_retries: int
    """Maximum number of retries; it can lower the provider's limit, not raise it. 0: one attempt."""
    on_unsupported: OnUnsupported
    """Fail on unsupported options (the default), or omit them and list them in `metadata["adjustments"]`."""


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """JSON as the format of the response: any object, or one that matches a schema."""

    kind: Literal["json", "schema"]
    name: str = "answer"
    schema: dict[str, Json] = {}
    strict: bool = True
    """Enforce the schema, if the vendor supports it."""
    is_strict_required: bool = False
    """Whether the caller passed `strict` explicitly, so that a vendor without support for it is an error."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`ChatOptions` as typed values; None means not set. Timeouts are handled by the shell and not included."""

    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, str] | None = None
    """A dict has the form `{"name": tool}`."""
    parallel_tool_calls: bool | None = None
    text_tool_calls: str | None = None
    tools_in_prompt: bool = False
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget: int | None = None
    logprobs: bool | int | None = None
    service_tier: str | None = None
    user: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    extra_body: dict[str, Json] = {}
    extra_headers: dict[str, str] = {}
    on_unsupported: OnUnsupported = "fail"
    unknown: dict[str, Json] = {}
    """Other options; they are merged into the body unchanged, before extra_body."""


NO_OPTIONS = Options()
FORMATS = "a pydantic model, a msgspec Struct, a dataclass, a TypedDict or a JSON Schema"
"""What can be the format of a response, for messages."""
_SHELL = frozenset({"timeout", "deadline", "max_retries", "priority", "repair"})
_KNOWN = frozenset(Options.__struct_fields__) - {"unknown"}


def read_options(given: Mapping[str, object], *, provider: str = "") -> Result[Options, Fault]:
    """Convert options to typed values, or return InvalidRequest with the invalid option. None counts as not set."""
    present = convert_keys({name: value for name, value in given.items() if value is not None and name not in _SHELL})
    if not present:
        return Success(NO_OPTIONS)
    if isinstance(present, str):
        return Failure(InvalidRequest(provider=provider, message=present))
    known = {name: value for name, value in present.items() if name in _KNOWN}
    unknown = {name: value for name, value in present.items() if name not in _KNOWN}
    if isinstance(stop := known.get("stop"), str):
        known["stop"] = (stop,)
    if isinstance(choice := known.get("tool_choice"), Mapping) and choice.keys() != {"name"}:
        message = "tool_choice: expected 'auto', 'none', 'required' or {'name': tool}"
        return Failure(InvalidRequest(provider=provider, message=message))
    if "response_format" in known:
        format_ = _read_format(known["response_format"])
        if format_ is None:
            known.pop("response_format")
        elif isinstance(format_, str):
            return Failure(InvalidRequest(provider=provider, message=f"response_format: {format_}"))
        else:
            known["response_format"] = format_
    try:
        options = msgspec.convert({**known, "unknown": unknown}, Options)
    except msgspec.ValidationError as error:
        return Failure(InvalidRequest(provider=provider, message=f"invalid option: {error}"))
    except UnicodeEncodeError:
        names = [name for name, value in known.items() if isinstance(value, str) and "\\ud" in ascii(value)]
        message = f"{', '.join(names) or 'an option'}: lone surrogate, which cannot be encoded"
        return Failure(InvalidRequest(provider=provider, message=message))
    if options.extra_headers:  # may contain the key of a gateway
        options = msgspec.structs.replace(options, extra_headers=HiddenValuesDict(options.extra_headers))
    return Success(options)


def _read_format(value: object) -> ResponseFormat | str | None:
    """Read a format in any accepted form; None for plain text; a str is an error message."""
    if value == "json":
        return ResponseFormat(kind="json")
    if isinstance(value, ResponseFormat):
        return value
    if isinstance(value, type):
        return read_format_class(value)
    if isinstance(value, Mapping):
        return _read_format_mapping(value)
    return f"expected 'json', {FORMATS}"


def is_format_class(kind: type[object]) -> bool:
    """Return whether a class can be the format of a response."""
    return issubclass(kind, BaseModel | msgspec.Struct) or is_dataclass(kind) or is_typeddict(kind)


def read_format_class(kind: type[object]) -> ResponseFormat | str:
    """Convert a class to a format; a str is an error message.

    The schema of a class is computed once, and again for a pydantic class that was rebuilt.
    """
    described, core_schema = _describe_once(cast("Hashable", kind))  # mypy does not know that classes are hashable
    if isinstance(described, str) or core_schema is not getattr(kind, "__pydantic_core_schema__", None):
        return _describe_class(kind)
    return described


@lru_cache(maxsize=64)
def _describe_once(kind: type[object]) -> tuple[ResponseFormat | str, object]:
    """Return the format of a class, and the core schema that the class had: a schema costs more than a call."""
    return _describe_class(kind), getattr(kind, "__pydantic_core_schema__", None)


def _describe_class(kind: type[object]) -> ResponseFormat | str:
    if not is_format_class(kind):
        return f"expected {FORMATS}, got the class {kind.__name__}"
    try:
        if issubclass(kind, BaseModel):
            schema = kind.model_json_schema()
        elif is_pydantic_dataclass(kind):
            schema = TypeAdapter(kind).json_schema()
        else:
            schema = _build_object_schema(kind)
    except Exception as error:  # the types of its fields are the caller's
        return f"{kind.__name__} has no JSON Schema: {' '.join(str(error).split()):.300}"
    return ResponseFormat(kind="schema", name=kind.__name__, schema=schema)


def _build_object_schema(kind: type[object]) -> dict[str, Json]:
    """Build a self-contained object schema: the root inlined, other definitions in `$defs`."""
    (root,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = str(root["$ref"]).rsplit("/", 1)[-1]
    schema: dict[str, Json] = dict(definitions[name])
    others: dict[str, Json] = {key: value for key, value in definitions.items() if key != name}
    return schema | ({"$defs": others} if others else {})


def _read_format_mapping(value: Mapping[str, Any]) -> ResponseFormat | str | None:
    match value.get("type"):
        case "text" if len(value) == 1:
            return None
        case "json_object" if len(value) == 1:
            return ResponseFormat(kind="json")
        case "json_schema" if isinstance(spec := value.get("json_schema"), Mapping):
            if not isinstance(schema := spec.get("schema"), Mapping):
                return "json_schema requires a schema"
            strict = spec.get("strict")
            return ResponseFormat(
                kind="schema",
                name=str(spec.get("name") or "answer"),
                schema=dict(schema),
                strict=True if strict is None else bool(strict),
                is_strict_required=bool(strict),
            )
        case _:
            return ResponseFormat(kind="schema", name=str(value.get("title") or "answer"), schema=dict(value))
