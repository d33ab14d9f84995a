"""What a caller may ask of a completion beyond messages and tools, read once into typed values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from pydantic import BaseModel
from returns.result import Failure, Result, Success
from typing_extensions import TypedDict

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json
from victor_fp.core.secrets import HiddenValuesDict

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
OnUnsupported: TypeAlias = Literal["fail", "adjust"]


class NamedTool(TypedDict):
    """Call this tool and no other."""

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | NamedTool
ResponseFormatOption: TypeAlias = "type[BaseModel | msgspec.Struct] | Mapping[str, Any] | Literal['json']"


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
    """Also take calls of the passed tools that the model writes as text: in the format of this name, in several with
    commas between, or in `any`."""
    tools_in_prompt: bool
    """Tell of the tools in the prompt instead of by the API, for models that take none; needs `text_tool_calls`."""
    response_format: ResponseFormatOption
    repair: int
    """How often at most a whole answer that does not match `response_format` is asked for again, in a conversation that
    says what is wrong with it. The turns are in `metadata["attempts"]`."""
    reasoning_effort: ReasoningEffort
    reasoning_budget: int
    """Tokens."""
    logprobs: bool | int
    """True, or how many alternatives per token."""
    service_tier: str
    user: str
    store: bool
    """Whether the vendor keeps the response, to be continued by `previous_response_id`; it is asked not to."""
    previous_response_id: str | None
    """Continue a response that the vendor keeps (`response.response_id`): what it has of the messages is not sent again."""
    background: bool
    """Let the vendor make the response whether or not a connection lasts; it is polled, and may take as long as it takes."""
    extra_body: Mapping[str, Any]
    """Merged into the request's body as it is, last."""
    extra_headers: Mapping[str, str]
    timeout: float
    """Seconds for one attempt: the whole of a call, each silence of a stream."""
    deadline: float
    """Seconds for everything: queue, attempts, waits, fallbacks."""
    on_unsupported: OnUnsupported
    """Fail on what the provider cannot take (the default), or leave it out and say so in `metadata["adjustments"]`."""


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """JSON as the answer's form: any object, or one that a schema describes."""

    kind: Literal["json", "schema"]
    name: str = "answer"
    schema: dict[str, Json] = {}
    strict: bool = True
    """Hold the answer to the schema, where the vendor can."""
    is_strict_required: bool = False
    """The caller asked for `strict` by name, so that going without it is a refusal."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`ChatOptions` after reading: None is what the caller did not set. Timeouts are the shell's and not here."""

    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, str] | None = None
    """A dict is `{"name": tool}`."""
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
    """Options that are none of the above; they go into the body as they are, before extra_body."""


NO_OPTIONS = Options()
_SHELL = frozenset({"timeout", "deadline", "priority", "repair"})
_KNOWN = frozenset(Options.__struct_fields__) - {"unknown"}


def read_options(given: Mapping[str, object], *, provider: str = "") -> Result[Options, Fault]:
    """Typed options, or InvalidRequest that names what is wrong. None counts as not set."""
    present = {name: value for name, value in given.items() if value is not None and name not in _SHELL}
    if not present:
        return Success(NO_OPTIONS)
    known = {name: value for name, value in present.items() if name in _KNOWN}
    unknown = {name: value for name, value in present.items() if name not in _KNOWN}
    if isinstance(stop := known.get("stop"), str):
        known["stop"] = (stop,)
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
    if options.extra_headers:  # a gateway's key may be among them
        options = msgspec.structs.replace(options, extra_headers=HiddenValuesDict(options.extra_headers))
    return Success(options)


def _read_format(value: object) -> ResponseFormat | str | None:
    """The format in any of its spellings; None for plain text; a str says what is wrong."""
    if value == "json":
        return ResponseFormat(kind="json")
    if isinstance(value, ResponseFormat):
        return value
    if isinstance(value, type):
        return _read_format_class(value)
    if isinstance(value, Mapping):
        return _read_format_mapping(value)
    return "expected 'json', a JSON Schema, a pydantic model or a msgspec Struct"


def _read_format_class(kind: type[object]) -> ResponseFormat | str:
    if issubclass(kind, BaseModel):
        return ResponseFormat(kind="schema", name=kind.__name__, schema=kind.model_json_schema())
    if issubclass(kind, msgspec.Struct):
        return ResponseFormat(kind="schema", name=kind.__name__, schema=_build_struct_schema(kind))
    return f"{kind.__name__} is neither a pydantic model nor a msgspec Struct"


def _build_struct_schema(kind: type[msgspec.Struct]) -> dict[str, Json]:
    """One self-contained object schema: the root inlined, its definitions beside it."""
    (root,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = str(root["$ref"]).rsplit("/", 1)[-1]
    own: dict[str, Json] = dict(definitions[name])
    rest: dict[str, Json] = {key: value for key, value in definitions.items() if key != name}
    return own | ({"$defs": rest} if rest else {})


def _read_format_mapping(value: Mapping[str, Any]) -> ResponseFormat | str | None:
    match value.get("type"):
        case "text" if len(value) == 1:
            return None
        case "json_object" if len(value) == 1:
            return ResponseFormat(kind="json")
        case "json_schema" if isinstance(spec := value.get("json_schema"), Mapping):
            if not isinstance(schema := spec.get("schema"), Mapping):
                return "json_schema needs a schema"
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
