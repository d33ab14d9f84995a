"""Chat requests from the caller's arguments, which are parsed and validated.

Messages and tools are instances, dicts with the same fields, OpenAI's dicts, or a single text. What is neither is an
InvalidRequest with the location, which has no provider: the callers add theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from returns.result import Failure, Result, Success

from victor_fp.core.conversation import Block, build_provider_state
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, InvalidRequest, with_context
from victor_fp.core.model_names import describe_missing_model
from victor_fp.core.options import NO_OPTIONS, read_options
from victor_fp.core.requests import ChatRequest, find_header_problem
from victor_fp.core.result import outcome
from victor_fp.core.types import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolDefinition,
)

Messages: TypeAlias = "Sequence[Message | Mapping[str, Any]] | str"
"""Accepted forms of a conversation."""
ToolsInput: TypeAlias = "Sequence[ToolDefinition | Mapping[str, Any]]"
"""Accepted forms of tools."""

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_PARTS: Mapping[str, type[BaseModel]] = {"text": TextPart, "image": ImagePart, "audio": AudioPart, "file": FilePart}
_SHOWN_ERRORS = 3
_SHOWN = 300
"""Maximum length of an exception's message, in characters."""
_REASONING_FIELDS = ("reasoning_content", "reasoning")
"""Fields for an assistant's reasoning in OpenAI's format."""
_EMPTY_EXTRAS = frozenset({"refusal", "annotations", "audio", "function_call", *_REASONING_FIELDS})
"""Fields of a dumped OpenAI message that are ignored if empty."""


def build_chat_request(
    provider: str,
    messages: Messages,
    *,
    model: str,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: ToolsInput | None = None,
    stream: bool = False,
    options: Mapping[str, object],
) -> Result[ChatRequest, Fault]:
    """Return a validated request, or a fault that describes the problem."""
    problem = find_argument_problem(model, temperature, max_tokens)
    if problem is not None:
        return Failure(InvalidRequest(provider=provider, message=problem))
    match outcome(read_messages(messages)):
        case Success(parsed):
            pass
        case Failure(fault):
            return Failure(with_context(fault, provider, model))
    match outcome(read_tools(tools or ())):
        case Success(definitions):
            pass
        case Failure(fault):
            return Failure(with_context(fault, provider, model))
    return build_typed_request(
        provider, parsed, model=model, temperature=temperature, max_tokens=max_tokens, tools=definitions, stream=stream,
        options=options,
    )  # fmt: skip


def build_typed_request(
    provider: str,
    messages: tuple[Message, ...],
    *,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    tools: tuple[ToolDefinition, ...],
    stream: bool,
    options: Mapping[str, object],
) -> Result[ChatRequest, Fault]:
    """Return a request of arguments whose types were checked; the conversation and the options are validated here."""
    continues = options.get("previous_response_id") is not None
    wrong = find_conversation_problem(messages, continues=continues)
    if wrong is not None:
        return Failure(InvalidRequest(provider=provider, model=model, message=wrong))
    if not model:
        return Failure(InvalidRequest(provider=provider, message=describe_missing_model(provider)))
    match outcome(read_options(options, provider=provider) if options else Success(NO_OPTIONS)):
        case Success(read):
            problem = find_header_problem(read.extra_headers) if read.extra_headers else None
            if problem is not None:
                return Failure(InvalidRequest(provider=provider, model=model, message=f"extra_headers: {problem}"))
            request = ChatRequest(
                messages=messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                stream=stream,
                options=read,
                required_call=_read_required(read.tool_choice) if tools else None,
            )
            if read is NO_OPTIONS:
                return Success(request)
            from victor_fp.core.text_tools.hook import prepare_request

            return prepare_request(provider, request)
        case Failure(fault):
            return Failure(fault)


def _read_required(choice: str | dict[str, str] | None) -> str | None:
    if isinstance(choice, dict):
        return choice["name"]
    return "" if choice == "required" else None


def read_messages(messages: object) -> Result[tuple[Message, ...], Fault]:
    """Read a conversation from a text, or from any mix of messages and dicts; InvalidRequest if there is anything else."""
    given: tuple[Any, ...] | str
    if type(messages) is list or type(messages) is tuple:
        given = tuple(messages)
    elif isinstance(messages, str):
        return Success((Message(role="user", content=messages),))
    elif isinstance(messages, Message):
        return Success((messages,))
    elif isinstance(messages, (Mapping, bytes)) or not isinstance(messages, Iterable):
        return _refuse(f"messages: expected messages, dicts or a string, got {type(messages).__name__}")
    elif isinstance(given := _read_all("messages", messages), str):
        return _refuse(given)
    for message in given:
        if not isinstance(message, Message):
            read = _read_each("messages", given, _read_message)
            return _refuse(read) if isinstance(read, str) else Success(read)
    return Success(given)


def read_tools(tools: object) -> Result[tuple[ToolDefinition, ...], Fault]:
    """Read tools from any mix of definitions and dicts; InvalidRequest if there is anything else."""
    if isinstance(tools, str | Mapping | bytes) or not isinstance(tools, Iterable):
        return _refuse(f"tools: expected a list of tool definitions or dicts, got {type(tools).__name__}")
    given = _read_all("tools", tools)
    if isinstance(given, str):
        return _refuse(given)
    for tool in given:
        if not isinstance(tool, ToolDefinition):
            read = _read_each("tools", given, _read_tool)
            return _refuse(read) if isinstance(read, str) else Success(read)
    return Success(given)


def read_texts(name: str, given: object) -> Result[tuple[str, ...], Fault]:
    """Read one or several texts; InvalidRequest, with the location, if there is anything else."""
    if isinstance(given, str):
        return Success((given,))
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        return _refuse(f"{name}: expected strings, got {type(given).__name__}")
    texts = _read_all(name, given)
    if isinstance(texts, str):
        return _refuse(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            return _refuse(f"{name}[{index}]: expected a string, got {type(text).__name__}")
        if not text.isascii() and not _is_valid_unicode(text):
            return _refuse(f"{name}[{index}]: lone surrogate, which cannot be encoded")
    return Success(texts)


def _refuse(problem: str) -> Failure[Fault]:
    return Failure(InvalidRequest(message=problem))


def find_argument_problem(model: object, temperature: object, max_tokens: object) -> str | None:
    """Return an error message for invalid arguments of a chat; None if they are valid."""
    if model is not None and not isinstance(model, str):
        return f"model: expected a string, got {type(model).__name__}"
    if isinstance(temperature, float) and not math.isfinite(temperature):
        return f"temperature: expected a number, got {temperature}"
    if temperature is not None and (isinstance(temperature, bool) or not isinstance(temperature, (int, float))):
        return f"temperature: expected a number, got {type(temperature).__name__}"
    if max_tokens is not None and (isinstance(max_tokens, bool) or not isinstance(max_tokens, int)):
        return f"max_tokens: expected an integer, got {type(max_tokens).__name__}"
    return None


def find_conversation_problem(messages: Sequence[Message], *, continues: bool = False) -> str | None:
    """Return an error message for an invalid conversation; None if it is valid.

    A conversation that continues a stored response may begin with results of calls that it does not contain.
    """
    if not messages:
        return "messages is empty"
    pending: dict[str, str] = {}
    has_unseen = continues
    """Whether calls in the stored response may be pending."""
    for index, message in enumerate(messages):
        has_unseen = has_unseen and message.role != "assistant"
        if message.role == "tool":
            if not message.tool_call_id:
                return f"messages[{index}]: a tool message requires tool_call_id"
            if has_unseen:
                continue
            if message.tool_call_id not in pending:
                return f"messages[{index}]: no call {message.tool_call_id!r} is pending for this result"
            pending.pop(message.tool_call_id)
            continue
        if pending:
            return f"messages[{index}]: calls without a result: {_format_ids(pending)}"
        if message.tool_calls and message.role != "assistant":
            return f"messages[{index}]: only an assistant's message has tool_calls"
        if message.role in ("system", "developer", "assistant") and not _is_text(message):
            return f"messages[{index}]: a message of role {message.role} accepts text parts only"
        for call in message.tool_calls or ():
            if call["id"] in pending:
                return f"messages[{index}]: two calls with the id {call['id']!r}"
            pending[call["id"]] = call["name"]
    if pending:
        return f"calls without a result: {_format_ids(pending)}"
    return None


def _is_text(message: Message) -> bool:
    return isinstance(message.content, str) or all(isinstance(part, TextPart) for part in message.content)


def _format_ids(pending: dict[str, str]) -> str:
    return ", ".join(f"{name} ({id_})" for id_, name in pending.items())


def _read_all(name: str, given: Iterable[T]) -> tuple[T, ...] | str:
    try:
        return tuple(given)
    except Exception as error:  # raised by the caller's iterable
        return f"{name}: iterating raised {type(error).__name__}: {error}"[:_SHOWN]


def _is_valid_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_each(name: str, given: tuple[object, ...], read: Callable[[object], T | str]) -> tuple[T, ...] | str:
    values: list[T] = []
    for index, one in enumerate(given):
        value = read(one)
        if isinstance(value, str):
            return f"{name}[{index}]: {value}"
        values.append(value)
    return tuple(values)


def _read_message(given: object) -> Message | str:
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping):
        return f"expected a message or a dict, got {type(given).__name__}"
    fields = {str(name): value for name, value in given.items()}
    texts = [text for name in _REASONING_FIELDS if isinstance(text := fields.get(name), str)]
    reasoning = next(filter(None, texts), "")
    if reasoning:
        fields = {name: value for name, value in fields.items() if name not in _REASONING_FIELDS}
    fields = {name: value for name, value in fields.items() if name not in _EMPTY_EXTRAS or value}
    refusal = fields.pop("refusal", None)
    if "content" not in fields and refusal is None and not fields.get("tool_calls"):
        return "content is missing"
    content = fields.get("content")
    if content is None:
        content = refusal if isinstance(refusal, str) else ""
    if isinstance(content, list | tuple):
        parts = _read_each("content", tuple(content), _read_part)
        if isinstance(parts, str):
            return parts
        content = list(parts)
    for name in ("name", "tool_calls", "tool_call_id", "metadata"):
        if name in fields and fields[name] is None:
            del fields[name]
    message = _validate(Message, {**fields, "content": content})
    return _with_reasoning(message, reasoning) if reasoning and isinstance(message, Message) else message


def _with_reasoning(message: Message, reasoning: str) -> Message:
    if message.metadata is not None:
        return message
    return message.model_copy(update={"metadata": {"provider_state": _build_state(message, reasoning)}})


def _build_state(message: Message, reasoning: str) -> dict[str, Any] | None:
    calls = [
        Block(kind="tool_call", id=call["id"], name=call["name"], arguments=call["arguments"])
        for call in message.tool_calls or ()
    ]
    text = [Block(kind="text", text=message.text)] if message.text else []
    return build_provider_state(
        ChatDialect.protocol, "", None, [Block(kind="reasoning", text=reasoning), *text, *calls]
    )


def _read_part(given: object) -> BaseModel | str:
    if isinstance(given, BaseModel):
        return given
    if not isinstance(given, Mapping):
        return f"expected a part or a dict, got {type(given).__name__}"
    fields = _translate_part(given)
    if isinstance(fields, str):
        return fields
    kind = fields.get("type")
    part = _PARTS.get(kind) if isinstance(kind, str) else None
    if part is None:
        return f"type: expected one of {', '.join(_PARTS)}, image_url, input_audio or refusal, got {kind!r:.40}"
    return _validate(part, {str(name): value for name, value in fields.items()})


def _translate_part(given: Mapping[Any, Any]) -> Mapping[Any, Any] | str:
    """Translate a part of OpenAI's format."""
    match given.get("type"):
        case "image_url":
            source = given.get("image_url")
            url, detail = (source.get("url"), source.get("detail")) if isinstance(source, Mapping) else (source, None)
            if not isinstance(url, str):
                return "image_url requires a url"
            return _build_attachment("image", url, **({} if detail is None else {"detail": detail}))
        case "input_audio":
            audio = given.get("input_audio")
            if not isinstance(audio, Mapping) or not isinstance(data := audio.get("data"), str):
                return "input_audio requires data"
            return {"type": "audio", "data": data, "media_type": f"audio/{audio.get('format', 'wav')}"}
        case "file" if isinstance(file := given.get("file"), Mapping):
            if not isinstance(data := file.get("file_data"), str):
                return "a file requires file_data: ids of files uploaded to a vendor are not supported"
            name = file.get("filename")
            return _build_attachment("file", data, **({} if name is None else {"filename": name}))
        case "refusal":
            return {"type": "text", "text": given.get("refusal")}
        case _:
            return given


def _build_attachment(kind: str, url: str, **rest: object) -> dict[str, object]:
    """Build a part by value for a data URL, else by URL."""
    header, comma, data = url.partition(",")
    if not url.startswith("data:") or not comma or not header.endswith(";base64"):
        return {"type": kind, "url": url, **rest}
    return {"type": kind, "data": data, "media_type": header.removeprefix("data:").split(";")[0] or None, **rest}


def _read_tool(given: object) -> ToolDefinition | str:
    if isinstance(given, ToolDefinition):
        return given
    if not isinstance(given, Mapping):
        return f"expected a tool definition or a dict, got {type(given).__name__}"
    fields = {str(name): value for name, value in given.items()}
    if fields.get("type") == "function":
        function = fields.pop("function", None)
        del fields["type"]
        if isinstance(function, Mapping):
            fields = {**fields, **{str(name): value for name, value in function.items()}}
    return _validate(ToolDefinition, {name: value for name, value in fields.items() if value is not None})


def _validate(kind: type[M], fields: Mapping[str, object]) -> M | str:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        errors = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_SHOWN_ERRORS]]
        return "; ".join(errors)
    except (ValueError, TypeError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
