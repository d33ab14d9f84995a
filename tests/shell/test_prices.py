"""Prices by genai-prices: optional, without network, equal for a body and a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.acme import HI
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.providers.base import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.prices import is_seller, price_at
from victor_fp.testing import ScriptedWire, Turn

genai = pytest.importorskip("genai_prices")
OPENAI = "https://api.openai.com/v1"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}


@pytest.fixture
def table() -> Iterator[None]:
    """A table of one seller and one model: 2 dollars a million in, 1 from the cache, 10 out; half of it with flex."""
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
    from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, PriceVariant, Provider

    prices = ModelPrice(input_mtok=Decimal(2), cache_read_mtok=Decimal(1), output_mtok=Decimal(10))
    flex = ModelPrice(input_mtok=Decimal(1), cache_read_mtok=Decimal(1), output_mtok=Decimal(5))
    model = ModelInfo(
        id="m-1",
        match=ClauseEquals("m-1"),
        prices=prices,
        price_variants=[PriceVariant(when={"service_tier": "flex"}, prices=flex)],
    )
    seller = Provider(id="openai", name="OpenAI", api_pattern=r"https://api\.openai\.com", models=[model])
    set_custom_snapshot(DataSnapshot(providers=[seller], from_auto_update=False))
    yield
    set_custom_snapshot(None)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("sale", "dollars"),
    [
        (PricedUsage(models=("m-1",), usage=USAGE), 0.003),
        (PricedUsage(models=("m-1",), usage=USAGE | {"reasoning_tokens": 60}), 0.003),
        (PricedUsage(models=("m-1",), usage=USAGE | {"cache_read_input_tokens": 500}), 0.0025),
        (PricedUsage(models=("deployed-as", "m-1"), usage=USAGE), 0.003),
        (PricedUsage(models=("m-1",), usage=USAGE, service_tier="flex"), 0.0015),
        (PricedUsage(models=("m-1",), usage=USAGE, service_tier="default"), 0.003),
        (PricedUsage(models=("m-1",), usage=USAGE, service_tier="scale"), None),
        (PricedUsage(models=("m-2",), usage=USAGE), None),
        (PricedUsage(models=(), usage=USAGE), None),
        (PricedUsage(models=("m-1",), usage=USAGE | {"cache_read_input_tokens": 5000}), None),
    ],
)
def test_usage_is_priced_by_the_table(sale: PricedUsage, dollars: float | None) -> None:
    assert price_at(OPENAI)(sale) == dollars


@pytest.mark.usefixtures("table")
def test_another_host_has_other_prices() -> None:
    assert price_at("http://localhost:8080/v1")(PricedUsage(models=("m-1",), usage=USAGE)) is None


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        (r"https://api\.openai\.com", "https://api.openai.com/v1", True),
        (r"https://api\.openai\.com", "https://api.openai.com", True),
        (r"https://api\.openai\.com", "https://api.openai.com:443/v1", True),
        (r"https://api\.openai\.com", "https://api.openai.com.evil.example/v1", False),
        (r"https://api\.openai\.com", "https://api.openai.comx/v1", False),
        (r"https://(.*\.)?googleapis\.com", "https://us-central1-aiplatform.googleapis.com/v1", True),
        (r"https://(.*\.)?googleapis\.com", "https://evil.example/x.googleapis.com/v1", False),
        (r"https://api\.moonshot\.", "https://api.moonshot.ai/v1", True),
        (r"https://api\.moonshot\.", "https://api.moonshot.evil.example/v1", False),
        (r"https://router\.huggingface\.co/groq", "https://router.huggingface.co/groq/openai/v1", True),
        (r"https://router\.huggingface\.co/groq", "https://router.huggingface.co/v1", False),
        (r"https://router\.huggingface\.co/groq", "https://router.huggingface.co.evil.example/groq", False),
        (r"https://[^/]+\.modal\.(?:run|direct)(?:/|$)", "https://me--app.modal.run/v1", True),
        (r"https://[^/]+\.modal\.(?:run|direct)(?:/|$)", "https://me.modal.run.evil.example/v1", False),
    ],
)
def test_a_price_is_selected_by_host(pattern: str, address: str, expected: bool) -> None:
    assert is_seller(pattern, address) is expected


@pytest.mark.usefixtures("table")
def test_a_host_with_a_known_prefix_has_no_price() -> None:
    sale = PricedUsage(models=("m-1",), usage=USAGE)
    assert price_at("https://API.OpenAI.com/v1")(sale) == 0.003
    assert price_at("https://api.openai.com.evil.example/v1")(sale) is None
    assert price_at("https://api.openai.com@evil.example/v1")(sale) is None


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("prices", "amount"), [(True, 0.003), (False, None)])
async def test_cost_is_in_the_metadata_of_responses_and_final_chunks(prices: bool, amount: float | None) -> None:
    wire = ScriptedWire(Turn(text="Hello!", usage=(1000, 100), model="m-1"))
    found: list[object] = []
    async with ProviderRegistry.create("openai", api_key="k", transport=wire, prices=prices) as provider:
        response: CompletionResponse = await provider.chat(HI, model="m-1")
        found.append((response.metadata or {}).get("cost"))
        chunks: list[StreamChunk] = [chunk async for chunk in provider.stream(HI, model="m-1")]
        found.append((chunks[-1].metadata or {}).get("cost"))
    expected = None if amount is None else {"amount": amount, "currency": "USD", "source": "genai-prices"}
    assert found == [expected, expected]


def test_bundled_table_has_well_known_models() -> None:
    assert (price_at(OPENAI)(PricedUsage(models=("gpt-4o-2024-08-06",), usage=USAGE)) or 0) > 0
    assert (price_at("https://api.anthropic.com")(PricedUsage(models=("claude-sonnet-4-5",), usage=USAGE)) or 0) > 0


def test_missing_extra_is_reported_when_the_provider_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(ProviderError, match="victor-fp\\[prices\\]"):
        ProviderRegistry.create("openai", api_key="k", prices=True)
