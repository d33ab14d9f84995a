"""Classes of the program run on the engine: retries, timeout, deadline and breaker are those of every provider."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.acme import KEY, SPEC
from victor_fp import BaseProvider, CompletionResponse, Message, ProviderRegistry, StreamChunk, create
from victor_fp.agent.provider_health import check_provider
from victor_fp.core import faults
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.providers.base import ProviderError, error_from
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.custom_provider import CustomProvider
from victor_fp.providers.factory import BreakerPolicy, ManagedProvider, ProviderConfig, RetryPolicy
from victor_fp.providers.provider import Provider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.providers.sync_provider import SyncProvider

pytestmark = pytest.mark.usefixtures("no_pauses")


class Flaky(BaseProvider):
    """Fails a number of times, then responds; `hangs` makes it wait for ever instead."""

    def __init__(self, *, failures: int = 0, hangs: bool = False, guarded: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.failures, self.hangs, self.guarded = failures, hangs, guarded
        self.tries = 0
        self.options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return "flaky"

    async def work(self) -> None:
        """One try, within the breaker of the class where it is `guarded`."""
        self.tries += 1
        await (self._execute_with_circuit_breaker(self.send) if self.guarded else self.send())

    async def send(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.tries <= self.failures:
            raise error_from(faults.ServerFailed(message="down"))

    async def chat(self, messages: list[Message], *, model: str, **options: Any) -> CompletionResponse:
        self.options = options
        await self.work()
        return CompletionResponse(content="Hi", model=model)

    async def stream(self, messages: list[Message], *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        self.options = options
        await self.work()
        yield StreamChunk(content="Hi")
        yield StreamChunk(is_final=True)

    async def embed(self, texts: Any, *, model: str, **options: Any) -> EmbeddingResponse:
        await self.work()
        return EmbeddingResponse(vectors=[[1.0]], model=model)

    async def list_models(self) -> list[ModelInfo]:
        await self.work()
        return [ModelInfo(id="m")]

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        await self.work()
        return await super().discover_capabilities(model)

    async def count_tokens(self, text: str) -> int:
        await self.work()
        return 42

    async def close(self) -> None:
        """Nothing is held."""


class Counting(CatalogueProvider):
    """A provider of the catalogue with a count of its own, which fails twice."""

    SPEC = SPEC
    tries = 0
    models: tuple[str | None, ...] = ()

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        self.tries += 1
        self.models = (*self.models, model)
        if self.tries < 3:
            raise ConnectionError("no route")
        return 7


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register("flaky", Flaky)
    yield
    ProviderRegistry.restore()


def make(**kwargs: Any) -> tuple[Provider, Flaky]:
    """What `create` returns, and the instance of the class in it."""
    provider = create("flaky/m", **kwargs)
    assert isinstance(provider, CustomProvider)
    assert isinstance(provider.provider, Flaky)
    return provider, provider.provider


Call = Callable[[Provider], Awaitable[object]]
CALLS: dict[str, Call] = {
    "chat": lambda provider: provider.chat("Hi"),
    "stream": lambda provider: provider.stream("Hi").response(),
    "stream_chat": lambda provider: provider.stream_chat("Hi").response(),
    "embed": lambda provider: provider.embed("Hi", model="m"),
    "list_models": lambda provider: provider.list_models(),
    "discover_capabilities": lambda provider: provider.discover_capabilities("m"),
    "count_tokens": lambda provider: provider.count_tokens("Hi"),
    "count_tokens of a model": lambda provider: provider.count_tokens("Hi", model="m"),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
async def test_a_call_is_retried(call: Call) -> None:
    provider, flaky = make(failures=2)
    assert await call(provider)
    assert flaky.tries == 3


@each_call
async def test_its_retries_are_those_of_the_class(call: Call) -> None:
    provider, flaky = make(failures=9, max_retries=1)
    with pytest.raises(ProviderError) as raised:
        await call(provider)
    assert isinstance(raised.value.fault, faults.ServerFailed)
    assert flaky.tries == 2


@each_call
async def test_an_attempt_is_bounded_by_the_timeout_of_the_class(call: Call) -> None:
    provider, _ = make(hangs=True, timeout=0.02, max_retries=0)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as raised:
            await call(provider)
    assert isinstance(raised.value.fault, faults.TimedOut)


async def test_results_have_the_attempts() -> None:
    provider, flaky = make(failures=2)
    response = (await provider.chat_result("Hi")).unwrap()
    assert response.metadata is not None
    assert [one["outcome"] for one in response.metadata["attempts"]] == ["ServerFailed", "ServerFailed", "ok"]
    flaky.tries = 0
    results = [result async for result in provider.stream_result("Hi")]
    assert [result.unwrap().content for result in results] == ["Hi", ""]
    flaky.tries, flaky.failures = 0, 9
    (only,) = [result async for result in provider.stream_result("Hi")]
    assert len(only.failure().attempts) == 4
    assert len((await provider.list_models_result()).failure().attempts) == 4


async def test_a_deadline_bounds_the_call_and_is_not_sent_on() -> None:
    provider, flaky = make(hangs=True, timeout=60)
    async with asyncio.timeout(5):
        assert isinstance((await provider.chat_result("Hi", deadline=0.02)).failure(), faults.DeadlineExceeded)
        assert flaky.options.keys() == {"temperature", "max_tokens", "tools"}
        (only,) = [result async for result in provider.stream_result("Hi", deadline=0.02)]
    assert isinstance(only.failure(), faults.DeadlineExceeded)
    assert flaky.options.keys() == {"temperature", "max_tokens", "tools"}


async def test_the_timeout_of_a_call_replaces_that_of_the_class() -> None:
    provider, flaky = make(hangs=True, timeout=60, max_retries=0)
    async with asyncio.timeout(5):
        assert isinstance((await provider.chat_result("Hi", timeout=0.02)).failure(), faults.TimedOut)
    assert "timeout" not in flaky.options


@pytest.mark.parametrize("guarded", [False, True])
async def test_one_breaker_counts_a_call_once(guarded: bool) -> None:
    provider, flaky = make(failures=99, guarded=guarded, circuit_breaker_failure_threshold=2)
    for _ in range(2):
        assert not provider.is_circuit_open()
        fault = (await provider.chat_result("Hi")).failure()
        assert isinstance(fault, faults.ServerFailed)
    assert flaky.tries == 8
    assert provider.is_circuit_open()
    assert flaky.is_circuit_open()
    for fault in (
        (await provider.chat_result("Hi")).failure(),
        (await provider.stream_result("Hi").response()).failure(),
    ):
        assert isinstance(fault, faults.CircuitOpen)
    assert flaky.tries == 8
    provider.reset_circuit_breaker()
    flaky.failures = 0
    assert (await provider.chat("Hi")).content == "Hi"


async def test_a_guarded_stream_is_counted_once() -> None:
    provider, flaky = make(failures=99, guarded=True, circuit_breaker_failure_threshold=2, max_retries=1)
    for _ in range(2):
        assert isinstance((await provider.stream_result("Hi").response()).failure(), faults.ServerFailed)
    assert (flaky.tries, provider.is_circuit_open()) == (4, True)


async def test_a_disabled_breaker_stays_closed() -> None:
    provider, flaky = make(failures=99, guarded=True, use_circuit_breaker=False, max_retries=0)
    for _ in range(8):
        assert isinstance((await provider.chat_result("Hi")).failure(), faults.ServerFailed)
    assert flaky.tries == 8
    assert provider.get_circuit_breaker_stats() is None


async def test_methods_of_the_instance_itself_stay_as_they_are() -> None:
    provider, flaky = make(failures=99, guarded=True, circuit_breaker_failure_threshold=2)
    for _ in range(2):
        with pytest.raises(ProviderError, match="down"):
            await flaky.chat([Message(role="user", content="Hi")], model="m")
    assert flaky.tries == 2
    assert isinstance((await provider.chat_result("Hi")).failure(), faults.CircuitOpen)


async def test_other_exceptions_become_provider_errors() -> None:
    class Defective(Flaky):
        async def send(self) -> None:
            raise KeyError("choices")

    with pytest.raises(ProviderError) as raised:
        await CustomProvider(Defective()).chat("Hi", model="m")
    assert isinstance(raised.value.fault, faults.InvalidResponse)


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": "5"}, {"max_retries": -1}])
def test_numbers_out_of_their_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match=next(iter(wrong))):
        create("flaky/m", **wrong)


async def test_closing_ends_calls_in_flight() -> None:
    provider, flaky = make(hangs=True)
    async with provider:
        call = asyncio.create_task(provider.chat_result("Hi"))
        while not flaky.tries:
            await asyncio.sleep(0)
    assert (await call).failure().message == "the provider was closed"


async def test_a_copy_has_targets_of_its_own() -> None:
    provider, flaky = make(failures=1, max_retries=0)
    copied = copy.deepcopy(provider)
    assert isinstance(copied, CustomProvider)
    assert isinstance((await copied.chat_result("Hi")).failure(), faults.ServerFailed)
    assert (copied.default_model, flaky.tries) == ("m", 0)
    shallow = copy.copy(provider)
    assert isinstance(shallow, CustomProvider)
    assert shallow.provider is flaky


def test_a_synchronous_provider_retries_it_as_well() -> None:
    flaky = Flaky(failures=2)
    flaky.default_model = "m"
    provider = SyncProvider(flaky)
    assert provider.embed("Hi", model="m").vectors
    assert flaky.tries == 3
    for ask in (
        lambda: provider.chat("Hi"),
        lambda: provider.embed_result("Hi", model="m").unwrap(),
        provider.list_models,
        lambda: provider.discover_capabilities("m"),
        lambda: provider.count_tokens("Hi"),
    ):
        flaky.tries = 0
        assert ask()
        assert flaky.tries == 3


async def test_a_managed_provider_around_it_makes_the_only_retries() -> None:
    provider, flaky = make(failures=99)
    config = ProviderConfig("flaky", "m", retry_config=RetryPolicy(max_retries=1))
    async with ManagedProvider(base_provider=provider, config=config) as managed:
        assert isinstance((await managed.chat_result("Hi")).failure(), faults.ServerFailed)
        assert flaky.tries == 2
        assert isinstance((await managed.list_models_result()).failure(), faults.ServerFailed)
        assert flaky.tries == 4


async def test_a_managed_provider_has_the_only_breaker() -> None:
    flaky = Flaky(failures=99, guarded=True, circuit_breaker_failure_threshold=2)
    config = ProviderConfig("flaky", "m", circuit_breaker_config=BreakerPolicy(failure_threshold=3))
    async with ManagedProvider(base_provider=flaky, config=config) as managed:
        for _ in range(3):
            assert isinstance((await managed.chat_result("Hi")).failure(), faults.ServerFailed)
        assert flaky.tries == 12
        assert (managed.is_circuit_open(), flaky.is_circuit_open()) == (True, False)


@pytest.mark.parametrize("model", [None, "m"])
async def test_a_managed_provider_retries_the_count_of_a_class(model: str | None) -> None:
    flaky = Flaky(failures=2)
    async with ManagedProvider(base_provider=flaky, config=ProviderConfig("flaky", "m")) as managed:
        assert await managed.count_tokens("Hi", model=model) == 42
        assert flaky.tries == 3
        flaky.failures = 99
        with pytest.raises(ProviderError) as raised:
            await managed.count_tokens("Hi", model=model)
    assert isinstance(raised.value.fault, faults.ServerFailed)


@pytest.mark.parametrize("model", [None, "m"])
async def test_a_managed_provider_retries_the_count_of_a_subclass_of_the_catalogue(model: str | None) -> None:
    counting = Counting(api_key=KEY)
    async with ManagedProvider(base_provider=counting, config=ProviderConfig("acme", "m-1")) as managed:
        assert await managed.count_tokens("Hi", model=model) == 7
    assert counting.models == (model, model, model)


async def test_a_health_check_sends_one_request() -> None:
    provider, flaky = make(failures=99)
    assert isinstance((await check_provider(provider, "m")).fault, faults.ServerFailed)
    assert flaky.tries == 1
