"""A LangChain chat model and embeddings over a provider, managed provider or manager (the extra `langchain`).

from victor_fp.integrations.langchain import ChatVictor

model = ChatVictor(model="openai/gpt-5-mini")
model.invoke("Name three colours.")
ChatVictor(provider=managed).with_structured_output(City)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.integrations.tool_call_pieces import ToolCallPieces
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.sync_chat import AsyncChat, SyncChat
from victor_fp.providers.sync_provider import SyncProvider

try:
    from langchain_core.language_models import BaseChatModel, LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import RunnableMap, RunnablePassthrough
    from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
    from langchain_core.utils.pydantic import is_basemodel_subclass
except ImportError as error:
    raise ImportError(
        "victor_fp.integrations.langchain requires the package langchain-core: pip install 'victor_fp[langchain]'",
        name=error.name,
    ) from error

from victor_fp.integrations.langchain_embeddings import VictorEmbeddings
from victor_fp.integrations.langchain_messages import read_messages, to_chunk, to_message

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
    from pydantic import BaseModel

__all__ = ["ChatVictor", "VictorEmbeddings"]

_CHOICES: Mapping[Any, str] = {
    "any": "required",
    "required": "required",
    True: "required",
    "auto": "auto",
    "none": "none",
}


class ChatVictor(BaseChatModel):
    """A chat model that calls a provider of this package, with its retries, breaker, limits and fallbacks.

    Synchronous methods run in the background loop of `victor_fp.sync`, asynchronous ones in the caller's loop. Errors are
    raised as `ProviderError`. State that the vendor requires on the next turn is kept in the messages'
    `additional_kwargs`.
    """

    model_name: str | None = Field(default=None, alias="model")
    """`openai/gpt-5-mini`, or only the model name if `provider` is given. None is the provider's default model."""
    provider: Any = Field(default=None, exclude=True, repr=False)
    """A provider, managed provider or manager, asynchronous or synchronous; the caller closes it. By default a provider is
    created from the model name."""
    temperature: float | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = Field(default=None, alias="stop")
    timeout: float | None = None
    """Seconds for one attempt."""
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    base_url: str | None = None
    provider_options: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    """Keyword arguments for the constructor of the created provider."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Additional options of every call, such as `reasoning_effort` or `seed`."""
    streaming: bool = False
    """Whether `invoke` uses a stream."""

    model_config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True, protected_namespaces=())

    _chat: Any = PrivateAttr(default=None)
    _name: str = PrivateAttr(default="")
    _model: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _connect(self) -> ChatVictor:
        """Select or create the provider. Raises ProviderError if it cannot be created."""
        provider = self.provider
        self._model = self.model_name
        if provider is None:
            if self.model_name is None:
                raise ValueError("model or provider is required: ChatVictor(model='openai/gpt-5-mini')")
            provider = self._create(self.model_name)
            self._model = provider.default_model
        self._chat = _to_async_chat(provider)
        self._name = str(getattr(provider, "provider_name", None) or getattr(provider, "name", ""))
        if self._model is None:
            self._model = getattr(provider, "model", None) or getattr(provider, "default_model", None)
        return self

    def _create(self, name: str) -> BaseProvider:
        from victor_fp.providers.registry import ProviderRegistry

        given = {
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
        }
        keywords = {key: value for key, value in given.items() if value is not None} | self.provider_options
        return ProviderRegistry.create(name, **keywords)

    @property
    def _llm_type(self) -> str:
        return "victor_fp"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"provider": self._name, "model": self._model, "temperature": self.temperature, **self.options}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop_sequences, **kwargs)
        params["ls_provider"] = self._name
        if "ls_model_name" not in params or "model" not in kwargs:
            params["ls_model_name"] = str(kwargs.get("model") or self._model or "")
        return params

    def _build_arguments(self, stop: list[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """Build the keyword arguments of `chat` and `stream`."""
        arguments = {
            "model": self._model,
            "temperature": DEFAULT_TEMPERATURE if self.temperature is None else self.temperature,
            "max_tokens": DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens,
            **({"timeout": self.timeout} if self.timeout is not None else {}),
            **self.options,
            **given,
        }
        if stops := stop or self.stop_sequences:
            arguments["stop"] = list(stops)
        return arguments

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  nothing is reported before the end
        **kwargs: Any,
    ) -> ChatResult:
        response = SyncChat(self._chat).chat(read_messages(messages), **self._build_arguments(stop, kwargs))
        return _to_result(to_message(response))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        response = await self._chat.chat(read_messages(messages), **self._build_arguments(stop, kwargs))
        return _to_result(to_message(response))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        calls = ToolCallPieces()
        with SyncChat(self._chat).stream(read_messages(messages), **self._build_arguments(stop, kwargs)) as stream:
            for chunk in stream:
                generated = ChatGenerationChunk(message=to_chunk(chunk, calls))
                if run_manager is not None:
                    run_manager.on_llm_new_token(generated.text, chunk=generated)
                yield generated

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        calls = ToolCallPieces()
        stream = self._chat.stream(read_messages(messages), **self._build_arguments(stop, kwargs))
        try:
            async for chunk in stream:
                generated = ChatGenerationChunk(message=to_chunk(chunk, calls))
                if run_manager is not None:
                    await run_manager.on_llm_new_token(generated.text, chunk=generated)
                yield generated
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools: functions, LangChain tools, pydantic models, or definitions in any vendor's format.

        `tool_choice` is "auto", "none", "any" (at least one call), or the name of a tool.
        """
        bound = {"tools": [_read_tool(one, strict) for one in tools], **kwargs}
        if tool_choice is not None and tool_choice is not False:
            bound["tool_choice"] = _read_choice(tool_choice)
        return self.bind(**bound)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return the model with structured output: by a tool call, the vendor's own mechanism, or as any JSON object."""
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        if kwargs:
            raise ValueError(f"unsupported arguments: {', '.join(kwargs)}")
        form = convert_to_json_schema(schema)
        response_format: Any = "json"
        if method == "json_schema":
            is_strict = {} if strict is None else {"strict": strict}
            response_format = {
                "type": "json_schema",
                "json_schema": {"name": form.get("title", "answer"), "schema": form, **is_strict},
            }
        traced = {"kwargs": {"method": method}, "schema": schema}
        model = self.bind(response_format=response_format, ls_structured_output_format=traced)
        parser: Runnable[Any, Any] = JsonOutputParser()
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            parser = PydanticOutputParser(pydantic_object=schema)
        parsed: Runnable[Any, Any] = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
        )
        unparsed: Runnable[Any, Any] = RunnablePassthrough.assign(parsed=lambda _: None)
        with_raw = RunnableMap(raw=model) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")
        structured: Runnable[Any, Any] = with_raw if include_raw else model | parser
        return structured


def _to_async_chat(provider: Any) -> AsyncChat:
    """Return the asynchronous methods of a provider or of its synchronous wrapper."""
    if isinstance(provider, SyncChat):
        return provider.asynchronous
    if isinstance(provider, BaseProvider):
        return SyncProvider(provider).asynchronous
    chat: AsyncChat = provider
    return chat


def _read_tool(tool: Any, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001
    """Convert a tool to OpenAI's format, and keep the cache marker of a definition in Anthropic's format."""
    is_cached = isinstance(tool, dict) and "cache_control" in tool
    return convert_to_openai_tool(tool, strict=strict) | ({"cache": True} if is_cached else {})


def _read_choice(choice: str | dict[str, Any] | bool) -> str | dict[str, str]:  # noqa: FBT001
    if isinstance(choice, dict):
        function = choice.get("function")
        return {"name": str((function if isinstance(function, dict) else choice).get("name"))}
    return _CHOICES.get(choice) or {"name": str(choice)}


def _to_result(message: AIMessage) -> ChatResult:
    output = {"model_name": message.response_metadata.get("model_name"), "token_usage": message.usage_metadata}
    return ChatResult(generations=[ChatGeneration(message=message)], llm_output=output)
