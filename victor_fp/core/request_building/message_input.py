"""Messages and tools as callers may give them: typed values, dicts of the same fields or of OpenAI's, or one text."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.types import Message, ToolDefinition

MessageInput: TypeAlias = "Message | Mapping[str, Any]"
MessagesInput: TypeAlias = "str | Sequence[MessageInput]"
ToolInput: TypeAlias = "ToolDefinition | Mapping[str, Any]"


def read_messages(given: object, *, provider: str = "", model: str | None = None) -> Result[tuple[Message, ...], Fault]:
    """The conversation as typed messages; one text is a user's message.

    >>> read_messages([{"role": "user", "content": "Hi"}]).unwrap()[0].content
    'Hi'

    Anything else is InvalidRequest, which names the index of the first message that cannot be read.
    """
    if isinstance(given, tuple | list) and all(isinstance(item, Message) for item in given):
        return Success(tuple(given))
    if isinstance(given, str):
        return Success((Message(role="user", content=given),))
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        return Failure(_invalid(provider, model, f"messages must be a text or a list, not {type(given).__name__}"))
    messages: list[Message] = []
    for index, item in enumerate(given):
        if isinstance(item, Message):
            messages.append(item)
            continue
        if not isinstance(item, Mapping):
            reason = f"messages[{index}] must be a Message or a dict, not {type(item).__name__}"
            return Failure(_invalid(provider, model, reason))
        try:
            messages.append(Message.model_validate(_translate_message(item)))
        except (ValueError, TypeError, KeyError) as error:
            return Failure(_invalid(provider, model, f"messages[{index}]: {_first_problem(error)}"))
    return Success(tuple(messages))


def read_tools(
    given: object, *, provider: str = "", model: str | None = None
) -> Result[tuple[ToolDefinition, ...], Fault]:
    """Tools as typed definitions; InvalidRequest names the index of the first that cannot be read."""
    if given is None:
        return Success(())
    if isinstance(given, Mapping | str | bytes) or not isinstance(given, Iterable):
        return Failure(_invalid(provider, model, f"tools must be a list, not {type(given).__name__}"))
    tools: list[ToolDefinition] = []
    for index, item in enumerate(given):
        if isinstance(item, ToolDefinition):
            tools.append(item)
            continue
        if not isinstance(item, Mapping):
            reason = f"tools[{index}] must be a ToolDefinition or a dict, not {type(item).__name__}"
            return Failure(_invalid(provider, model, reason))
        function = item.get("function")
        fields = dict(function) if item.get("type") == "function" and isinstance(function, Mapping) else dict(item)
        try:
            tools.append(
                ToolDefinition.model_validate({name: value for name, value in fields.items() if value is not None})
            )
        except (ValueError, TypeError) as error:
            return Failure(_invalid(provider, model, f"tools[{index}]: {_first_problem(error)}"))
    return Success(tuple(tools))


def read_conversation(
    messages: object, tools: object, *, provider: str = "", model: str | None = None
) -> Result[tuple[tuple[Message, ...], tuple[ToolDefinition, ...]], Fault]:
    """Both at once."""
    return read_messages(messages, provider=provider, model=model).bind(
        lambda typed: read_tools(tools, provider=provider, model=model).map(lambda definitions: (typed, definitions))
    )


def _translate_message(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Message` from a dict in our spelling or in OpenAI's; absent and null are the same."""
    fields = {str(name): value for name, value in given.items() if value is not None}
    content = fields.get("content")
    if content is None and fields.get("role") != "assistant":
        raise ValueError("content is missing")
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        fields["content"] = [_translate_part(part) for part in content]
    return fields


def _translate_part(part: Any) -> Any:
    """A content part; OpenAI nests the values of images, audio and files under the name of the type."""
    if not isinstance(part, Mapping):
        return part
    match part.get("type"):
        case "image_url":
            image = part["image_url"]
            url, detail = (image, None) if isinstance(image, str) else (image["url"], image.get("detail"))
            return {"type": "image", "url": url, "detail": detail}
        case "input_audio":
            audio = part["input_audio"]
            return {"type": "audio", "data": b64decode(audio["data"]), "media_type": f"audio/{audio['format']}"}
        case "file" if isinstance(part.get("file"), Mapping):
            file = part["file"]
            return {"type": "file", "url": file["file_data"], "filename": file.get("filename")}
        case _:
            return part


def _first_problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else first["msg"]
    if isinstance(error, KeyError):
        return f"field {error} is missing"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _invalid(provider: str, model: str | None, message: str) -> InvalidRequest:
    return InvalidRequest(provider=provider, model=model if isinstance(model, str) else None, message=message)
