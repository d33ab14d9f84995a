"""Integration of textual tool calls into requests and codecs; the interface for other modules of the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import ChatRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition

if TYPE_CHECKING:
    from victor_fp.core.protocols import Codec
    from victor_fp.core.text_tools.formats import TextFormat


def prepare_request(provider: str, request: ChatRequest) -> Result[ChatRequest, Fault]:
    """Return the request with its tools moved as the options require; InvalidRequest for inconsistent options."""
    options = request.options
    if options.text_tool_calls is None:
        if options.tools_in_prompt:
            return Failure(InvalidRequest(provider=provider, message="tools_in_prompt requires text_tool_calls"))
        return Success(request)
    from victor_fp.core.text_tools.prompts import write_conversation

    match outcome(read_option(options.text_tool_calls, provider=provider)):
        case Failure(fault):
            return Failure(fault)
        case Success(formats):
            pass
    tools = () if options.tool_choice == "none" else request.tools
    request = msgspec.structs.replace(request, text_tools=tools)
    if not options.tools_in_prompt:
        return Success(request)
    messages = write_conversation(
        request.messages, tools, formats[0], choice=options.tool_choice, parallel=options.parallel_tool_calls
    )
    options = msgspec.structs.replace(options, tool_choice=None, parallel_tool_calls=None)
    return Success(msgspec.structs.replace(request, messages=messages, tools=(), options=options))


def read_response(codec: Codec, request: ChatRequest, tool_names: Mapping[str, str]) -> Codec:
    """Return the codec for the response to a request prepared by `prepare_request`.

    `tool_names` maps sent tool names to the caller's: the model may write either.
    """
    if not request.text_tools:
        return codec
    by_name = {tool.name: tool for tool in request.text_tools}
    renamed = [by_name[name].model_copy(update={"name": sent}) for sent, name in tool_names.items() if name in by_name]
    tools = (*request.text_tools, *renamed)
    used_ids = [call["id"] for message in request.messages for call in message.tool_calls or ()]
    seed = str(len(request.messages))
    return find_text_calls(codec, tools, request.options.text_tool_calls, seed=seed, used_ids=used_ids).value_or(codec)


def find_text_calls(
    codec: Codec,
    tools: Sequence[ToolDefinition],
    formats: str | None,
    *,
    seed: str = "",
    used_ids: Iterable[str] = (),
) -> Result[Codec, Fault]:
    """Return a codec that detects calls of the tools in text, in the formats of the option `text_tool_calls`.

    `seed` and `used_ids` determine the ids of these calls, as in `text_calls.start`.
    """
    if formats is None or not tools:
        return Success(codec)
    from victor_fp.core.text_tools.text_calls import start
    from victor_fp.core.text_tools.tools import known_tools

    return read_option(formats).map(
        lambda found: msgspec.structs.replace(
            codec, filters=(*codec.filters, start(known_tools(tools), found, seed=seed, used_ids=used_ids))
        )
    )


def read_option(option: str, *, provider: str = "") -> Result[tuple[TextFormat, ...], Fault]:
    """Return the formats named by the option `text_tool_calls`."""
    from victor_fp.core.text_tools.formats import FORMATS, find_formats

    formats = find_formats(option)
    if formats:
        return Success(formats)
    known = ", ".join(form.name for form in FORMATS)
    message = f"text_tool_calls: {option!r} is not a format; the formats are {known}, and any"
    return Failure(InvalidRequest(provider=provider, message=message))
