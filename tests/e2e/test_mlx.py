"""Provider `mlx` against the real mlx_lm.server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from returns.result import Failure

from tests.e2e.conftest import Place
from tests.e2e.conversations import CAPITAL, STORY, count_tokens, gather_stream
from victor_fp.core.faults import ModelNotFound
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

MODEL = "default_model"


@pytest.fixture
async def provider(mlx_server: Place) -> AsyncIterator[BaseProvider]:
    async with ProviderRegistry.create("mlx", base_url=f"{mlx_server.url}/v1", timeout=120) as made:
        yield made


async def test_chat(provider: BaseProvider) -> None:
    response = await provider.chat(CAPITAL, model=MODEL, temperature=0.0, max_tokens=30)
    assert "Paris" in response.content
    assert response.stop_reason == "stop"
    assert count_tokens(response)[1] > 3


async def test_a_stream_gives_the_same_response_as_a_call(provider: BaseProvider) -> None:
    whole = await provider.chat(CAPITAL, model=MODEL, temperature=0.0, max_tokens=30)
    text, last = await gather_stream(provider.stream(CAPITAL, model=MODEL, temperature=0.0, max_tokens=30))
    assert text == whole.content
    assert last.stop_reason == "stop"
    assert count_tokens(last) == count_tokens(whole)


async def test_a_truncated_response_has_the_stop_reason_length(provider: BaseProvider) -> None:
    assert (await provider.chat(STORY, model=MODEL, max_tokens=3)).stop_reason == "length"


async def test_a_missing_model_is_a_distinct_fault(provider: BaseProvider) -> None:
    match await provider.chat_result(CAPITAL, model="nobody/nothing"):
        case Failure(ModelNotFound(status=404)):
            pass
        case other:
            pytest.fail(f"unexpected {other}")
