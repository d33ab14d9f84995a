"""What the options `text_tool_calls` and `tools_in_prompt` make of a request and of the ear for its answer."""

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


def describe_tools_in_text(provider: str, request: ChatRequest) -> Result[ChatRequest, Fault]:
    """The request with its tools where the options want them; InvalidRequest for options that do not go together."""
    options = request.options
    if options.text_tool_calls is None:
        if options.tools_in_prompt:
            return Failure(InvalidRequest(provider=provider, message="tools_in_prompt needs text_tool_calls"))
        return Success(request)
    from victor_fp.core.text_tools.prompting import describe_tools_in_messages
    from victor_fp.core.text_tools.text_calls import parse_formats

    match outcome(parse_formats(options.text_tool_calls, provider=provider)):
        case Failure(fault):
            return Failure(fault)
        case Success(formats):
            pass
    tools = () if options.tool_choice == "none" else request.tools
    request = msgspec.structs.replace(request, text_tools=tools)
    if not options.tools_in_prompt:
        return Success(request)
    messages = describe_tools_in_messages(
        request.messages, tools, formats[0], choice=options.tool_choice, parallel=options.parallel_tool_calls
    )
    options = msgspec.structs.replace(options, tool_choice=None, parallel_tool_calls=None)
    return Success(msgspec.structs.replace(request, messages=messages, tools=(), options=options))


def codec_with_text_tools(speaker: Codec, request: ChatRequest, tool_names: Mapping[str, str]) -> Codec:
    """The speaker for the answer to this request, which `in_text` has made.

    `tool_names` has the caller's names of tools by the names that are sent: the model may write either.
    """
    if not request.text_tools:
        return speaker
    by_name = {tool.name: tool for tool in request.text_tools}
    renamed = [by_name[name].model_copy(update={"name": sent}) for sent, name in tool_names.items() if name in by_name]
    taken = [call["id"] for message in request.messages for call in message.tool_calls or ()]
    seed = str(len(request.messages))
    heard = codec_with_text_calls(
        speaker, (*request.text_tools, *renamed), request.options.text_tool_calls, seed=seed, taken=taken
    )
    return heard.value_or(speaker)


def codec_with_text_calls(
    speaker: Codec,
    tools: Sequence[ToolDefinition],
    formats: str | None,
    *,
    seed: str = "",
    taken: Iterable[str] = (),
) -> Result[Codec, Fault]:
    """A speaker that hears calls of these tools in the text, in formats as the option `text_tool_calls` names them.

    `seed` and `taken` are for the ids of these calls, as in `text_calls.start`.
    """
    if formats is None or not tools:
        return Success(speaker)
    from victor_fp.core.text_tools.text_calls import parse_formats, start
    from victor_fp.core.text_tools.tools import tools_of

    return parse_formats(formats).map(
        lambda wanted: msgspec.structs.replace(
            speaker, text_calls=start(tools_of(tools), wanted, seed=seed, taken=taken)
        )
    )
