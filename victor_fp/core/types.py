"""The standard types of all providers: frozen pydantic models, and the TypedDicts inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator, with_config
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from victor_fp.core.metadata import ChunkMetadata, ResponseMetadata

DEFAULT_TEMPERATURE: Final = 0.7
DEFAULT_MAX_TOKENS: Final = 4096

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]

StandardStopReason: TypeAlias = Literal["stop", "length", "tool_use", "content_filter", "refusal"]
"""The stop reasons common to all providers; any other value of `stop_reason` is vendor-specific."""


@with_config(ConfigDict(extra="allow"))
class ToolCall(TypedDict):
    """A tool call requested by the model."""

    id: str
    name: str
    arguments: dict[str, Any] | str
    """The parsed object, or the original text if it is not a JSON object."""


@with_config(ConfigDict(extra="allow"))
class Usage(TypedDict):
    """Token counts. A count that the vendor did not report is absent, never zero.

    `prompt_tokens` is the input, including cached tokens; `completion_tokens` the output, including reasoning;
    `total_tokens` is the vendor's, or the sum of the two. The other counts are parts of the first two.
    """

    prompt_tokens: NotRequired[int]
    completion_tokens: NotRequired[int]
    total_tokens: NotRequired[int]
    cache_creation_input_tokens: NotRequired[int]
    cache_read_input_tokens: NotRequired[int]
    reasoning_tokens: NotRequired[int]


_FROZEN = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True)


class TextPart(BaseModel):
    """Text inside a list of parts."""

    model_config = _FROZEN
    type: Literal["text"] = "text"
    text: str


class _Attachment(BaseModel):
    """Content given by URL or as bytes."""

    model_config = _FROZEN
    url: str | None = None
    data: bytes | None = None
    media_type: str | None = None
    """Such as `image/png`; required with `data`."""

    @model_validator(mode="after")
    def _check_one_source(self) -> _Attachment:
        if (self.url is None) == (self.data is None):
            raise ValueError("pass either url or data")
        if self.data is not None and self.media_type is None:
            raise ValueError("data requires a media_type, such as image/png")
        return self


class ImagePart(_Attachment):
    """An image, by URL or as bytes with a media type."""

    type: Literal["image"] = "image"
    detail: Literal["auto", "low", "high"] | None = None


class AudioPart(_Attachment):
    """Audio, by URL or as bytes with a media type."""

    type: Literal["audio"] = "audio"


class FilePart(_Attachment):
    """A document such as a PDF, by URL or as bytes with a media type."""

    type: Literal["file"] = "file"
    filename: str | None = None


Part: TypeAlias = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]


def _normalise_calls(value: Any) -> Any:
    """Also accept OpenAI's nested form of a tool call, `{"id", "type", "function": {"name", "arguments"}}`."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    return [_flatten_call(call) for call in value]


def _flatten_call(call: Any) -> Any:
    if isinstance(call, Mapping) and isinstance(function := call.get("function"), Mapping):
        others = {key: item for key, item in call.items() if key not in ("function", "type")}
        return {**others, "name": function.get("name"), "arguments": function.get("arguments") or {}}
    return call


ToolCalls: TypeAlias = Annotated[list[ToolCall], BeforeValidator(_normalise_calls)]


class Message(BaseModel):
    """One message of a conversation, in the format common to all providers."""

    model_config = _FROZEN

    role: Role
    content: str | list[Part] = ""
    name: str | None = None
    """The participant's name; for a tool message the tool's name, if known."""
    tool_calls: ToolCalls | None = None
    """Tool calls of an assistant message."""
    tool_call_id: str | None = None
    """The call that a tool message responds to."""
    is_error: bool = False
    """Whether a tool message reports a failure."""
    cache: bool = False
    """Marks the end of a prefix to cache, for vendors that support it."""
    metadata: dict[str, Any] | None = None
    """`provider_state` holds state that the vendor requires on the next turn; see `CompletionResponse.to_message`."""

    if TYPE_CHECKING:  # accepts plain dicts in place of TypedDicts

        def __init__(
            self,
            *,
            role: Role,
            content: str | Sequence[TextPart | ImagePart | AudioPart | FilePart] = "",
            name: str | None = None,
            tool_calls: Sequence[Mapping[str, object]] | None = None,
            tool_call_id: str | None = None,
            is_error: bool = False,
            cache: bool = False,
            metadata: Mapping[str, Any] | None = None,
        ) -> None: ...

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as plain JSON values; bytes in base64."""
        return self.model_dump(mode="json", exclude_defaults=True) | {
            "role": self.role,
            "content": self.model_dump(mode="json", include={"content"})["content"],
        }

    @property
    def text(self) -> str:
        """The text of the content; parts are joined without a separator."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


class ToolDefinition(BaseModel):
    """A tool that the model may call."""

    model_config = _FROZEN

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema of the arguments, an object."""
    strict: bool | None = None
    """Enforce the schema of the arguments, if the vendor supports it."""
    cache: bool = False
    """Marks the end of a prefix to cache."""


class CompletionResponse(BaseModel):
    """A complete response."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)

    content: str
    role: str = "assistant"
    tool_calls: list[ToolCall] | None = None
    stop_reason: str | None = None
    """One of `StandardStopReason`, or vendor-specific; `metadata["stop_reason_raw"]` has the vendor's value."""
    usage: Usage | None = None
    model: str | None = None
    raw_response: dict[str, Any] | None = None
    """The decoded body."""
    metadata: dict[str, Any] | None = None
    """`reasoning_content`, `refusal`, `provider_state`, `adjustments`, `id`, citations and other keys of
    `ResponseMetadata`."""

    if TYPE_CHECKING:  # accepts plain dicts in place of TypedDicts

        def __init__(
            self,
            *,
            content: str,
            role: str = "assistant",
            tool_calls: Sequence[Mapping[str, object]] | None = None,
            stop_reason: str | None = None,
            usage: Mapping[str, object] | None = None,
            model: str | None = None,
            raw_response: Mapping[str, Any] | None = None,
            metadata: Mapping[str, Any] | None = None,
        ) -> None: ...

    @property
    def typed_metadata(self) -> ResponseMetadata:
        """The metadata with the types of its documented keys; empty where there is none."""
        return cast("ResponseMetadata", self.metadata or {})

    def to_message(self) -> Message:
        """Return the assistant message for the next turn, with the state that the vendor requires."""
        metadata: dict[str, Any] = {}
        if (state := (self.metadata or {}).get("provider_state")) is not None:
            metadata["provider_state"] = state
        if (id_ := self.response_id) is not None:
            metadata["response_id"] = id_
        return Message(role="assistant", content=self.content, tool_calls=self.tool_calls, metadata=metadata or None)

    @property
    def response_id(self) -> str | None:
        """The id to pass as `previous_response_id`; None if the vendor does not store the response."""
        metadata = self.metadata or {}
        id_ = metadata.get("id")
        return id_ if metadata.get("stored") is True and isinstance(id_, str) else None


class StreamChunk(BaseModel):
    """A part of a streamed response. Only the last chunk of a stream has `is_final`; it has the stop reason and the
    complete usage, tool calls and metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)

    content: str = ""
    tool_calls: list[ToolCall] | None = None
    stop_reason: str | None = None
    is_final: bool = False
    metadata: dict[str, Any] | None = None
    """The keys of `ChunkMetadata`: before the final chunk parts of `reasoning_content`, `refusal` and
    `tool_call_deltas`, on the final chunk everything."""
    usage: Usage | None = None
    model: str | None = None
    """On the final chunk, if the vendor reports it."""
    response: CompletionResponse | None = Field(default=None, exclude=True, repr=False)
    """On the final chunk, the complete response; excluded from dumps."""

    if TYPE_CHECKING:  # accepts plain dicts in place of TypedDicts

        def __init__(
            self,
            *,
            content: str = "",
            tool_calls: Sequence[Mapping[str, object]] | None = None,
            stop_reason: str | None = None,
            is_final: bool = False,
            metadata: Mapping[str, Any] | None = None,
            usage: Mapping[str, object] | None = None,
            model: str | None = None,
            response: CompletionResponse | None = None,
        ) -> None: ...

    @property
    def typed_metadata(self) -> ChunkMetadata:
        """The metadata with the types of its documented keys; empty where there is none."""
        return cast("ChunkMetadata", self.metadata or {})

    def to_message(self) -> Message:
        """Return the assistant message for the next turn, with the state that the vendor requires.

        Raises ValueError unless this is the final chunk.
        """
        if self.response is None:
            raise ValueError("only the final chunk of a stream has the complete message")
        return self.response.to_message()
