"""The provider class of catalogue entries: the object API over one target of the engine."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import SecretStr
from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ModelInfo, ProviderSpec
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.bounds import (
    MAX_SECONDS,
    find_count_problem,
    find_duration_problem,
    find_timeout_problem,
)
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.core.security.secrets import HiddenValuesDict, HiddenValuesView, to_secret
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, Message, StreamChunk
from victor_fp.providers.calls import (
    ChatStream,
    build_chat_spec,
    build_embed_spec,
    build_rerank_spec,
    complete,
    stream_items,
)
from victor_fp.providers.errors import error_from, unwrap_or_raise
from victor_fp.providers.provider import Provider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities, merge_discovered
from victor_fp.shell.credentials.signing import choose_signer
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.connection import Connection, find_known_secret, make_secret_finder
from victor_fp.shell.engine.http_backend import MODEL, TOKEN_COUNT, HttpBackend
from victor_fp.shell.engine.in_flight import InFlight
from victor_fp.shell.engine.model_list import list_models
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import ModelState, Target, TargetPool
from victor_fp.shell.prices import with_prices
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.memory import MemoryCell
from victor_fp.shell.transport.factory import TransportChoice, build_transport

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose
    from victor_fp.shell.credentials.signing import TokenSource
    from victor_fp.shell.engine.batches import BatchClient
    from victor_fp.shell.engine.connection import Sign
    from victor_fp.shell.engine.telemetry import Observer
    from victor_fp.shell.object_store import ObjectStore

T = TypeVar("T")


class CatalogueProvider(Provider):
    """A provider defined by its catalogue entry; `class X(CatalogueProvider): SPEC = ProviderSpec(...)`.

    Calls without a model use `default_model`, by default that of the entry.

    Settings of an endpoint (organization, deployment, region ...) are keywords with the names in the entry, or the
    environment variables that it lists. `http_client` accepts an `httpx.AsyncClient`, which is used unchanged and must
    be closed by the caller. Without it, `verify` is a bool, the path of CA certificates or an `ssl.SSLContext`; `proxy`
    is a URL, which replaces the proxies of the environment; `trust_env=False` ignores proxies and CA certificates of
    the environment. `transport` is "aiohttp" (the default), "httpx", or a replacement for HTTP: a `Transport`, or a
    transport of httpx, such as `httpx.MockTransport`. `sign` replaces the signer of endpoints that require one
    (`AwsSigner`, `GoogleSigner`). `token_provider` returns a bearer token instead of a key, such as that of
    azure-identity for Microsoft Entra. `batch_store` is an `ObjectStore` for vendors that read batches from the caller's
    bucket; by default `ObstoreBuckets`, which requires the extra `object-store`. `prices=True` computes the cost of
    responses for which the vendor reports none; requires the extra `prices`. `observers` are notified of every
    operation; see `OtelObserver`.
    """

    SPEC: ClassVar[ProviderSpec]

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = 60,
        max_retries: int = 3,
        use_circuit_breaker: bool = True,  # noqa: FBT001, FBT002  public signature
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
        batch_store: ObjectStore | None = None,
        prices: bool = False,
        observers: Sequence[Observer] = (),
        default_model: str | None = None,
        runtime: Runtime = SYSTEM,
        **settings: Any,
    ) -> None:
        """Raises ProviderError if a required setting or extra is missing, or a number is out of its bounds; keys are looked up at
        the first call.
        """
        # Error trackers that report the variables of a frame must not see the key.
        api_key, settings = to_secret(api_key), HiddenValuesDict(settings)
        spec = self.SPEC
        transport = transport or settings.pop("wire", None)  # the name of the keyword in version 0.1
        known = {setting.name for setting in spec.settings}
        if unknown := sorted(settings.keys() - known):
            accepted = ", ".join(sorted(known)) or "none"
            raise TypeError(f"{spec.name} does not accept the setting {unknown[0]!r}; its settings: {accepted}")
        problem = (
            find_timeout_problem(timeout)
            or find_count_problem("max_retries", max_retries)
            or find_count_problem("circuit_breaker_failure_threshold", circuit_breaker_failure_threshold, 1)
            or find_duration_problem("circuit_breaker_recovery_timeout", circuit_breaker_recovery_timeout)
        )
        if problem is not None:
            raise error_from(InvalidRequest(provider=spec.name, message=problem))
        environment = HiddenValuesView(runtime.read_environment())
        built = build_endpoint(spec, base_url=base_url, settings=settings, environment=environment)
        endpoint = unwrap_or_raise(built.bind(with_prices) if prices else built)
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
            signing_timeout=min(timeout, MAX_SECONDS),
            runtime=runtime,
            signer=sign or choose_signer(endpoint, environment, token_provider),
        )
        self._pool = self._make_pool(connection, observers)
        self._batch_store = batch_store

    def _make_pool(self, connection: Connection, observers: Sequence[Observer]) -> TargetPool:
        target = Target(
            backend=HttpBackend(connection),
            model="",
            timeout=min(self.timeout, MAX_SECONDS),
            retries=RetryPolicy(max_retries=self.max_retries),
            shared_state=ModelState(breaker=self._breaker_cell, limiter=None),
        )
        return TargetPool((target,), runtime=self._runtime, observers=observers)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy with a separate breaker; connections, key lookup and signer are shared."""
        copied = copy.copy(self)
        copied._separate()  # noqa: SLF001  an object of this class
        return copied

    def _separate(self) -> None:
        """Separate the breaker from that of the original."""
        self._breaker_cell = MemoryCell(self._breaker_cell.state, self._runtime.now)
        self._pool = self._make_pool(copy.copy(self.connection), self._pool.observers)

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self.SPEC.name

    @property
    def backend(self) -> HttpBackend:
        """The backend of this provider, for managed providers."""
        backend = self._pool.targets[0].backend
        if not isinstance(backend, HttpBackend):
            raise TypeError("a catalogue provider has an HTTP backend")
        return backend

    @property
    def connection(self) -> Connection:
        """The connection to the endpoint: transport, key and codec."""
        return self.backend.connection

    @property
    def engine_pool(self) -> TargetPool:
        """The targets of calls."""
        return self._pool

    @property
    def in_flight(self) -> InFlight:
        """Operations in flight."""
        return self._pool.in_flight

    def supports_tools(self) -> bool:
        """Return the value of the entry."""
        return self.SPEC.supports.tools

    def supports_streaming(self) -> bool:
        """Return the value of the entry."""
        return self.SPEC.supports.streaming

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
        return await complete(
            self._pool,
            build_chat_spec(
                self.SPEC.name,
                messages,
                kwargs,
                model=model or self.default_model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                stream=False,
            ),
        )

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
        """Stream a chat completion. Raises ProviderError during iteration."""
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
        return ChatStream(stream_items(self._pool, spec))

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
        """Stream a chat completion: successes, then at most one failure, which is the last item."""
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
        return ChatStream(stream_items(self._pool, spec, as_results=True))

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
        from victor_fp.providers.retrieval import run_embedding

        spec = build_embed_spec(self.SPEC.name, texts, kwargs, model=model, dimensions=dimensions, purpose=purpose)
        return await run_embedding(self._pool, spec)

    async def rerank_result(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Rank documents by their relevance to a query."""
        from victor_fp.providers.retrieval import run_ranking

        spec = build_rerank_spec(self.SPEC.name, query, documents, kwargs, model=model, top_n=top_n)
        return await run_ranking(self._pool, spec)

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:
        """Return the pool of this provider."""
        return self._pool if provider in (None, self.SPEC.name) else None

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """Return the capabilities of a model, as reported by the vendor over HTTP, else as configured."""
        return await self.discover_on(self._pool, model)

    async def discover_on(self, pool: TargetPool, model: str) -> ProviderRuntimeCapabilities:
        """Like `discover_capabilities`, with these targets, which may have other limits and retries."""
        from victor_fp.core.models.limits import find_limit
        from victor_fp.shell.limits_file import load_limits

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
        """Return the vendor's description of a model: from its endpoint for one model, or from the list if that has
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

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the available models."""
        return await list_models(self._pool, CallSpec())

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """Return the vendor's count if a model is given and the vendor supports it, else an estimate."""
        if model is not None:
            spec = CallSpec(messages=(Message(role="user", content=text),), model=model)
            match outcome(await Operation(self._pool, TOKEN_COUNT, spec).result()):
                case Success(int(count)):
                    return count
                case _:
                    pass
        return await super().count_tokens(text)

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """Return the client of the vendor's batch API; InvalidRequest if there is none."""
        return await self.open_batches_on(self._pool)

    async def open_batches_on(self, pool: TargetPool) -> Result[BatchClient, Fault]:
        """Like `open_batches`, with these targets, which may have other limits and retries."""
        match outcome(await self.connection.prepare()):
            case Failure(fault):
                return Failure(fault)
            case Success(_):
                endpoint = self.connection.endpoint
        from victor_fp.core.protocols.batches import build_batch_codec
        from victor_fp.shell.engine.batches import BatchClient
        from victor_fp.shell.object_store import ObstoreBuckets

        if self._batch_store is None:
            self._batch_store = ObstoreBuckets(region=endpoint.settings.get("region"))
        store = self._batch_store
        return build_batch_codec(endpoint).map(
            lambda batch: BatchClient(pool=pool, endpoint=endpoint, batch=batch, store=store)
        )

    async def close(self) -> None:
        """End open streams with a fault and close the connections; a client passed to the constructor stays open."""
        self._pool.in_flight.interrupt("the provider was closed")
        await self.backend.aclose()
