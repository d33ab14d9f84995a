"""Tools from functions: definitions from signatures and docstrings, and validated execution of calls.

@tool
def weather(city: str, days: int = 1) -> str:
    '''The weather in a city.'''
    return f"12 degrees in {city}"

response = await provider.chat(messages, tools=[weather])
messages.append(response.to_message())
messages += await run_tools(response, [weather])
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Generic, NotRequired, ParamSpec, TypeAlias, TypeVar, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_json
from returns.result import Failure, Result, Success
from typing_extensions import Doc, TypedDict

from victor_fp.agent.docstrings import parse_docstring
from victor_fp.core.json import NotJson, decode_json
from victor_fp.core.result import outcome
from victor_fp.core.security.redaction import cut_text, redact_text
from victor_fp.core.types import (
    AudioPart,
    CompletionResponse,
    FilePart,
    ImagePart,
    Message,
    Part,
    StreamChunk,
    TextPart,
    ToolCall,
    ToolDefinition,
)

P = ParamSpec("P")
R = TypeVar("R")

ToolOutput: TypeAlias = str | list[Part]
"""The result of a tool for the model."""

LOGGER = "victor_fp.tools"
_MAX_ERROR = 2000
"""Maximum characters of an error for the model."""


class Tool(ToolDefinition, ABC):
    """A tool definition that can be run; it is passed to `chat` and `stream` like other definitions."""

    @abstractmethod
    async def run(self, arguments: Mapping[str, Any]) -> Result[ToolOutput, str]:
        """Run the tool. A failure is the error message for the model."""

    async def answer(self, call: ToolCall) -> Message:
        """Run one call and return its tool message. Errors become messages with `is_error`; does not raise."""
        match outcome(await self._run_safely(call["arguments"])):
            case Success(content):
                return Message(role="tool", tool_call_id=call["id"], name=call["name"], content=content)
            case Failure(problem):
                return _build_error_message(call, problem)

    async def _run_safely(self, given: dict[str, Any] | str) -> Result[ToolOutput, str]:
        arguments: object = decode_json(given or "{}") if isinstance(given, str) else given
        if isinstance(arguments, NotJson):
            return Failure(f"the arguments are not JSON: {arguments.reason}")
        if not isinstance(arguments, Mapping):
            return Failure(f"the arguments must be a JSON object, not {type(arguments).__name__}")
        try:
            return await self.run(arguments)
        except (Exception, SystemExit) as error:  # user code; the model may retry with other arguments
            from victor_fp.shell.engine.telemetry import to_log_line

            logging.getLogger(LOGGER).warning("tool %s failed", to_log_line(self.name), exc_info=True)
            return Failure(f"{type(error).__name__}: {error}")


class FunctionTool(Tool, Generic[P, R]):
    """A function as a tool; it can still be called as a function."""

    _function: Callable[P, R] = PrivateAttr()
    _signature: _ToolSignature = PrivateAttr()

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
        cache: bool = False,
    ) -> None:
        """See `tool`."""
        signature = _ToolSignature(function)
        # The fields are passed to pydantic's constructor, whose keywords are those of a definition.
        BaseModel.__init__(
            self,
            name=name or _find_name(function),
            description=signature.documentation.text if description is None else description,
            parameters=signature.parameters,
            strict=strict,
            cache=cache,
        )
        self._function = function
        self._signature = signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(*args, **kwargs)

    async def run(self, arguments: Mapping[str, Any]) -> Result[ToolOutput, str]:
        """Validate the arguments and call the function; synchronous functions run in a thread."""
        match outcome(self._signature.bind(arguments)):
            case Failure(problem):
                return Failure(problem)
            case Success((positional, named)):
                pass
        call: Callable[..., Any] = self._function
        if self._signature.is_async:
            value = await call(*positional, **named)
        else:
            value = await asyncio.to_thread(call, *positional, **named)
            if inspect.isawaitable(value):
                value = await value
        return render_output(value)


class _ToolSignature:
    """The parameters of a function: their JSON Schema, and the validation of arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = _find_name(function)
        inner = getattr(function, "func", function)  # of a functools.partial
        hinted = inner if inspect.isroutine(inner) or inspect.isclass(inner) else type(inner).__call__
        self.documentation = parse_docstring(inspect.getdoc(inner) if inspect.isroutine(inner) else None)
        self.is_async = inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(hinted)
        try:
            self._hints = get_type_hints(hinted, include_extras=True)
        except (NameError, TypeError) as error:
            raise TypeError(f"the annotations of {self._name} cannot be resolved: {error}") from error
        self._parameters = inspect.signature(function).parameters
        for parameter in self._parameters.values():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise TypeError(
                    f"{_find_name(function)} has *{parameter.name}, which is not supported: use named parameters"
                )
        self._takes_more = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in self._parameters.values())

    @cached_property
    def _adapter(self) -> TypeAdapter[dict[str, Any]]:
        fields = {
            parameter.name: self._build_field(parameter)
            for parameter in self._parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        }
        arguments = TypedDict("arguments", fields)  # type: ignore[misc]  # the fields depend on the function
        # A TypedDict, since names such as `json` or `copy` conflict with methods of a model.
        config = ConfigDict(extra="allow" if self._takes_more else "forbid")
        arguments.__pydantic_config__ = config  # type: ignore[attr-defined]  # as pydantic's with_config does
        adapter: TypeAdapter[Any] = TypeAdapter(arguments)
        return adapter

    def _build_field(self, parameter: inspect.Parameter) -> Any:
        annotation = self._hints.get(parameter.name, Any)
        description = _find_description(annotation) or self.documentation.parameters.get(parameter.name)
        if description:
            annotation = Annotated[annotation, Field(description=description)]
        return annotation if parameter.default is inspect.Parameter.empty else NotRequired[annotation]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        try:
            schema = self._adapter.json_schema(schema_generator=_UntitledSchema)
        except PydanticUserError as error:
            raise TypeError(
                f"the parameters of {self._name} cannot be described as JSON Schema: {error.message}"
            ) from error
        schema.pop("title", None)
        properties = schema.setdefault("properties", {})
        for parameter in self._parameters.values():
            default = parameter.default
            if parameter.name in properties and type(default) in {str, int, float, bool, type(None)}:
                properties[parameter.name].setdefault("default", default)
        return schema

    def bind(self, arguments: Mapping[str, Any]) -> Result[tuple[list[Any], dict[str, Any]], str]:
        """Return validated positional and keyword arguments, or an error message."""
        try:
            # From JSON, so that dates, enums and bytes are accepted in their JSON form.
            values = self._adapter.validate_json(to_json(dict(arguments)))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)
            )
            return Failure(f"the arguments are not valid: {problems}")
        except PydanticSerializationError as error:
            return Failure(f"the arguments are not valid: {error}")
        positional: list[Any] = []
        for parameter in self._parameters.values():
            if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
                break
            positional.append(values.pop(parameter.name, parameter.default))
        return Success((positional, values))


class _UntitledSchema(GenerateJsonSchema):
    """JSON Schema without titles, which repeat names and cost tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Return False."""
        return False


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
    cache: bool = False,
) -> FunctionTool[P, R]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, strict: bool | None = None, cache: bool = False
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
    cache: bool = False,
) -> Any:
    """Create a tool from a synchronous or asynchronous function; also a decorator, with or without keywords.

    The name is the function's, the description its docstring's text, the parameters those of its signature. Their types
    are what pydantic validates; their descriptions come from the docstring (Google, NumPy or Sphinx style), or from
    `Annotated[str, Field(description=...)]`. Raises TypeError if the signature is not supported.
    """
    if function is None:
        return lambda decorated: FunctionTool(decorated, name=name, description=description, strict=strict, cache=cache)
    return FunctionTool(function, name=name, description=description, strict=strict, cache=cache)


async def run_tools(
    response: CompletionResponse | StreamChunk, tools: Sequence[Tool], *, timeout: float | None = None
) -> list[Message]:
    """Run the calls of a response or of a final chunk concurrently; return their tool messages in order.

    Errors become messages with `is_error`, so that the model can correct them: an unknown tool, invalid arguments, an
    exception, or a call that takes longer than `timeout` seconds. A function in a thread continues to run after a
    timeout.
    """
    by_name = {one.name: one for one in tools}
    return list(await asyncio.gather(*(_answer(call, by_name, timeout) for call in response.tool_calls or ())))


async def _answer(call: ToolCall, tools: Mapping[str, Tool], timeout: float | None) -> Message:
    found = tools.get(call["name"])
    if found is None:
        known = ", ".join(tools) or "none"
        return _build_error_message(call, f"unknown tool {call['name']!r}; tools: {known}")
    try:
        async with asyncio.timeout(timeout):
            return await found.answer(call)  # does not raise
    except TimeoutError:
        return _build_error_message(call, f"no result within {timeout:g} s")


def _build_error_message(call: ToolCall, problem: str) -> Message:
    text = cut_text(redact_text(problem), _MAX_ERROR)
    return Message(role="tool", tool_call_id=call["id"], name=call["name"], content=text, is_error=True)


def render_output(value: object) -> Result[ToolOutput, str]:
    """Render the result of a function for the model: text and parts unchanged, everything else as JSON."""
    match value:
        case str():
            return Success(value)
        case None:
            return Success("")
        case TextPart() | ImagePart() | AudioPart() | FilePart():
            return Success([value])
        case [_, *_]:
            parts = [part for part in value if isinstance(part, TextPart | ImagePart | AudioPart | FilePart)]
            return Success(parts) if len(parts) == len(value) else _render_json(value)
        case _:
            return _render_json(value)


def _render_json(value: object) -> Result[ToolOutput, str]:
    try:
        return Success(to_json(value).decode())
    except PydanticSerializationError:
        return Failure(f"the tool returned {type(value).__name__}, which cannot be converted to JSON")


def _find_name(function: Callable[..., Any]) -> str:
    inner = getattr(function, "func", function)
    name: str = getattr(inner, "__name__", type(inner).__name__)
    return name


def _find_description(annotation: Any) -> str | None:
    """Return the description in an annotation, if any."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, FieldInfo) and extra.description:
            return extra.description
        if isinstance(extra, Doc):
            return extra.documentation
    return None
