"""A token in place of a key, as Microsoft Entra gives one for Azure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI
from tests.loopback import Received, Talk, serving
from victor_fp.core import faults
from victor_fp.providers.registry import ProviderRegistry


async def answer_request(talk: Talk, _: Received) -> None:
    await talk.answer(shapes.build_body())


async def fail_with_500(talk: Talk, _: Received) -> None:
    await talk.answer(shapes.build_error("boom"), 500)


def generate_tokens() -> Iterator[str]:
    yield from (f"token-{number}" for number in range(9))


@pytest.mark.usefixtures("no_pauses")
async def test_a_token_is_sent_instead_of_a_key_and_requested_for_each_attempt() -> None:
    tokens = generate_tokens()
    async with serving(fail_with_500, answer_request) as server:
        provider = ProviderRegistry.create(
            "azure", api_key="never-sent", endpoint=server.url, token_provider=lambda: next(tokens)
        )
        async with provider:
            await provider.chat(HI, model="m")
    assert [received.headers["authorization"] for received in server.received] == ["Bearer token-0", "Bearer token-1"]
    assert not any("api-key" in received.headers for received in server.received)
    assert server.received[0].path.startswith("/openai/v1/")


async def test_a_coroutine_may_return_it_and_deployment_urls_accept_it_too() -> None:
    async def get_token() -> str:
        return "token-a"

    async with serving(answer_request) as server:
        provider = ProviderRegistry.create(
            "azure", endpoint=server.url, deployment="d", api_version="2024-10-21", token_provider=get_token
        )
        async with provider:
            await provider.chat(HI, model="m")
    assert server.received[0].headers["authorization"] == "Bearer token-a"
    assert server.received[0].path == "/openai/deployments/d/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize("token", ["", "two\nlines"])
async def test_a_token_that_no_header_can_carry_is_a_missing_credential(token: str) -> None:
    async with serving(answer_request) as server:
        async with ProviderRegistry.create("azure", endpoint=server.url, token_provider=lambda: token) as provider:
            fault = (await provider.chat_result(HI, model="m")).failure()
    assert isinstance(fault, faults.CredentialMissing)
    assert server.received == []


async def test_a_source_that_raises_is_a_missing_credential_without_its_message() -> None:
    def raise_error() -> str:
        raise RuntimeError("the secret is hunter2")

    async with serving(answer_request) as server:
        async with ProviderRegistry.create("azure", endpoint=server.url, token_provider=raise_error) as provider:
            fault = (await provider.chat_result(HI, model="m")).failure()
    assert isinstance(fault, faults.CredentialMissing)
    assert "hunter2" not in fault.message
