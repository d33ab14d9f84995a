"""`max_retries` of a call, for every kind of provider and of call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.acme import KEY, SPEC
from tests.loopback import serve_in_thread, serving
from tests.managed_shapes import fail_with_500
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.core import faults
from victor_fp.core.dialects.embeddings import OpenAIEmbeddings
from victor_fp.core.dialects.reranking import CohereRerank
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider, ProviderError, error_from
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry, create
from victor_fp.providers.sync_provider import SyncProvider

pytestmark = pytest.mark.usefixtures("no_pauses")
RETRIEVER = msgspec.structs.replace(SPEC, embeddings=OpenAIEmbeddings(max_texts=2), reranking=CohereRerank())
QUIET = ProviderManagerConfig(enable_health_checks=False, auto_fallback=False)


class Retriever(CatalogueProvider):
    SPEC = RETRIEVER


class Broken(BaseProvider):
    """Always fails."""

    tries = 0
    options: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return "broken"

    async def chat(self, messages: list[Message], *, model: str, **options: Any) -> CompletionResponse:
        self.tries += 1
        self.options = options
        raise error_from(faults.ServerFailed(message="down"))

    async def stream(self, messages: list[Message], *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        raise NotImplementedError
        yield

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register_spec(RETRIEVER)
    ProviderRegistry.register("broken", Broken)
    yield
    ProviderRegistry.restore()


@asynccontextmanager
async def open_provider(kind: str, url: str, **options: Any) -> AsyncIterator[Any]:
    match kind:
        case "plain":
            provider: Any = Retriever(api_key=KEY, base_url=f"{url}/v1", timeout=5, **options)
        case "managed":
            provider = await ManagedProviderFactory.create(
                "acme", "m-1", api_key=KEY, base_url=f"{url}/v1", timeout=5, **options
            )
        case _:
            own = Retriever(api_key=KEY, base_url=f"{url}/v1", timeout=5, **options)
            provider = ProviderManager(None, own, "m-1", config=QUIET)
    async with provider:
        yield provider


CALLS: dict[str, Callable[..., Awaitable[object]]] = {
    "chat": lambda provider, **options: provider.chat("Hi", **options),
    "stream": lambda provider, **options: provider.stream("Hi", **options).response(),
    "embed": lambda provider, **options: provider.embed(["a"], **options),
    "rerank": lambda provider, **options: provider.rerank("a", ["b"], **options),
}


@pytest.mark.parametrize("kind", ["plain", "managed", "manager"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (9, 3), (None, 3)])
async def test_a_call_can_lower_the_number_of_retries(
    kind: str, call: Callable[..., Awaitable[object]], retries: int | None, attempts: int
) -> None:
    if kind == "manager" and call not in (CALLS["chat"], CALLS["stream"]):
        pytest.skip("a manager has chats only")
    model = {} if kind == "manager" else {"model": "m-1"}
    async with serving(fail_with_500) as server, open_provider(kind, server.url, max_retries=2) as provider:
        with pytest.raises(ProviderError) as raised:
            await call(provider, max_retries=retries, **model)
    assert isinstance(raised.value.fault, faults.ServerFailed)
    assert len(server.received) == attempts
    assert all("max_retries" not in received.json() for received in server.received)


async def test_a_list_of_models_has_the_retries_of_its_provider() -> None:
    async with serving(fail_with_500) as server, open_provider("plain", server.url, max_retries=0) as provider:
        with pytest.raises(ProviderError):
            await provider.list_models()
    assert len(server.received) == 1


async def test_a_class_is_called_once_and_without_the_option() -> None:
    provider = create("broken/m")
    with pytest.raises(ProviderError):
        await provider.chat("Hi", max_retries=0)
    broken = getattr(provider, "provider")  # noqa: B009  the type of `create` has no such field
    assert broken.tries == 1
    assert "max_retries" not in broken.options


def test_a_synchronous_call_has_the_option_too() -> None:
    with serve_in_thread() as serve:
        server = serve(fail_with_500)
        with SyncProvider(Retriever(api_key=KEY, base_url=f"{server.url}/v1")) as provider:
            with pytest.raises(ProviderError):
                provider.chat("Hi", model="m-1", max_retries=0)
            with pytest.raises(ProviderError):
                provider.stream("Hi", model="m-1", max_retries=0).response()
        assert len(server.received) == 2


@pytest.mark.parametrize("retries", [-1, 1.5, True, "3"])
async def test_a_wrong_number_is_named(retries: object) -> None:
    async with open_provider("plain", "http://127.0.0.1:9") as provider:
        for result in (
            await provider.chat_result("Hi", model="m-1", max_retries=retries),
            await provider.embed_result(["a"], model="m-1", max_retries=retries),
        ):
            assert result.failure().message.startswith("max_retries: expected an integer of at least 0")
