"""The specification of a call: one immutable value, validated from the arguments of the public methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import structs
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.request_building.inputs import find_argument_problem, read_messages, read_texts, read_tools
from victor_fp.core.resilience.bounds import MAX_SECONDS, is_number
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.types import Message, ToolDefinition


class CallSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One call, independent of the target."""

    messages: tuple[Message, ...] = ()
    texts: tuple[str, ...] = ()
    """The texts to embed, or the documents to rerank."""
    query: str = ""
    """The query that documents are ranked for."""
    background_id: str = ""
    """The vendor's id of a background response."""
    background_tool_names: Mapping[str, str] = {}
    """The names of its tools, as in `HttpRequest.tool_names`."""
    model: str = ""
    """For the first target; empty: the target's own model. Other targets always use their own."""
    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[ToolDefinition, ...] | None = None
    options: Mapping[str, Any] = {}
    """As passed by the caller, without those that the engine handles."""
    stream: bool = False
    timeout: float | None = None
    """Seconds for one attempt; None: that of the target."""
    deadline: float | None = None
    """Seconds in total; None: the sum over all possible attempts."""
    priority: Priority = Priority.NORMAL
    repairs: int = 0
    """Maximum number of times that a response that does not match `response_format` is requested again."""
    max_retries: int | None = None
    """Maximum number of retries at each target; None: that of the target's policy."""


def build_chat_spec(
    provider: str,
    messages: object,
    options: Mapping[str, Any],
    *,
    model: object,
    temperature: object,
    max_tokens: object,
    tools: object,
    stream: bool,
    priority: object = Priority.NORMAL,
) -> Result[CallSpec, Fault]:
    """Build the specification of a chat; InvalidRequest names the invalid argument."""
    wrong = find_argument_problem(model, temperature, max_tokens)
    if wrong is not None:
        return Failure(InvalidRequest(provider=provider, message=wrong))
    named = cast("str | None", model)
    if not isinstance(priority, Priority):
        try:
            priority = Priority(priority)  # type: ignore[arg-type]  # the enum validates it
        except ValueError:
            return _build_invalid(provider, "priority", "a Priority", priority)
    timeout: float | None = None
    deadline: float | None = None
    if "timeout" in options or "deadline" in options:
        timeout, deadline = options.get("timeout"), options.get("deadline")
        if timeout is not None and not (is_number(timeout) and timeout > 0):
            return _build_invalid(provider, "timeout", "a positive number of seconds", timeout)
        if deadline is not None and not is_number(deadline):
            return _build_invalid(provider, "deadline", "a number of seconds", deadline)
        timeout = None if timeout is None else min(timeout, MAX_SECONDS)
        deadline = None if deadline is None else max(-MAX_SECONDS, min(deadline, MAX_SECONDS))
        options = {name: value for name, value in options.items() if name not in {"timeout", "deadline"}}
    if timeout is None and not stream and options.get("background") is True:
        timeout = MAX_SECONDS  # the deadline limits it, if one is set
    repairs = options.get("repair")
    if repairs is not None:
        problem = _find_repair_problem(repairs, options, stream=stream)
        if problem is not None:
            return Failure(InvalidRequest(provider=provider, model=named, message=f"repair: {problem}"))
        options = {name: value for name, value in options.items() if name != "repair"}
    conversation = read_messages(messages)
    if isinstance(conversation, str):
        return Failure(InvalidRequest(provider=provider, model=named, message=conversation))
    definitions = None if tools is None else read_tools(tools)
    if isinstance(definitions, str):
        return Failure(InvalidRequest(provider=provider, model=named, message=definitions))
    return Success(
        CallSpec(
            messages=conversation,
            model=named or "",
            temperature=cast("float | None", temperature),
            max_tokens=cast("int | None", max_tokens),
            tools=definitions,
            options=options,
            stream=stream,
            timeout=timeout,
            deadline=deadline,
            priority=priority,
            repairs=repairs or 0,
        )
    )


def build_embed_spec(
    provider: str,
    texts: object,
    options: Mapping[str, Any],
    *,
    model: object,
    dimensions: object,
    purpose: object,
    priority: object = Priority.NORMAL,
) -> Result[CallSpec, Fault]:
    """Build the specification of an embedding call; InvalidRequest names the invalid argument."""
    merged = {**options, "dimensions": dimensions, "purpose": purpose}
    return _build_retrieval_spec(provider, "texts", texts, merged, model=model, priority=priority)


def build_rerank_spec(
    provider: str,
    query: object,
    documents: object,
    options: Mapping[str, Any],
    *,
    model: object,
    top_n: object,
    priority: object = Priority.NORMAL,
) -> Result[CallSpec, Fault]:
    """Build the specification of a reranking call; InvalidRequest names the invalid argument."""
    queries = read_texts("query", query)
    if isinstance(queries, str):
        return Failure(InvalidRequest(provider=provider, message=queries))
    if not isinstance(query, str):
        return _build_invalid(provider, "query", "a string", query)
    merged = {**options, "top_n": top_n}
    spec = _build_retrieval_spec(provider, "documents", documents, merged, model=model, priority=priority)
    return spec.map(lambda found: structs.replace(found, query=query))


def _build_retrieval_spec(
    provider: str, name: str, texts: object, options: Mapping[str, Any], *, model: object, priority: object
) -> Result[CallSpec, Fault]:
    empty = build_chat_spec(
        provider, (), options, model=model, temperature=None, max_tokens=None, tools=None, stream=False,
        priority=priority,
    )  # fmt: skip
    found = read_texts(name, texts)
    if isinstance(found, str):
        return Failure(InvalidRequest(provider=provider, message=found)) if isinstance(empty, Success) else empty
    return empty.map(
        lambda spec: structs.replace(
            spec,
            texts=found,
            options={option: value for option, value in spec.options.items() if value is not None},
        )
    )


def _find_repair_problem(repairs: object, options: Mapping[str, Any], *, stream: bool) -> str | None:
    """Return why `repair` cannot be used; None if it can."""
    if not isinstance(repairs, int) or isinstance(repairs, bool) or repairs < 0:
        return f"expected a non-negative integer, got {repairs!r:.40}"
    if not repairs:
        return None
    if stream:
        return "not supported for streams; use a non-streaming call"
    from victor_fp.core.structured import find_form_problem, read_form

    form = read_form(options.get("response_format"))
    return "requires a response_format for JSON" if form is None else find_form_problem(form)


def _build_invalid(provider: str, argument: str, expected: str, value: object) -> Failure[Fault]:
    message = f"{argument}: expected {expected}, got {type(value).__name__}"
    return Failure(InvalidRequest(provider=provider, message=message))
