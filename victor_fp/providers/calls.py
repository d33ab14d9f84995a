"""Calls of providers: their arguments as a `CallSpec`, and the results of the engine as values, streams or exceptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, cast, overload

from msgspec import structs
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault, InvalidRequest, InvalidResponse, with_context
from victor_fp.core.request_building.inputs import find_argument_problem, read_messages, read_texts, read_tools
from victor_fp.core.resilience.bounds import MAX_SECONDS, find_count_problem, is_number
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.responses.completions import dump_attempts, fold_chunks, record_attempts
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk, ToolDefinition
from victor_fp.providers.errors import error_from
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.http_backend import COMPLETION, STREAM
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

T_co = TypeVar("T_co", covariant=True)


class ChatStream(AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that can be left early, or held with `async with`; leaving closes the connection.

    Nothing is sent before the first item is requested.
    """

    __slots__ = ("_items",)

    def __init__(self, items: AsyncGenerator[T_co, None]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[T_co]:  # noqa: PYI034
        """Return the underlying generator, which avoids a call per item."""
        return self._items

    async def __anext__(self) -> T_co:
        return await anext(self._items)

    @overload
    async def response(self: ChatStream[StreamChunk]) -> CompletionResponse: ...
    @overload
    async def response(self: ChatStream[Result[StreamChunk, Fault]]) -> Result[CompletionResponse, Fault]: ...
    async def response(self: ChatStream[Any]) -> CompletionResponse | Result[CompletionResponse, Fault]:
        """Read the stream to its end and return the complete response.

        A stream of chunks raises ProviderError; a stream of results returns the failure.

            response = await provider.stream(messages, model=model).response()
        """
        async with self:
            return fold_items([item async for item in self._items])

    async def aclose(self) -> None:
        """Stop the stream, and close its connection."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def fold_items(
    items: Sequence[StreamChunk | Result[StreamChunk, Fault]],
) -> CompletionResponse | Result[CompletionResponse, Fault]:
    """Fold all items of a stream to the complete response, or to a Result if the items are Results.

    Raises ProviderError if there are none: the stream had been read before.
    """
    chunks: list[StreamChunk] = []
    are_results = False
    for item in items:
        if isinstance(item, StreamChunk):
            chunks.append(item)
            continue
        are_results = True
        match outcome(item):
            case Success(chunk):
                chunks.append(chunk)
            case Failure(fault):
                return Failure(fault)
    if not chunks:
        raise error_from(InvalidResponse(message="the stream has already been read to its end"))
    response = fold_chunks(chunks)
    return Success(response) if are_results else response


async def complete(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[CompletionResponse, Fault]:
    """Run a call and return its response, with its attempts in the metadata if there were several."""
    match outcome(spec):
        case Success(call):
            del spec  # what a call keeps until its end costs the garbage collector time
            if call.repairs:
                from victor_fp.shell.engine.repair import complete_with_repairs

                result, attempts = await complete_with_repairs(pool, call)
            else:
                operation = Operation(pool, COMPLETION, call)
                result = await operation.result()
                attempts = operation.records
            if len(attempts) < 2:
                return result
            return result.map(lambda response: record_attempts(response, attempts))
        case Failure(fault):
            return Failure(fault)


PoolOrChoice: TypeAlias = TargetPool | Callable[[], Result[TargetPool, Fault]]
"""The targets of a stream, or a function that selects them when the first item is requested."""


@overload
def stream_items(
    targets: PoolOrChoice, spec: Result[CallSpec, Fault], *, as_results: Literal[False] = False
) -> AsyncGenerator[StreamChunk, None]: ...
@overload
def stream_items(
    targets: PoolOrChoice, spec: Result[CallSpec, Fault], *, as_results: Literal[True]
) -> AsyncGenerator[Result[StreamChunk, Fault], None]: ...
async def stream_items(
    targets: PoolOrChoice, spec: Result[CallSpec, Fault], *, as_results: bool = False
) -> AsyncGenerator[Any, None]:
    """Yield the chunks of a stream, and raise its failure as ProviderError.

    `as_results`: yield successes, then at most one failure, which is the last item.
    """
    opened: Result[Operation[StreamChunk], Fault]
    match outcome(spec):
        case Success(call):
            if isinstance(targets, TargetPool):
                opened = Success(Operation(targets, STREAM, call))
            else:
                opened = targets().map(lambda chosen: Operation(chosen, STREAM, call))
        case Failure(fault):
            opened = Failure(fault)
    match outcome(opened):
        case Success(operation):
            pass
        case Failure(fault):
            if not as_results:
                raise error_from(fault)
            yield opened
            return
    try:
        is_last = False
        while not is_last:
            received = await operation.read_batch()
            match outcome(received):
                case Success(batch):
                    is_last, chunks = batch.is_last, batch.items
                    if is_last and len(operation.records) > 1:
                        chunks = [*chunks[:-1], _with_attempts(chunks[-1], operation.records)]
                    for chunk in chunks:
                        yield Success(chunk) if as_results else chunk
                case Failure(fault):
                    if not as_results:
                        raise error_from(fault)
                    yield received
                    return
    finally:
        await operation.aclose()


def _with_attempts(chunk: StreamChunk, attempts: tuple[Attempt, ...]) -> StreamChunk:
    """Add the attempts to the final chunk."""
    metadata = {**(chunk.metadata or {}), "attempts": dump_attempts(attempts)}
    response = None if chunk.response is None else record_attempts(chunk.response, attempts)
    return chunk.model_copy(update={"metadata": metadata, "response": response})


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
        found = next((one for one in Priority if isinstance(priority, int | float) and one == priority), None)
        if found is None:
            return _build_invalid(provider, "priority", "a Priority", priority)
        priority = found
    timeout: float | None = None
    deadline: float | None = None
    if "timeout" in options or "deadline" in options:
        match outcome(_read_time_limits(provider, options.get("timeout"), options.get("deadline"))):
            case Success((timeout, deadline)):
                pass
            case Failure(fault):
                return Failure(fault)
        options = {name: value for name, value in options.items() if name not in {"timeout", "deadline"}}
    if timeout is None and not stream and options.get("background") is True:
        timeout = MAX_SECONDS  # the deadline limits it, if one is set
    max_retries = options.get("max_retries")
    if "max_retries" in options:
        problem = None if max_retries is None else find_count_problem("max_retries", max_retries)
        if problem is not None:
            return Failure(InvalidRequest(provider=provider, model=named, message=problem))
        options = {name: value for name, value in options.items() if name != "max_retries"}
    repairs = options.get("repair")
    if repairs is not None:
        problem = _find_repair_problem(repairs, options, stream=stream)
        if problem is not None:
            return Failure(InvalidRequest(provider=provider, model=named, message=f"repair: {problem}"))
        options = {name: value for name, value in options.items() if name != "repair"}
    match outcome(read_messages(messages)):
        case Success(conversation):
            pass
        case Failure(fault):
            return Failure(with_context(fault, provider, named))
    definitions: tuple[ToolDefinition, ...] | None = None
    if tools is not None:
        match outcome(read_tools(tools)):
            case Success(definitions):
                pass
            case Failure(fault):
                return Failure(with_context(fault, provider, named))
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
            max_retries=max_retries,
        )
    )


def _read_time_limits(
    provider: str, timeout: object, deadline: object
) -> Result[tuple[float | None, float | None], Fault]:
    if timeout is not None and not (is_number(timeout) and timeout > 0):
        return _build_invalid(provider, "timeout", "a positive number of seconds", timeout)
    if deadline is not None and not is_number(deadline):
        return _build_invalid(provider, "deadline", "a number of seconds", deadline)
    return Success(
        (
            None if timeout is None else min(timeout, MAX_SECONDS),
            None if deadline is None else max(-MAX_SECONDS, min(deadline, MAX_SECONDS)),
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
    match outcome(read_texts("query", query)):
        case Failure(fault):
            return Failure(with_context(fault, provider))
        case Success():
            pass
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
    match outcome(empty):
        case Success(spec):
            pass
        case Failure(fault):
            return Failure(fault)
    match outcome(read_texts(name, texts)):
        case Success(found):
            given = {option: value for option, value in spec.options.items() if value is not None}
            return Success(structs.replace(spec, texts=found, options=given))
        case Failure(fault):
            return Failure(with_context(fault, provider))


def _find_repair_problem(repairs: object, options: Mapping[str, Any], *, stream: bool) -> str | None:
    """Return why `repair` cannot be used; None if it can."""
    if not isinstance(repairs, int) or isinstance(repairs, bool) or repairs < 0:
        shown = repr(repairs)[:40] if isinstance(repairs, int | str) else type(repairs).__name__
        return f"expected a non-negative integer, got {shown}"
    if not repairs:
        return None
    if stream:
        return "not supported for streams; use a non-streaming call"
    from victor_fp.core.schemas.structured import find_form_problem, read_form

    form = read_form(options.get("response_format"))
    return "requires a response_format for JSON" if form is None else find_form_problem(form)


def _build_invalid(provider: str, argument: str, expected: str, value: object) -> Failure[Fault]:
    message = f"{argument}: expected {expected}, got {type(value).__name__}"
    return Failure(InvalidRequest(provider=provider, message=message))
