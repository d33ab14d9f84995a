"""A prepared chat is `chat_result` with fixed keywords, for every kind of provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests.acme import KEY, SPEC
from tests.fake_transport import FakeTransport
from tests.jobs.row_provider import RowProvider
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import HttpRequest
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.types import CompletionResponse, Message, ToolDefinition
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.custom_provider import CustomProvider
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.prepared_chat import PreparedChat
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.protocol import TransportResponse

MESSAGES = (Message(role="user", content="Hi"),)
TOOL = ToolDefinition(name="add", description="Adds.", parameters={"type": "object"})


class Recorder(FakeTransport):
    """Keeps what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, bytes, dict[str, str], float | None]] = []

    async def open(self, request: object, secret: object, timeout: float | None) -> TransportResponse | Fault:
        assert isinstance(request, HttpRequest)
        self.sent.append((request.url, request.body or b"", dict(request.headers), timeout))
        return await super().open(request, secret, timeout)


class Shouting(CatalogueProvider):
    """A subclass with a method of its own."""

    SPEC = SPEC

    async def chat_result(self, messages: Any, **keywords: Any) -> Result[CompletionResponse, Fault]:
        return (await super().chat_result(messages, **keywords)).map(
            lambda response: response.model_copy(update={"content": response.content.upper()})
        )


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register_spec(SPEC)
    yield
    ProviderRegistry.unregister(SPEC.name)


async def make_provider(kind: str, transport: Recorder) -> BaseProvider:
    match kind:
        case "catalogue":
            return ProviderRegistry.create("acme", api_key=KEY, transport=transport)
        case "managed":
            return await ManagedProviderFactory.create("acme", "m-1", KEY, transport=transport)
        case _:
            return Shouting(api_key=KEY, transport=transport)


@pytest.mark.parametrize("kind", ["catalogue", "managed", "overridden"])
@pytest.mark.parametrize(
    ("tools", "options"),
    [
        ((), {}),
        ((TOOL,), {"tool_choice": "auto"}),
        ((), {"temperature": 0.0, "max_tokens": 7, "stop": ["x"], "timeout": 3.0}),
        ((), {"temperature": None, "max_tokens": None, "extra_headers": {"x-team": "a"}, "max_retries": 0}),
        ((), {"extra_body": {"user": "u"}, "seed": 4}),
        ((), {"priority": Priority.HIGH}),
        ((), {"priority": 2}),
    ],
)
async def test_sends_the_request_of_chat_result(kind: str, tools: tuple[ToolDefinition, ...], options: Any) -> None:
    transport = Recorder()
    async with await make_provider(kind, transport) as provider:
        direct = await provider.chat_result(MESSAGES, model="m-2", tools=tools or None, **options)
        prepared = PreparedChat(provider, "m-2", tools, options)
        results = [await prepared(MESSAGES), await prepared(MESSAGES)]
    assert results == [direct, direct]
    assert transport.sent == [transport.sent[0]] * 3


@pytest.mark.parametrize("kind", ["catalogue", "managed", "overridden"])
@pytest.mark.parametrize(
    "options",
    [{"timeout": -1}, {"temperature": "hot"}, {"max_tokens": 1.5}, {"max_retries": -1}, {"repair": 2}],
)
async def test_invalid_keywords_have_the_fault_of_chat_result(kind: str, options: Any) -> None:
    transport = Recorder()
    async with await make_provider(kind, transport) as provider:
        direct = await provider.chat_result(MESSAGES, model="m-2", **options)
        prepared = PreparedChat(provider, "m-2", (), options)
        results = [await prepared(MESSAGES), await prepared(MESSAGES)]
    assert isinstance(direct.failure(), InvalidRequest)
    assert results == [direct, direct]
    assert transport.sent == []


@pytest.mark.parametrize("kind", ["catalogue", "managed"])
@pytest.mark.parametrize("priority", [7, "soon", None])
async def test_a_priority_is_read_as_chat_result_reads_it(kind: str, priority: Any) -> None:
    transport = Recorder()
    options = {"priority": priority}
    async with await make_provider(kind, transport) as provider:
        direct = await provider.chat_result(MESSAGES, model="m-1", tools=None, **options)
        bodies = [body for _, body, _, _ in transport.sent]
        transport.sent.clear()
        assert await PreparedChat(provider, "m-1", (), options)(MESSAGES) == direct
    assert [body for _, body, _, _ in transport.sent] == bodies
    assert isinstance(direct, Failure if kind == "managed" else Success)


async def test_messages_are_validated_for_each_call() -> None:
    transport = Recorder()
    async with await make_provider("catalogue", transport) as provider:
        prepared = PreparedChat(provider, "m-1", (), {})
        assert isinstance(await prepared(()), Failure)
        assert isinstance(await prepared(MESSAGES), Success)
    assert len(transport.sent) == 1


@pytest.mark.parametrize("is_wrapped", [False, True])
async def test_calls_the_methods_of_a_class(is_wrapped: bool) -> None:
    own = RowProvider()
    prepared = PreparedChat(CustomProvider(own) if is_wrapped else own, "m", (), {"temperature": 0.5})
    result = await prepared(MESSAGES)
    assert result.unwrap().content == "HI"
    assert own.asked == {"Hi": 1}


async def test_calls_a_method_that_was_replaced_on_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Recorder()
    async with await make_provider("catalogue", transport) as provider:
        own = RowProvider()
        monkeypatch.setattr(provider, "chat_result", own.chat_result)
        assert (await PreparedChat(provider, "m", (), {})(MESSAGES)).unwrap().content == "HI"
    assert transport.sent == []


def test_keywords_are_recognised_by_identity() -> None:
    options, tools = {"seed": 1}, (TOOL,)
    prepared = PreparedChat(RowProvider(), "m", tools, options)
    assert prepared.has_keywords("m", tools, options)
    assert not prepared.has_keywords("n", tools, options)
    assert not prepared.has_keywords("m", (), options)
    assert not prepared.has_keywords("m", tools, {"seed": 1})
