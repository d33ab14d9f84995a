"""Custom BaseProvider classes as backends: each attempt calls a method, with a timeout; exceptions become faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Generic, TypeVar, cast

from msgspec.structs import replace
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Fault, InvalidRequest, Partial, TimedOut
from victor_fp.core.model_names import describe_missing_model
from victor_fp.core.responses.completions import fold_chunks
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.errors import build_provider_fault, unwrap_or_raise
from victor_fp.providers.guarded import replace_breaker
from victor_fp.providers.provider import Provider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.backend import Backend, BackendAttempt, Batch, BoundRequest, Kind, Split, TimeLimits
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.http_backend import TOKEN_COUNT, HttpBackend, digest_scope
from victor_fp.shell.engine.model_list import ModelPage
from victor_fp.shell.engine.nesting import build_nested_pool, replace_pool
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool
from victor_fp.shell.transport.errors import build_timeout_fault

T = TypeVar("T")

METHODS: Mapping[str, tuple[str, ...]] = {
    "completion": ("chat_result", "chat"),
    "stream": ("stream_result", "stream_chat", "stream"),
    "embedding": ("embed_result", "embed"),
    "ranking": ("rerank_result", "rerank"),
    "models": ("list_models_result", "list_models"),
    "token_count": ("count_tokens",),
    "capabilities": ("discover_capabilities",),
}
"""Equivalent methods by kind of operation; the one overridden in the most derived class is used, in this order if there are several."""
ENGINE_METHODS = tuple(name for kind in ("completion", "stream", "embedding", "ranking") for name in METHODS[kind])
"""Methods whose calls run on the engine."""


CAPABILITIES: Kind[ProviderRuntimeCapabilities] = Kind(
    name="capabilities",
    operation="get_model",
    compile=lambda *_: Failure(InvalidRequest(message="capabilities are discovered by a method of the provider")),
    uses_breaker=False,
)

_BASES = (BaseProvider, Provider, CatalogueProvider)
_NO_HEADERS: Mapping[str, str] = {}


class ProviderBackend:
    """A provider as a backend, used through its public methods."""

    def __init__(
        self, provider: BaseProvider, *, replaces_breaker: bool = False, replaces_retries: bool = False
    ) -> None:
        """`replaces_breaker`: the target has a breaker, which is used instead of the provider's own.

        `replaces_retries`: likewise the retries; what a catalogue provider does not override then uses its HTTP backend.
        """
        self._provider = provider
        self._replaces_breaker = replaces_breaker
        self._http: HttpBackend | None = None
        self._pools: tuple[TargetPool, TargetPool] | None = None
        if replaces_retries and isinstance(provider, CatalogueProvider):
            pool = provider.engine_pool
            self._http = provider.backend
            self._pools = (pool, build_nested_pool(pool, replaces_breaker=replaces_breaker))

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def address(self) -> str | None:
        """Its base URL, if it has one."""
        return getattr(self._provider, "base_url", None)

    async def compute_scope(self) -> Result[str, Fault]:
        """Return a digest of its base URL and key."""
        key = getattr(self._provider, "api_key", None)
        secret = SecretStr(key) if isinstance(key, str) else None
        return Success(digest_scope(self.name, self.address, secret))

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T] | Split[T], Fault]:
        """Bind the method to call and its arguments."""
        provider = self._provider
        if self._http is not None and not is_any_overridden(provider, METHODS.get(kind.name, ())):
            return await self._http.bind(kind, spec, model, options)
        match kind.name:
            case "models":
                return Success(self._build_request(model, partial(_list_models, provider)))
            case "token_count":
                return Success(self._build_request(model, partial(_count_tokens, provider, spec)))
            case "capabilities":
                return Success(self._build_request(model, lambda: provider.discover_capabilities(model)))
            case "embedding" | "ranking":
                return self._bind_retrieval(kind.name, spec, model, options)
            case "completion" | "stream":
                pass
            case _:
                return Failure(InvalidRequest(provider=self.name, model=model, message=f"{kind.name} is not supported"))
        if not model:
            return Failure(InvalidRequest(provider=self.name, message=describe_missing_model(self.name)))
        method = find_overridden_method(provider, METHODS[kind.name])
        # Other keywords depend on the provider; temperature and max_tokens are in every signature.
        arguments: dict[str, Any] = {
            "model": model,
            "temperature": spec.temperature,
            "max_tokens": spec.max_tokens,
            "tools": None if spec.tools is None else list(spec.tools),
            **options,
        }
        messages = list(spec.messages)
        is_stream = kind.name == "stream"
        call = partial(getattr(provider, method), messages, **arguments)
        return Success(self._build_request(model, call, is_stream=is_stream))

    def _bind_retrieval(
        self, kind: str, spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[Any], Fault]:
        provider = self._provider
        if not model:
            return Failure(InvalidRequest(provider=self.name, message="model is empty"))
        texts = list(spec.texts)
        arguments: tuple[Any, ...] = (texts,) if kind == "embedding" else (spec.query, texts)
        method = find_overridden_method(provider, METHODS[kind])
        keywords = {"model": model, **options}
        return Success(self._build_request(model, partial(getattr(provider, method), *arguments, **keywords)))

    def _build_request(self, model: str, call: Callable[[], Any], *, is_stream: bool = False) -> BoundRequest[Any]:
        return ProviderRequest(
            self._provider,
            model,
            call,
            is_stream=is_stream,
            replaces_breaker=self._replaces_breaker,
            pools=self._pools,
        )

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.close()


class ProviderRequest:
    """A call of a provider's method."""

    __slots__ = ("call", "is_stream", "model", "pools", "provider", "replaces_breaker")

    def __init__(
        self,
        provider: BaseProvider,
        model: str,
        call: Callable[[], Any],
        *,
        is_stream: bool = False,
        replaces_breaker: bool = False,
        pools: tuple[TargetPool, TargetPool] | None = None,
    ) -> None:
        """`pools`: the provider's pool, and the one that replaces it within attempts."""
        self.provider = provider
        self.model = model
        self.call = call
        self.is_stream = is_stream
        self.replaces_breaker = replaces_breaker
        self.pools = pools

    @contextmanager
    def enter_provider(self) -> Iterator[None]:
        """Enter the context in which the provider's code runs."""
        with (
            replace_breaker(self.provider) if self.replaces_breaker else nullcontext(),
            nullcontext() if self.pools is None else replace_pool(*self.pools),
        ):
            yield

    def find_records(self, fault: Fault) -> tuple[AttemptRecord, ...]:
        """Return the attempts that the provider made itself, in place of those of the caller."""
        return fault.attempts if self.pools is None else ()

    def start(self, limits: TimeLimits) -> BackendAttempt[Any]:
        """Start an attempt."""
        return ProviderStreamAttempt(self, limits) if self.is_stream else ProviderAttempt(self, limits.timeout)

    def with_context(self, fault: Fault) -> Fault:
        """Add provider and model to a fault."""
        return replace(fault, provider=fault.provider or self.provider.name, model=fault.model or self.model)


class ProviderAttempt(Generic[T]):
    """An attempt with a complete result. The timeout applies to the whole attempt."""

    headers = _NO_HEADERS
    records: tuple[AttemptRecord, ...] = ()

    def __init__(self, request: ProviderRequest, timeout: float) -> None:
        self._request = request
        self._timeout = timeout

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the only batch."""
        request = self._request
        try:
            with request.enter_provider():
                async with asyncio.timeout(self._timeout):
                    value = await cast("Awaitable[Any]", request.call())
        except TimeoutError:
            return Failure(request.with_context(build_timeout_fault("read", "opening", self._timeout)))
        except Exception as error:  # any exception of a provider is a failed attempt
            return Failure(build_provider_fault(request.provider, error, request.model))
        if isinstance(value, Result):
            result: Result[Any, Fault] = value
            match outcome(result):
                case Failure(fault):
                    self.records = request.find_records(fault)
                    return Failure(request.with_context(fault))
                case Success(value):
                    pass
        return Success(Batch((value,), is_last=True, usage=getattr(value, "usage", None)))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class ProviderStreamAttempt:
    """A streaming attempt. Chunks without content are held back until the first one with content."""

    headers = _NO_HEADERS
    records: tuple[AttemptRecord, ...] = ()

    def __init__(self, request: ProviderRequest, limits: TimeLimits) -> None:
        self._request = request
        self._timeout = limits.timeout
        now = asyncio.get_running_loop().time()
        self._first_deadline = now + limits.first
        self._last_deadline = None if limits.total is None else now + limits.total
        self._items: AsyncIterator[Any] | None = None
        self._held: list[StreamChunk] = []
        self._received: list[StreamChunk] = []
        self._has_content = False

    async def read_batch(self) -> Result[Batch[StreamChunk], Fault]:
        """Return the next chunks; a final chunk is added if the provider's stream ends without one."""
        request = self._request
        while True:
            try:
                with request.enter_provider():
                    if self._items is None:
                        self._items = aiter(request.call())
                    async with asyncio.timeout(self._compute_seconds_left()):
                        item = await anext(self._items, None)
            except TimeoutError:
                return Failure(self._with_partial(request.with_context(self._build_silence_fault())))
            except Exception as error:
                received = [chunk.content for chunk in self._received]
                return Failure(build_provider_fault(request.provider, error, request.model, received))
            if isinstance(item, Result):
                result: Result[StreamChunk, Fault] = item
                match outcome(result):
                    case Failure(fault):
                        self.records = request.find_records(fault)
                        return Failure(request.with_context(fault))
                    case Success(item):
                        pass
            chunk = StreamChunk(is_final=True) if item is None else item
            self._held.append(chunk)
            self._received.append(chunk)
            if not (chunk.is_final or self._has_content or has_content(chunk)):
                continue
            self._has_content = True
            held, self._held = self._held, []
            if chunk.is_final and chunk.response is None:
                held[-1] = chunk.model_copy(update={"response": fold_chunks(self._received)})
            return Success(Batch(held, chunk.is_final, chunk.usage))

    async def aclose(self) -> None:
        """Close a stream, if it supports closing."""
        close = getattr(self._items, "aclose", None)
        if close is not None:
            with suppress(Exception):
                await close()

    def _compute_seconds_left(self) -> float:
        until = self._last_deadline if self._has_content else self._first_deadline
        if until is None:
            return self._timeout
        return min(self._timeout, max(0.0, until - asyncio.get_running_loop().time()))

    def _build_silence_fault(self) -> TimedOut:
        if self._has_content:
            return build_timeout_fault("stream", "reading", self._timeout)
        return build_timeout_fault("first_token", "opening", self._timeout)

    def _with_partial(self, fault: Fault) -> Fault:
        if not self._has_content or fault.partial is not None:
            return fault
        partial = Partial(content="".join([chunk.content for chunk in self._received]))
        return replace(fault, partial=partial, maybe_billed=True)


async def _list_models(provider: BaseProvider) -> ModelPage:
    """Return all models of a provider as a single page."""
    return ModelPage(tuple(await provider.list_models()))


async def _count_tokens(provider: BaseProvider, spec: CallSpec) -> int:
    """Return a provider's own count of a text; the model is passed to classes that have this parameter."""
    text = "".join(message.text for message in spec.messages)
    if spec.model and isinstance(provider, Provider):
        return await provider.count_tokens(text, model=spec.model)
    return await provider.count_tokens(text)


async def count_own_tokens(pool: TargetPool, text: str, model: str | None) -> int:
    """Return the count of a class that overrides `count_tokens`, with retries. Raises ProviderError."""
    spec = CallSpec(messages=(Message(role="user", content=text),), model=model or "")
    count = unwrap_or_raise(await Operation(pool, TOKEN_COUNT, spec).result())
    return cast("int", count)  # None is only the result of vendors that cannot count


def find_overridden_method(provider: BaseProvider, names: tuple[str, ...]) -> str:
    """Return the name of the equivalent methods that is defined in the most derived class."""
    own = [name for name in names if name in vars(provider)]
    if own:
        return own[0]
    for kind in type(provider).__mro__:
        defined = [name for name in names if name in vars(kind)]
        if kind is BaseProvider:
            break
        if defined:
            return defined[0]
    return names[-1]


def is_overridden(provider: BaseProvider, name: str) -> bool:
    """Return whether a provider has a method of its own, instead of that of a base class of this library."""
    own = getattr(type(provider), name)
    return name in vars(provider) or all(own is not getattr(base, name) for base in _BASES)


def can_run_on_http(kind: type[BaseProvider]) -> bool:
    """Return whether the HTTP backend can be used instead of the methods of a class: none of them is overridden."""
    return issubclass(kind, CatalogueProvider) and not _has_own(kind, ENGINE_METHODS)


def is_any_overridden(provider: BaseProvider, names: Sequence[str]) -> bool:
    """Return whether a catalogue provider has one of the methods of its own."""
    return any(name in vars(provider) for name in names) or _has_own(type(provider), names)


def _has_own(kind: type[BaseProvider], names: Sequence[str]) -> bool:
    return any(getattr(kind, name) is not getattr(CatalogueProvider, name) for name in names)


def choose_backend(provider: BaseProvider, *, replaces_breaker: bool) -> Backend:
    """Return the backend of a provider: its HTTP backend, or its methods if they are overridden.

    `replaces_breaker`: the target has a breaker, which is used instead of the provider's own.
    """
    if isinstance(provider, CatalogueProvider) and not is_any_overridden(provider, ENGINE_METHODS):
        return provider.backend
    return ProviderBackend(provider, replaces_breaker=replaces_breaker, replaces_retries=True)


def has_content(chunk: StreamChunk) -> bool:
    """Return whether a chunk has content."""
    return bool(chunk.content or chunk.tool_calls or chunk.metadata)


def find_engine_pool(provider: BaseProvider) -> TargetPool | None:
    """Return the targets of a provider whose chats run on the engine; None if its methods are overridden."""
    names = ENGINE_METHODS
    pool = getattr(provider, "engine_pool", None)
    if not isinstance(pool, TargetPool) or any(name in vars(provider) for name in names):
        return None
    kind = type(provider)
    owner = next(one for one in kind.__mro__ if "engine_pool" in vars(one))
    is_own = all(getattr(kind, name) is getattr(owner, name) for name in names)
    return pool if is_own else None
