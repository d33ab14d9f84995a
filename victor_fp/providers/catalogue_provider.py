"""The provider behind every catalogue entry: the object API over one line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import SecretStr
from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.core.catalogue.limits import find_limit
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.redaction import HiddenValuesDict, HiddenValuesView, to_secret
from victor_fp.core.request_building.chat import build_chat_request
from victor_fp.core.request_building.endpoints import build_endpoint
from victor_fp.core.request_building.message_input import MessagesInput, ToolInput
from victor_fp.core.requests import ChatRequest
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.chat_stream import ChatStream
from victor_fp.providers.errors import error_from, value_or_raise
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities, discovered
from victor_fp.shell.credentials.signing import signer_for
from victor_fp.shell.line import Line
from victor_fp.shell.opening import key_at_hand, key_finder
from victor_fp.shell.prices import with_prices
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.transport.factory import transport_for

if TYPE_CHECKING:
    from victor_fp.shell.credentials.signing import TokenSource
    from victor_fp.shell.line import Sign
    from victor_fp.shell.stream import Streaming
    from victor_fp.shell.transport.protocol import Transport

T = TypeVar("T")


class CatalogueProvider(BaseProvider):
    """A provider that its catalogue entry describes wholly; `class X(CatalogueProvider): SPEC = ProviderSpec(...)`.

    Settings of a place (organization, deployment, region ...) are keywords with the names that the entry gives, or
    the environment's variables that it names. `http_client` takes an `httpx.AsyncClient` of your own, which stays yours to
    close; `verify`, `proxy` and `trust_env` are httpx's; `transport` replaces HTTP as a whole; `sign` replaces the signer of
    places that need one (`AwsSigner`, `GoogleSigner`). `token_provider` gives a bearer token in place of a key, such as the
    one that azure-identity makes for Microsoft Entra. `prices=True` works out what an answer cost where the vendor does
    not say, by the extra `prices`.
    """

    SPEC: ClassVar[ProviderSpec]

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = 60,
        max_retries: int = 3,
        use_circuit_breaker: bool = True,  # noqa: FBT001, FBT002  the signature is given
        circuit_breaker_failure_threshold: int = 5,
        circuit_breaker_recovery_timeout: float = 30.0,
        *,
        http_client: Any = None,
        verify: Any = True,
        proxy: str | None = None,
        trust_env: bool = True,
        transport: Transport | None = None,
        sign: Sign | None = None,
        token_provider: TokenSource | None = None,
        prices: bool = False,
        runtime: Runtime = SYSTEM,
        **settings: Any,
    ) -> None:
        """Raises ProviderError where a required setting or extra is missing; keys are looked up at the first call."""
        # Tools that show a frame's variables, should anything raise in here, show no key.
        api_key, settings = to_secret(api_key), HiddenValuesDict(settings)
        spec = self.SPEC
        transport = transport or settings.pop("wire", None)  # the keyword's name in version 0.1
        known = {setting.name for setting in spec.settings}
        if strangers := sorted(settings.keys() - known):
            takes = ", ".join(sorted(known)) or "none"
            raise TypeError(f"{spec.name} takes no setting {strangers[0]!r}; its settings: {takes}")
        environment = HiddenValuesView(runtime.environment())
        place = build_endpoint(spec, base_url=base_url, settings=settings, environment=environment)
        endpoint = value_or_raise(place.bind(with_prices) if prices else place)
        super().__init__(
            api_key,
            endpoint.base_url,
            timeout,
            max_retries,
            use_circuit_breaker,
            circuit_breaker_failure_threshold,
            circuit_breaker_recovery_timeout,
            **settings,
        )
        self._runtime = runtime
        self._line = Line(
            endpoint=endpoint,
            transport=transport
            or transport_for(endpoint, http_client=http_client, verify=verify, proxy=proxy, trust_env=trust_env),
            find_secret=key_finder(spec, self._secret, environment),
            secret=None if token_provider else key_at_hand(spec, self._secret, environment),
            gate=self._gate,
            timeout=timeout,
            retries=RetryPolicy(max_retries=max_retries),
            runtime=runtime,
            sign=sign or signer_for(endpoint, environment, token_provider),
        )

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.SPEC.name

    @property
    def line(self) -> Line:
        """What calls are made over; for the managed path."""
        return self._line

    def supports_tools(self) -> bool:
        """As the entry says."""
        return self.SPEC.supports.tools

    def supports_streaming(self) -> bool:
        """As the entry says."""
        return self.SPEC.supports.streaming

    async def chat(
        self,
        messages: MessagesInput,
        *,
        model: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""
        return value_or_raise(
            await self.chat_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    async def chat_result(
        self,
        messages: MessagesInput,
        *,
        model: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Complete a chat."""
        from victor_fp.shell.call import called

        request = self._request(messages, model, temperature, max_tokens, tools, kwargs, stream=False)
        match outcome(request):
            case Success(asked):
                return await called(self._line, asked, timeout=kwargs.get("timeout"), deadline=kwargs.get("deadline"))
            case Failure(fault):
                return Failure(fault)

    def stream(
        self,
        messages: MessagesInput,
        *,
        model: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError while it is iterated."""
        request = self._request(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(self._chunks(request, kwargs))

    def stream_result(
        self,
        messages: MessagesInput,
        *,
        model: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        request = self._request(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(self._results(request, kwargs))

    def stream_chat(
        self,
        messages: MessagesInput,
        *,
        model: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Another name for `stream`."""
        return self.stream(messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs)

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """What the vendor says of the model, by HTTP where it can be asked; else what is configured."""
        from victor_fp.shell.asking_models import model_found

        limit = find_limit(self.SPEC, model)
        configured = ProviderRuntimeCapabilities(
            provider=self.name,
            model=model,
            context_window=limit.context_window if limit else self.SPEC.context_window,
            supports_tools=self.supports_tools(),
            supports_streaming=self.supports_streaming(),
            max_output_tokens=limit.max_output if limit else None,
        )
        match outcome(await model_found(self._line, model)):
            case Success(info):
                return discovered(configured, info)
            case Failure():
                return configured

    async def list_models(self) -> list[ModelInfo]:
        """The models on offer. Raises ProviderError."""
        return value_or_raise(await self.list_models_result())

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """The models on offer."""
        from victor_fp.shell.asking_models import models_listed

        return await models_listed(self._line)

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """The vendor's own count where a model is named and the vendor counts; else an estimate."""
        if model is not None:
            from victor_fp.shell.asking_models import tokens_counted

            request = ChatRequest(messages=(Message(role="user", content=text),), model=model)
            match outcome(await tokens_counted(self._line, request)):
                case Success(int(count)):
                    return count
                case _:
                    pass
        return await super().count_tokens(text)

    async def close(self) -> None:
        """Close the connections this provider made; a client given to it stays open."""
        await self._line.transport.aclose()

    def _request(
        self,
        messages: MessagesInput,
        model: str,
        temperature: float | None,
        max_tokens: int | None,
        tools: Sequence[ToolInput] | None,
        options: Mapping[str, object],
        *,
        stream: bool,
    ) -> Result[ChatRequest, Fault]:
        return build_chat_request(
            self.name,
            messages,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
            options=options,
        )

    async def _chunks(
        self, request: Result[ChatRequest, Fault], options: ChatOptions
    ) -> AsyncGenerator[StreamChunk, None]:
        streaming = self._streaming(value_or_raise(request), options)
        try:
            while (batch := await streaming.batch()) is not None:
                for chunk in batch.chunks:
                    yield chunk
                if batch.fault is not None:
                    raise error_from(batch.fault)
        finally:
            await streaming.aclose()

    async def _results(
        self, request: Result[ChatRequest, Fault], options: ChatOptions
    ) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
        match outcome(request):
            case Failure(fault):
                yield Failure(fault)
                return
            case Success(asked):
                pass
        streaming = self._streaming(asked, options)
        try:
            while (batch := await streaming.batch()) is not None:
                for chunk in batch.chunks:
                    yield Success(chunk)
                if batch.fault is not None:
                    yield Failure(batch.fault)
        finally:
            await streaming.aclose()

    def _streaming(self, asked: ChatRequest, options: ChatOptions) -> Streaming:
        from victor_fp.shell.stream import Streaming

        return Streaming(self._line, asked, timeout=options.get("timeout"), deadline=options.get("deadline"))
