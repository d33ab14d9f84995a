"""Replacement of tool names that a vendor does not accept, and their restoration in the response.

A replacement depends only on the name, unless it would collide with another name of the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

import msgspec

from victor_fp.core.deltas import Delta, ToolCallStarted
from victor_fp.core.dialects.tool_names import ToolNameRules
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message

_DIGEST_LENGTH = 8
"""Length of the digest that distinguishes colliding names, in characters."""


def map_tool_names(rules: ToolNameRules, names: Iterable[str]) -> dict[str, str]:
    """Return the replacement of each name that the vendor does not accept.

    >>> map_tool_names(ToolNameRules(), ["math.add", "add"])
    {'math.add': 'math_add'}
    """
    given = dict.fromkeys(names)
    if not rules.characters or not given:
        return {}
    accepted = re.compile(f"[{rules.first or rules.characters}][{rules.characters}]{{0,{rules.max_length - 1}}}")
    rejected = [name for name in given if accepted.fullmatch(name) is None]
    if not rejected:
        return {}
    used = given.keys() - set(rejected)
    mapped: dict[str, str] = {}
    for name in rejected:
        replacement = re.sub(f"[^{rules.characters}]", "_", name)
        if accepted.match(replacement) is None:
            replacement = f"_{replacement}"
        if len(replacement) > rules.max_length or replacement in used:
            digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_LENGTH // 2).hexdigest()
            replacement = f"{replacement[: rules.max_length - _DIGEST_LENGTH - 1]}_{digest}"
        mapped[name] = replacement
        used.add(replacement)
    return mapped


def list_tool_names(request: ChatRequest) -> Iterator[str]:
    """Yield every tool name in a request: of its tools, its choice, and earlier calls and results."""
    for tool in request.tools:
        yield tool.name
    choice = request.options.tool_choice
    if isinstance(choice, dict) and request.tools:
        yield choice["name"]
    for message in request.messages:
        for call in message.tool_calls or ():
            yield call["name"]
        if message.role == "tool" and message.name:
            yield message.name


def rename_tools(request: ChatRequest, mapped: Mapping[str, str]) -> tuple[ChatRequest, tuple[Adjustment, ...]]:
    """Rename the tools of a request; return it with the adjustments."""
    tools = tuple(
        tool.model_copy(update={"name": mapped[tool.name]}) if tool.name in mapped else tool for tool in request.tools
    )
    choice = request.options.tool_choice
    options = request.options
    if isinstance(choice, dict) and choice["name"] in mapped:
        options = msgspec.structs.replace(options, tool_choice={"name": mapped[choice["name"]]})
    declared = {tool.name for tool in request.tools}
    adjustments = tuple(
        Adjustment(
            parameter="tools" if name in declared else "messages.tool_calls",
            reason=f"the name {name!r} is sent as {sent!r}",
            action="changed",
        )
        for name, sent in mapped.items()
    )
    messages = tuple(_rename_calls(message, mapped) for message in request.messages)
    return msgspec.structs.replace(request, tools=tools, messages=messages, options=options), adjustments


def _rename_calls(message: Message, mapped: Mapping[str, str]) -> Message:
    changes: dict[str, object] = {}
    if any(call["name"] in mapped for call in message.tool_calls or ()):
        changes["tool_calls"] = [
            {**call, "name": mapped.get(call["name"], call["name"])} for call in message.tool_calls or ()
        ]
    if message.role == "tool" and message.name is not None and message.name in mapped:
        changes["name"] = mapped[message.name]
    return message.model_copy(update=changes) if changes else message


def restore_names(deltas: Sequence[Delta], sent: Mapping[str, str]) -> list[Delta]:
    """Restore the caller's tool names in deltas; `sent` has them by sent name."""
    return [
        msgspec.structs.replace(delta, name=sent[delta.name])
        if isinstance(delta, ToolCallStarted) and delta.name in sent
        else delta
        for delta in deltas
    ]
