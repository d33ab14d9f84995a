"""Rows of a job: their types, parsing from plain data, and the digest that identifies a row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Any, Literal, TypeAlias, final

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json, NotJson, decode_flawed_json, decode_json, encode_json
from victor_fp.core.options import ResponseFormat, read_format_class
from victor_fp.core.request_building.inputs import read_messages, read_tools
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

MAX_KEY_LENGTH = 512
"""Maximum characters of a key. For vendors' batch APIs, which accept fewer, it is shortened reversibly."""
RowOperation: TypeAlias = Literal["chat", "embeddings"]
"""The operation of a job's rows."""
_ARGUMENTS: Mapping[RowOperation, AbstractSet[str]] = {
    "chat": frozenset({"self", "messages", "model", "tools"}),
    "embeddings": frozenset({"self", "texts", "model"}),
}
"""Arguments of the calls that are fields of a row and not options."""
_UNENCODABLE = (TypeError, ValueError, RecursionError, msgspec.MsgspecError)
"""Exceptions for a value that cannot be encoded; UnicodeEncodeError is a ValueError."""
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_NAME = re.compile(r"[^\W\d][\w.-]*(?: [\w.-]+)*")
"""Names in braces that are columns even if the record does not have them; other text in braces, such as JSON, is text then."""


class Row(msgspec.Struct, frozen=True):
    """One row: a unique key, the conversation or one text, and options of `chat`.

    >>> Row("1", "Name a colour.", {"temperature": 0.0}).key
    '1'
    """

    key: str
    messages: str | Sequence[Message | Mapping[str, Any]]
    options: Mapping[str, Any] = {}
    """Keywords of `chat` other than `model`, `messages` and `tools`; they override those of the job."""
    model: str | None = None
    """Overrides the job's model."""
    tools: Sequence[ToolDefinition | Mapping[str, Any]] = ()


class TextRow(msgspec.Struct, frozen=True):
    """A row of an embedding job: a unique key, and one or several texts.

    >>> TextRow("1", "A text about colours.").key
    '1'
    """

    key: str
    texts: str | Sequence[str]
    options: Mapping[str, Any] = {}
    """Keywords of `embed` other than `model` and `texts`; they override those of the job."""
    model: str | None = None
    """Overrides the job's model."""


class CheckedRow(msgspec.Struct, frozen=True, gc=False):
    """A validated row, with typed messages and tools, and its digest."""

    key: str
    messages: tuple[Message, ...]
    model: str
    tools: tuple[ToolDefinition, ...]
    options: Mapping[str, Any]
    digest: bytes
    position: int = 0
    """Its position in the input, from 0."""
    own_options: Mapping[str, Any] = {}
    """The options of the row itself, without those of the job."""
    texts: tuple[str, ...] = ()
    """Texts of an embedding row, which has no messages and tools."""
    size: int = 0
    """Bytes of its encoded content; 0 for a row from the ledger."""


@final
class RejectedRow(msgspec.Struct, frozen=True):
    """An invalid row, with its fault."""

    key: str
    fault: Fault
    position: int = 0


RowInput: TypeAlias = "Row | Mapping[str, Any] | RejectedRow"
"""Accepted items of a source of rows; a mapping has `key` and `messages` or `prompt`."""
TextRowInput: TypeAlias = "TextRow | RowInput"
"""Accepted items for embedding jobs: a `Row` has one text, a mapping `key` and `texts`, `text` or `prompt`."""


def check_row(
    given: TextRowInput,
    position: int,
    *,
    provider: str,
    model: str | None,
    options: Mapping[str, Any],
    tools: Sequence[ToolDefinition | Mapping[str, Any]] = (),
    encoded: EncodedKeywords | None = None,
) -> CheckedRow | RejectedRow:
    """Validate a row, or return its fault.

    `position` counts rows from 0 and is the key of a row without one. `model`, `options` and `tools` are the job's, for
    rows without their own; `encoded` are these options and tools from `encode_keywords`.
    """
    row = _read_row(given, position)
    if type(row) is RejectedRow:
        return row
    chosen = _choose_model(row, position, model, "chat")
    if isinstance(chosen, RejectedRow):
        return chosen
    key, own = row.key, row.options or {}
    match outcome(read_messages(row.messages)):
        case Success(messages):
            pass
        case Failure(fault):
            return _reject(key, f"row {key!r}: {fault.message}", position)
    if not messages:
        return _reject(key, f"row {key!r}: messages: expected at least one", position)
    typed_tools: tuple[ToolDefinition, ...] = ()
    if given_tools := row.tools or tools:
        match outcome(read_tools(given_tools)):
            case Success(typed_tools):
                pass
            case Failure(fault):
                return _reject(key, f"row {key!r}: {fault.message}", position)
    merged = {**options, **own} if own else options
    try:
        if encoded is None or own or row.tools:
            request = encode_request(provider, chosen, messages, typed_tools, merged)
        else:
            request = encode_request(provider, chosen, messages, encoded.tools, encoded.options)
    except _UNENCODABLE as error:
        return _reject_unencodable(key, position, error)
    digest = compute_digest(request)
    return CheckedRow(key, messages, chosen, typed_tools, merged, digest, position, own, (), len(request))


def check_text_row(
    given: TextRowInput, position: int, *, provider: str, model: str | None, options: Mapping[str, Any]
) -> CheckedRow | RejectedRow:
    """Validate a row of an embedding job, or return its fault."""
    if isinstance(given, RejectedRow):
        return _name_rejected(given, position)
    row = given if isinstance(given, TextRow) else _build_text_row(given, position)
    if isinstance(row, RejectedRow):
        return row
    chosen = _choose_model(row, position, model, "embeddings")
    if isinstance(chosen, RejectedRow):
        return chosen
    key, own = row.key, row.options or {}
    texts = _list_texts(row.texts)
    if not texts or not all(isinstance(text, str) for text in texts):
        return _reject(key, f"row {key!r}: expected one or several texts", position)
    merged = {**options, **own}
    try:
        encoded = _encoder.encode(("embeddings", provider, chosen, texts, sorted(merged.items())))
    except _UNENCODABLE as error:
        return _reject_unencodable(key, position, error)
    digest = compute_digest(encoded)
    return CheckedRow(key, (), chosen, (), merged, digest, position, own, texts, len(encoded))


def _choose_model(row: Row | TextRow, position: int, model: str | None, operation: RowOperation) -> str | RejectedRow:
    """Return the model of a row; or its fault, if the key, the model or the options are not valid."""
    key = row.key
    if not _is_key(key):
        return _reject_key(key, position)
    chosen = row.model or model
    if not chosen:
        return _reject(key, f"row {key!r}: no model; set one for the row or the job", position)
    if not isinstance(chosen, str):
        return _reject(key, f"row {key!r}: model must be a string", position)
    if row.options and (problem := find_options_problem(row.options, operation)) is not None:
        return _reject(key, f"row {key!r}: {problem}", position)
    return chosen


def _reject_unencodable(key: str, position: int, error: Exception) -> RejectedRow:
    """Reject a row with a value that cannot be encoded."""
    if isinstance(error, UnicodeEncodeError):
        return _reject(key, f"row {key!r}: a text is not valid Unicode", position)
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return _reject(key, f"row {key!r}: a value cannot be stored: {reason}", position)


class EncodedKeywords(msgspec.Struct, frozen=True):
    """The tools and options of a job as parts of its encoded requests: most rows have no others."""

    tools: msgspec.Raw
    options: msgspec.Raw


def encode_keywords(tools: Sequence[ToolDefinition], options: Mapping[str, Any]) -> EncodedKeywords | None:
    """Encode the tools and options of a job once; None if a value cannot be encoded, which is a fault of each row."""
    try:
        return EncodedKeywords(
            msgspec.Raw(_encoder.encode(tools)), msgspec.Raw(_encoder.encode(_list_options(options)))
        )
    except _UNENCODABLE:
        return None


def encode_request(
    provider: str,
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolDefinition] | msgspec.Raw,
    options: Mapping[str, Any] | msgspec.Raw,
) -> bytes:
    """Encode all parts of a request, for its digest.

    These are our own types and not the vendor's request body, so that a new release of this package does not treat
    finished rows as changed and pay for them again.
    """
    fields = [message.__dict__ for message in messages]
    listed = options if isinstance(options, msgspec.Raw) else _list_options(options)
    return _encoder.encode((provider, model, fields, tools, listed))


def _list_options(options: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    return sorted(options.items()) if options else ()


def compute_digest(encoded: bytes) -> bytes:
    """Return 16 bytes that change with any part of the request."""
    return blake2b(encoded, digest_size=16).digest()


def is_same_request(row: CheckedRow, provider: str) -> bool:
    """Return whether the request of a row from `decode_row` has its digest: not if the job had other options then."""
    encoded = encode_request(provider, row.model, row.messages, row.tools, row.options)
    return compute_digest(encoded) == row.digest


def encode_row(row: CheckedRow) -> bytes:
    """Encode a row without the job's options."""
    return _encoder.encode((row.model, row.messages, row.tools, row.own_options))


def decode_row(
    encoded: bytes, key: str, position: int, digest: bytes, options: Mapping[str, Any]
) -> Result[CheckedRow, Fault]:
    """Decode a row from `encode_row`, with the job's options."""
    try:
        model, messages, tools, own = msgspec.msgpack.decode(encoded)
        typed = tuple(Message.model_validate(message) for message in messages)
        definitions = tuple(ToolDefinition.model_validate(tool) for tool in tools)
        return Success(CheckedRow(key, typed, model, definitions, {**options, **own}, digest, position, own))
    except (ValueError, TypeError, msgspec.MsgspecError) as error:
        return Failure(InvalidRequest(message=f"the row {key!r} in the ledger cannot be read: {type(error).__name__}"))


def parse_row(line: str | bytes, position: int) -> RowInput:
    """Parse a line of JSONL as a mapping, or return a rejected row."""
    value = decode_record(line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass"))
    if isinstance(value, NotJson):
        return _reject(name_row(position), f"line {position + 1} is not a JSON object: {value.reason}")
    return value


def decode_record(line: bytes) -> dict[str, Json] | NotJson:
    """Decode a JSON object of the caller's.

    Flaws are accepted as `decode_flawed_json` does, apart from invalid Unicode: replacing it would change a prompt or a key.
    """
    value = decode_json(line)
    if isinstance(value, NotJson):
        flawed = decode_flawed_json(line, keep_surrogates=True)
        if isinstance(flawed, NotJson):
            return value
        try:
            encode_json(flawed)
        except UnicodeEncodeError:
            return NotJson("a text is not valid Unicode")
        except RecursionError as error:
            return NotJson(str(error))
        value = flawed
    return value if isinstance(value, dict) else NotJson("not an object")


def fill_template(template: str, columns: Mapping[str, Any]) -> Result[str, Fault]:
    """Replace `{column}` in a template by the column's value; `{{` and `}}` are braces.

    A column that is absent, or null, is a fault. Text in braces is not replaced if it is neither a column nor words.

    >>> fill_template("Summarise: {text}", {"text": "..."}).unwrap()
    'Summarise: ...'
    """
    names = [name for name in list_template_fields(template) if name in columns or _NAME.fullmatch(name)]
    missing = next((name for name in names if name not in columns), None)
    if missing is not None:
        known = ", ".join(sorted(map(str, columns))) or "none"
        return Failure(InvalidRequest(message=f"the template requires column {missing!r}; the row has: {known}"))
    texts = {name: _format_value(columns[name]) for name in names}
    empty = next((name for name in names if texts[name] is None), None)
    if empty is not None:
        return Failure(InvalidRequest(message=f"the template requires column {empty!r}; the row has no value in it"))

    def replace_field(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        return texts.get(found[1]) or ("" if found[1] in texts else found[0])

    return Success(_FIELD.sub(replace_field, template))


def list_template_fields(template: str) -> tuple[str, ...]:
    """Return what a template has in braces, in order."""
    return tuple(dict.fromkeys(found[1] for found in _FIELD.finditer(template) if found[1]))


def _format_value(value: object) -> str | None:
    """Return a text as it is, a date or another value that JSON has as a text as that text, and the rest as JSON.

    None for null and for a number that JSON does not have.
    """
    if isinstance(value, str):
        return value
    encoded = msgspec.json.encode(value, enc_hook=str)
    if encoded[:1] == b'"':
        return msgspec.json.decode(encoded, type=str)
    return None if encoded == b"null" else encoded.decode()


def _read_row(given: object, position: int) -> Row | RejectedRow:
    if type(given) is not dict and not isinstance(given, Mapping):
        if isinstance(given, Row):
            return given
        if isinstance(given, RejectedRow):
            return _name_rejected(given, position)
        if isinstance(given, TextRow):
            return _reject(given.key, f"row {given.key!r} has texts to embed, but the job is a chat job", position)
        message = f"row {position} is a {type(given).__name__}; expected a Row or a mapping"
        return _reject(name_row(position), message, position)
    name = _read_key(given, position)
    messages = given.get("messages")
    if messages is None and (messages := given.get("prompt")) is None:
        return _reject(name, f"row {name!r} has neither messages nor prompt", position)
    options, model, tools = given.get("options"), given.get("model"), given.get("tools")
    if options is not None and not isinstance(options, Mapping):
        return _reject(name, f"row {name!r}: options must be an object", position)
    if model is not None and not isinstance(model, str):
        return _reject(name, f"row {name!r}: model must be a string", position)
    if tools is not None and (isinstance(tools, str | Mapping) or not isinstance(tools, Sequence)):
        return _reject(name, f"row {name!r}: tools must be a list", position)
    return Row(name, messages, options or {}, model, tools or ())


def _build_text_row(given: object, position: int) -> TextRow | RejectedRow:
    if isinstance(given, Row):
        if isinstance(given.messages, str):
            return TextRow(given.key, given.messages, given.options, given.model)
        return _reject(
            given.key, f"row {given.key!r} has messages; a row of an embedding job must have texts", position
        )
    if not isinstance(given, Mapping):
        message = f"row {position} is a {type(given).__name__}; expected a TextRow or a mapping"
        return _reject(name_row(position), message, position)
    name = _read_key(given, position)
    texts = next((given[field] for field in ("texts", "text", "prompt") if given.get(field) is not None), None)
    if not isinstance(texts, Sequence) or isinstance(texts, bytes):
        return _reject(name, f"row {name!r} has neither texts, text nor prompt", position)
    options, model = given.get("options"), given.get("model")
    if options is not None and not isinstance(options, Mapping):
        return _reject(name, f"row {name!r}: options must be an object", position)
    if model is not None and not isinstance(model, str):
        return _reject(name, f"row {name!r}: model must be a string", position)
    return TextRow(name, texts, options or {}, model)


def _read_key(given: Mapping[str, Any], position: int) -> str:
    """Return the key of a mapping, or else the row's position."""
    key = given.get("key")
    if is_missing(key):
        key = given.get("custom_id")
    if is_missing(key):
        key = given.get("id")
    return str(position if is_missing(key) else key)


def is_missing(value: object) -> bool:
    """Return whether a column has no value: null, or NaN, which tables have in its place in columns of numbers."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def name_row(position: int) -> str:
    """Return the name of a row whose key cannot be read, which is not likely to be the key of another row."""
    return f"(row {position})"


def _list_texts(given: object) -> tuple[Any, ...]:
    """Return one text or several as a tuple; empty for what has no texts in an order."""
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable) or isinstance(given, Mapping | AbstractSet | bytes):
        return ()
    return tuple(given)


def find_options_problem(options: object, operation: RowOperation) -> str | None:
    """Return why a row or a job cannot have these options; None if it can."""
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        return "options must be an object"
    taken = next((name for name in options if name in _ARGUMENTS[operation]), None)
    return None if taken is None else f"{taken!r} cannot be one of its options"


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH and is_unicode(key)


def _reject_key(key: object, position: int) -> RejectedRow:
    message = f"row {position}: the key must be valid Unicode of 1 to {MAX_KEY_LENGTH} characters, not {key!r:.80}"
    return _reject(name_row(position), message, position)


def reject_unreadable(position: int, error: Exception) -> RejectedRow:
    """Reject a row whose methods raise an exception."""
    message = f"row {position} cannot be read: it raised {type(error).__name__}"
    return _reject(name_row(position), message, position)


def is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, which are accepted neither by the ledger nor by vendors."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def _reject(key: str, message: str, position: int = 0) -> RejectedRow:
    return _name_rejected(RejectedRow(key, InvalidRequest(message=message)), position)


def _name_rejected(row: RejectedRow, position: int) -> RejectedRow:
    """Set the position of a rejected row, and its name if it has no valid key."""
    return replace(row, key=row.key if _is_key(row.key) else name_row(position), position=position)


def _encode_other(value: Any) -> Any:
    """Encode values that msgspec does not support: pydantic values by their fields, classes by their schema."""
    if isinstance(value, BaseModel):
        return value.__dict__
    if isinstance(value, type) and issubclass(value, msgspec.Struct):
        return msgspec.json.schema(value)  # of digests in ledgers
    if isinstance(value, type) and isinstance(described := read_format_class(value), ResponseFormat):
        return described.schema
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a row")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other, order="sorted")
