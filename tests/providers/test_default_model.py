"""The model of calls without one: from the name of the provider, from its entry, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acme import HI, KEY, SPEC, AcmeProvider
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.core.faults import InvalidRequest
from victor_fp.jobs import Row, run
from victor_fp.providers.base import ProviderError, ProviderNotFoundError
from victor_fp.providers.factory import ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry, create
from victor_fp.testing import ScriptedProvider, ScriptedWire, Turn, json_answer


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register_spec(SPEC)
    yield
    ProviderRegistry.restore()


def list_requested_models(wire: ScriptedWire) -> list[object]:
    bodies = [request.json() for request in wire.requests]
    return [body["model"] for body in bodies if isinstance(body, dict)]


async def test_a_name_may_hold_the_model() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    async with ProviderRegistry.create("acme/m-1", api_key=KEY, transport=wire) as provider:
        assert (provider.name, provider.default_model) == ("acme", "m-1")
        await provider.chat(HI, model="m-2")
    assert list_requested_models(wire) == ["m-2"]


async def test_every_call_of_a_built_in_provider_uses_the_default_model() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    provider = AcmeProvider(KEY, default_model="m-1", transport=wire)
    await provider.chat(HI)
    await provider.stream(HI).response()
    assert (await provider.chat_result(HI, model="m-2")).unwrap().content == "Hi"
    assert list_requested_models(wire) == ["m-1", "m-1", "m-2"]


async def test_the_entry_names_a_default_model() -> None:
    provider = ProviderRegistry.create("anthropic", api_key=KEY)
    assert provider.default_model == "claude-sonnet-4-6"


async def test_call_without_a_model_fails_with_advice() -> None:
    provider = AcmeProvider(KEY, transport=ScriptedWire(Turn(text="Hi")))
    with pytest.raises(ProviderError, match=r"no model given: pass model=.*'acme/MODEL'") as caught:
        await provider.chat(HI)
    assert isinstance(caught.value.fault, InvalidRequest)


def test_an_unknown_provider_in_a_name_is_named_without_the_model() -> None:
    with pytest.raises(ProviderNotFoundError, match="'opnai'"):
        ProviderRegistry.create("opnai/gpt-5-mini")


async def test_custom_class_receives_the_model() -> None:
    ProviderRegistry.register("own", lambda: ScriptedProvider(lambda call: call.model))  # type: ignore[arg-type]  # a factory
    provider = ProviderRegistry.create("own/m-1")
    assert provider.default_model == "m-1"


async def test_managed_provider_uses_the_model_of_its_name() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    async with await ManagedProviderFactory.create("acme/m-1", api_key=KEY, transport=wire) as managed:
        assert managed.model == "m-1"
        await managed.chat(HI)
    assert list_requested_models(wire) == ["m-1"]


async def test_fallback_uses_the_model_of_its_name_or_entry() -> None:
    named = ProviderConfig("acme/m-2", api_key=KEY)
    by_entry = ProviderConfig("anthropic", api_key=KEY)
    async with await ManagedProviderFactory.create("acme/m-1", api_key=KEY, fallback_configs=[named, by_entry]) as made:
        plan = [(target.provider, target.model) for target in made.engine_pool.plan]
    assert plan == [("acme", "m-1"), ("acme", "m-2"), ("anthropic", "claude-sonnet-4-6")]


async def test_manager_uses_the_model_of_a_name() -> None:
    config = ProviderManagerConfig(enable_health_checks=False)
    manager = ProviderManager({"acme": {"api_key": KEY}}, provider_name="acme/m-1", config=config)
    assert (manager.provider_name, manager.model) == ("acme", "m-1")
    assert await manager.switch_provider("acme/m-2")
    assert (manager.provider_name, manager.model) == ("acme", "m-2")
    await manager.close()


def test_fallbacks_of_the_manager_are_written_with_a_slash_or_a_colon() -> None:
    config = ProviderManagerConfig(fallback_providers=["OpenAI/gpt-5-mini", "ollama:qwen3:8b", "local"])
    assert config.fallbacks() == [("openai", "gpt-5-mini"), ("ollama", "qwen3:8b"), ("local", None)]


async def test_rows_without_a_model_are_asked_with_the_default_one(tmp_path: Path) -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    provider = AcmeProvider(KEY, default_model="m-1", transport=wire)
    done = [one async for one in run([Row("1", "Hi"), Row("2", "Hi", model="m-2")], provider, ledger=tmp_path / "l")]
    assert [one.result.unwrap().content for one in done] == ["Hi", "Hi"]
    assert sorted(map(str, list_requested_models(wire))) == ["m-1", "m-2"]


async def test_a_batch_without_a_model_uses_the_default_one() -> None:
    wire = ScriptedWire(json_answer({"id": "file_1"}), json_answer({"id": "batch_1", "status": "validating"}))
    async with create("openai/m-1", api_key=KEY, transport=wire) as provider:
        await provider.submit_batch_result([Row("1", "Hi")])
    assert b'"model":"m-1"' in (wire.requests[0].body or b"")
