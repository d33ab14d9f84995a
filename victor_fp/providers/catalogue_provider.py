"""The provider behind every catalogue entry: the object API over one target of the engine."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import SecretStr
from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.models.limits import find_limit
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.protocols.batches import build_batch_codec
from victor_fp.core.request_building.endpoints import build_endpoint
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.core.secrets import HiddenValuesDict, HiddenValuesView, to_secret
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.chat_stream import ChatStream, complete, stream_chunks, stream_results
from victor_fp.providers.errors import unwrap_or_raise
from victor_fp.providers.provider import Provider
from victor_fp.providers.retrieval import run_embedding, run_ranking
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities, merge_discovered
from victor_fp.shell.credentials.signing import choose_signer
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.engine.call_spec import CallSpec, build_chat_spec, build_embed_spec, build_rerank_spec
from victor_fp.shell.engine.connection import Connection, find_known_secret, make_secret_finder
from victor_fp.shell.engine.http_backend import HttpBackend
from victor_fp.shell.engine.in_flight import InFlight
from victor_fp.shell.engine.kinds import MODEL, TOKEN_COUNT
from victor_fp.shell.engine.model_list import list_models
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import ModelState, Target, TargetPool
from victor_fp.shell.limits_file import load_limits
from victor_fp.shell.prices import with_prices
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.memory import MemoryCell
from victor_fp.shell.transport.factory import TransportChoice, build_transport

if TYPE_CHECKING:
    from victor_fp.core.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.vectors import Purpose
    from victor_fp.shell.credentials.signing import TokenSource
    from victor_fp.shell.engine.connection import Sign
    from victor_fp.shell.engine.telemetry import Observer

T = TypeVar("T")


class CatalogueProvider(Provider):
    """A provider that its catalogue entry describes wholly; `class X(CatalogueProvider): SPEC = ProviderSpec(...)`.

    Calls that name no model use `default_model`: the one given here, or the entry's.

    Settings of an endpoint (organization, deployment, region ...) are keywords with the names that the entry gives, or
    the environment's variables that it names. `http_client` takes an `httpx.AsyncClient` of your own, which is used as it is
    and stays yours to close. Without one, `verify` is a bool, the path of CA certificates or an `ssl.SSLContext`; `proxy` is
    a URL, in place of the environment's proxies; `trust_env=False` ignores the environment's proxies and CA certificates.
    `transport` is "aiohttp" (the default), "httpx", or what replaces HTTP as a whole: a `Transport`, or one of httpx, such as
    `httpx.MockTransport`. `sign` replaces the signer of places that need one (`AwsSigner`, `GoogleSigner`). `token_provider`
    gives a bearer token in place of a key, such as the one that azure-identity makes for Microsoft Entra. `prices=True` works
    out what an answer cost where the vendor does not say, by the extra `prices`. `observers` are told of every operation; see
    `OtelObserver`.
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
        transport: TransportChoice = None,
        sign: Sign | None = None,
        token_provider: TokenSource | None = None,
        prices: bool = False,
        observers: Sequence[Observer] = (),
        default_model: str | None = None,
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
        environment = HiddenValuesView(runtime.read_environment())
        place = build_endpoint(spec, base_url=base_url, settings=settings, environment=environment)
        endpoint = unwrap_or_raise(place.bind(with_prices) if prices else place)
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
        self.default_model = default_model or self.default_model or spec.default_model
        self._runtime = runtime
        self._breaker_cell = MemoryCell(self._breaker_cell.state, runtime.now)
        connection = Connection(
            endpoint=endpoint,
            transport=build_transport(
                endpoint,
                transport=transport,
                http_client=http_client,
                verify=verify,
                proxy=proxy,
                trust_env=trust_env,
            ),
            find_secret=make_secret_finder(spec, self._secret, environment),
            secret=None if token_provider else find_known_secret(spec, self._secret, environment),
            signing_timeout=timeout,
            runtime=runtime,
            signer=sign or choose_signer(endpoint, environment, token_provider),
        )
        self._pool = self._make_pool(connection, observers)

    def _make_pool(self, connection: Connection, observers: Sequence[Observer]) -> TargetPool:
        target = Target(
            backend=HttpBackend(connection),
            model="",
            timeout=self.timeout,
            retries=RetryPolicy(max_retries=self.max_retries),
            every_model=ModelState(breaker=self._breaker_cell, limiter=None),
        )
        return TargetPool((target,), runtime=self._runtime, observers=observers)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """With a breaker of its own; connections and what finds keys and signs are shared."""
        copied = copy.copy(self)
        copied._separate()  # noqa: SLF001  another object of this class
        return copied

    def _separate(self) -> None:
        """Stop sharing the breaker with the provider that this one was copied from."""
        self._breaker_cell = MemoryCell(self._breaker_cell.state, self._runtime.now)
        self._pool = self._make_pool(copy.copy(self.connection), self._pool.observers)

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.SPEC.name

    @property
    def backend(self) -> HttpBackend:
        """The engine's view of this provider, for providers that manage it."""
        backend = self._pool.targets[0].backend
        if not isinstance(backend, HttpBackend):
            raise TypeError("a catalogue provider has an HTTP backend")
        return backend

    @property
    def connection(self) -> Connection:
        """What reaches the endpoint: transport, key and codec."""
        return self.backend.connection

    @property
    def engine_pool(self) -> TargetPool:
        """The targets that calls run on."""
        return self._pool

    @property
    def in_flight(self) -> InFlight:
        """Operations that are not over."""
        return self._pool.in_flight

    def supports_tools(self) -> bool:
        """As the entry says."""
        return self.SPEC.supports.tools

    def supports_streaming(self) -> bool:
        """As the entry says."""
        return self.SPEC.supports.streaming

    async def chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""
        return unwrap_or_raise(
            await self.chat_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    async def chat_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Complete a chat."""
        spec = build_chat_spec(
            self.SPEC.name,
            messages,
            kwargs,
            model=model or self.default_model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=False,
        )
        return await complete(self._pool, spec)

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError while it is iterated."""
        spec = build_chat_spec(
            self.SPEC.name,
            messages,
            kwargs,
            model=model or self.default_model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=True,
        )
        return ChatStream(stream_chunks(self._pool, spec))

    def stream_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        spec = build_chat_spec(
            self.SPEC.name,
            messages,
            kwargs,
            model=model or self.default_model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=True,
        )
        return ChatStream(stream_results(self._pool, spec))

    def stream_chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Another name for `stream`."""
        return self.stream(messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs)

    async def embed(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts: a vector for each, in their order, in as many requests as the vendor's limits need.

        Raises ProviderError.
        """
        return unwrap_or_raise(
            await self.embed_result(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs)
        )

    async def embed_result(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> Result[EmbeddingResponse, Fault]:
        """Embed texts."""
        spec = build_embed_spec(self.SPEC.name, texts, kwargs, model=model, dimensions=dimensions, purpose=purpose)
        return await run_embedding(self._pool, spec)

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Order documents by their relevance to a query. Raises ProviderError."""
        return unwrap_or_raise(await self.rerank_result(query, documents, model=model, top_n=top_n, **kwargs))

    async def rerank_result(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Order documents by their relevance to a query."""
        spec = build_rerank_spec(self.SPEC.name, query, documents, kwargs, model=model, top_n=top_n)
        return await run_ranking(self._pool, spec)

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:
        """The provider's own target."""
        return self._pool if provider in (None, self.SPEC.name) else None

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """What the vendor says of the model, by HTTP where it can be asked; else what is configured."""
        return await self.discover_on(self._pool, model)

    async def discover_on(self, pool: TargetPool, model: str) -> ProviderRuntimeCapabilities:
        """The same asked through these targets, which may have limits and retries of their own."""
        limit = find_limit(self.SPEC, model, load_limits(self._runtime.read_environment()))
        configured = ProviderRuntimeCapabilities(
            provider=self.name,
            model=model,
            context_window=limit.context_window if limit else self.SPEC.context_window,
            supports_tools=self.supports_tools(),
            supports_streaming=self.supports_streaming(),
            max_output_tokens=limit.max_output if limit else None,
        )
        match outcome(await self._find_model(model, pool)):
            case Success(info):
                return merge_discovered(configured, info)
            case Failure():
                return configured

    async def _find_model(self, model: str, pool: TargetPool) -> Result[ModelInfo, Fault]:
        """The vendor's own description of a model: from its endpoint for one model, and from the list where that has
        more, as with llama.cpp's router."""
        match outcome(await self.backend.connection.prepare()):
            case Failure(fault):
                return Failure(fault)
            case Success(codec):
                discovery = codec.for_model(model).discovery
        result = await Operation(pool, MODEL, CallSpec(model=model)).result()
        found: ModelInfo | None = result.value_or(None)
        if discovery is None or not (
            discovery.model_request is None
            or (discovery.list_has_limits and (found is None or found.context_window is None))
        ):
            return result
        match outcome(await list_models(pool, CallSpec())):
            case Success(models):
                found = next((info for info in models if info.id == model), found)
            case Failure(fault):
                return Failure(fault) if found is None else Success(found)
        return result if found is None else Success(found)

    async def list_models(self) -> list[ModelInfo]:
        """The models on offer. Raises ProviderError."""
        return unwrap_or_raise(await self.list_models_result())

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """The models on offer."""
        return await list_models(self._pool, CallSpec())

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """The vendor's own count where a model is named and the vendor counts; else an estimate."""
        if model is not None:
            spec = CallSpec(messages=(Message(role="user", content=text),), model=model)
            match outcome(await Operation(self._pool, TOKEN_COUNT, spec).result()):
                case Success(int(count)):
                    return count
                case _:
                    pass
        return await super().count_tokens(text)

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """The vendor's batch API on the engine; InvalidRequest where it has none."""
        return await self.open_batches_on(self._pool)

    async def open_batches_on(self, pool: TargetPool) -> Result[BatchClient, Fault]:
        """The same through these targets, which may have limits and retries of their own."""
        match outcome(await self.connection.prepare()):
            case Failure(fault):
                return Failure(fault)
            case Success(_):
                endpoint = self.connection.endpoint
        return build_batch_codec(endpoint).map(lambda batch: BatchClient(pool=pool, endpoint=endpoint, batch=batch))

    async def close(self) -> None:
        """End open streams with a fault and close the connections; a client given to the constructor stays open."""
        self._pool.in_flight.interrupt("the provider was closed")
        await self.backend.aclose()
