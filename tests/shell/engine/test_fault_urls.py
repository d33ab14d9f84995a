"""A fault has the URL of its request, without secrets."""

from __future__ import annotations

import pytest

from tests.acme import HI
from tests.loopback import Received, Script, Talk, serving
from tests.managed_shapes import create_managed
from tests.openai_shapes import build_error
from victor_fp.core.faults import ConnectionFailed, CredentialMissing, RateLimited, describe, with_context
from victor_fp.providers.base import ProviderError
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry

DEAD = "http://127.0.0.1:9"


async def refuse_key(talk: Talk, received: Received) -> None:
    await talk.answer(build_error("no", "invalid_api_key"), 401)


async def answer_unexpected_json(talk: Talk, received: Received) -> None:
    await talk.answer({"hello": "world"})


async def break_stream(talk: Talk, received: Received) -> None:
    await talk.send_head(content_type="text/event-stream")
    await talk.reset()


def make_openai(url: str) -> CatalogueProvider:
    provider = ProviderRegistry.create("openai", api_key="sk-secret-0123456789", base_url=f"{url}/v1", max_retries=0)
    assert isinstance(provider, CatalogueProvider)
    return provider


@pytest.mark.parametrize("script", [refuse_key, answer_unexpected_json], ids=["401", "garbage"])
async def test_a_call_and_a_list_of_models_that_fail_name_their_urls(script: Script) -> None:
    async with serving(script) as server, make_openai(server.url) as provider:
        called = (await provider.chat_result(HI, model="m")).failure()
        assert called.url == f"{server.url}/v1/chat/completions"
        if script is refuse_key:
            assert (await provider.list_models_result()).failure().url == f"{server.url}/v1/models"


@pytest.mark.parametrize("script", [refuse_key, break_stream], ids=["401", "broken"])
async def test_a_stream_that_fails_names_its_url(script: Script) -> None:
    async with serving(script) as server, make_openai(server.url) as provider:
        results = [result async for result in provider.stream_result(HI, model="m")]
        assert results[-1].failure().url == f"{server.url}/v1/chat/completions"


async def test_a_managed_provider_names_the_url_of_the_target_that_failed() -> None:
    async with serving(refuse_key) as server:
        provider = await create_managed(server.url, max_retries=0)
        async with provider:
            fault = (await provider.chat_result(HI)).failure()
    assert fault.url == f"{server.url}/v1/chat/completions"


async def test_a_server_that_is_not_there_is_named_in_the_message() -> None:
    async with make_openai(DEAD) as provider:
        with pytest.raises(ProviderError) as raised:
            await provider.chat(HI, model="m")
    assert isinstance(raised.value.fault, ConnectionFailed)
    assert raised.value.fault.url == f"{DEAD}/v1/chat/completions"
    assert f"({DEAD}/v1/chat/completions)" in str(raised.value)


async def test_a_key_that_is_missing_was_sent_nowhere() -> None:
    provider = ProviderRegistry.create("openai", base_url=DEAD)
    async with provider:
        fault = (await provider.chat_result(HI, model="m")).failure()
    assert isinstance(fault, CredentialMissing)
    assert DEAD not in describe(fault)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://me:hunter2@gw.test/v1/chat?alt=sse", "https://...@gw.test/v1/chat?alt=sse"),
        ("https://gw.test/v1?api_key=abcdefgh&alt=sse", "https://gw.test/v1?api_key=...&alt=sse"),
        ("https://gw.test/v1?sig=abc#frag", "https://gw.test/v1?sig=..."),
    ],
)
def test_user_info_and_secret_query_values_are_removed(url: str, kept: str) -> None:
    assert with_context(RateLimited(), "acme", "m", url).url == kept


def test_the_first_context_is_kept_and_an_empty_one_changes_nothing() -> None:
    first = with_context(RateLimited(), "acme", "m", "https://a.test")
    assert with_context(first, "other", "n", "https://b.test") is first
    assert with_context(first, "other") is first


def test_url_is_described_if_it_may_be_wrong() -> None:
    fault = RateLimited(provider="acme", status=429, message="slow", url="https://a.test/v1")
    assert describe(fault) == "acme: RateLimited (429): slow"
    assert describe(ConnectionFailed(message="refused", url="https://a.test")).endswith("refused (https://a.test)")
