"""Names of tools that a vendor does not accept, replaced in a request and put back in its response.

The replacement of a name depends on the name, and on others of the request only where they would become the same.
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

_MARK = 8
"""Characters of the digest that tells names apart which would become the same."""


def map_tool_names(rules: ToolNameRules, names: Iterable[str]) -> dict[str, str]:
    """The name to send for each name that the vendor does not accept; the others are not in it.

    >>> map_tool_names(ToolNameRules(), ["math.add", "add"])
    {'math.add': 'math_add'}
    """
    given = dict.fromkeys(names)
    if not rules.signs or not given:
        return {}
    accepted = re.compile(f"[{rules.first or rules.signs}][{rules.signs}]{{0,{rules.longest - 1}}}")
    misfits = [name for name in given if accepted.fullmatch(name) is None]
    if not misfits:
        return {}
    taken = given.keys() - set(misfits)
    mapped: dict[str, str] = {}
    for name in misfits:
        fitting = re.sub(f"[^{rules.signs}]", "_", name)
        if accepted.match(fitting) is None:
            fitting = f"_{fitting}"
        if len(fitting) > rules.longest or fitting in taken:
            digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_MARK // 2).hexdigest()
            fitting = f"{fitting[: rules.longest - _MARK - 1]}_{digest}"
        mapped[name] = fitting
        taken.add(fitting)
    return mapped


def list_tool_names(request: ChatRequest) -> Iterator[str]:
    """Every name of a tool that a request would send: of its tools, its choice, and earlier calls and results."""
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
    """The request with the names to send, and what is said of them."""
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
    """The deltas with the caller's names of tools; `sent` has them by the names that were sent."""
    return [
        msgspec.structs.replace(delta, name=sent[delta.name])
        if isinstance(delta, ToolCallStarted) and delta.name in sent
        else delta
        for delta in deltas
    ]
