"""Providers by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI, SPEC, install_package
from tests.loopback import Received, Talk, serving
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.providers.base import ProviderNotFoundError
from victor_fp.providers.installed import find_entry_points
from victor_fp.providers.registry import ProviderRegistry


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    ProviderRegistry.restore()


def test_every_entry_is_registered_under_its_name_and_aliases() -> None:
    for spec in CATALOGUE:
        for name in (spec.name, *spec.aliases):
            assert ProviderRegistry.is_registered(name), name
            assert ProviderRegistry.get(name.upper()) is ProviderRegistry.get(spec.name)


def test_names_are_listed_once_without_aliases() -> None:
    names = ProviderRegistry.list_providers()
    assert names == sorted(set(names))
    assert "openai" in names
    assert "claude" not in names


def test_unknown_name_is_an_error_with_suggestions() -> None:
    with pytest.raises(ProviderNotFoundError, match="openai"):
        ProviderRegistry.get("opnai")
    assert ProviderRegistry.get_optional("opnai") is None


def test_clear_forgets_everything_and_restore_brings_it_back() -> None:
    ProviderRegistry.clear()
    assert ProviderRegistry.list_providers() == []
    assert ProviderRegistry.get_optional("openai") is None
    ProviderRegistry.restore()
    assert ProviderRegistry.is_registered("openai")


def test_a_built_in_can_be_unregistered() -> None:
    assert ProviderRegistry.unregister("groq")
    assert not ProviderRegistry.is_registered("groq")
    assert not ProviderRegistry.unregister("groq")


def test_an_unknown_constructor_keyword_is_a_clear_error() -> None:
    with pytest.raises(TypeError, match="organisation"):
        ProviderRegistry.create("openai", organisation="x")


async def test_a_provider_is_one_record_and_no_class() -> None:
    async def answer_request(talk: Talk, _: Received) -> None:
        await talk.answer(shapes.build_body("I am new here."))

    spec = ProviderSpec(
        name="newcomer",
        title="Newcomer",
        aliases=("new",),
        dialect=ChatDialect(),
        base_url="https://newcomer.test/v1",
        key_variables=("NEWCOMER_API_KEY",),
    )
    ProviderRegistry.register_spec(spec)
    request = replay.request("new", HI, model="m", catalogue=ProviderRegistry.catalogue()).unwrap()
    assert request.url == "https://newcomer.test/v1/chat/completions"
    assert "<secret>" in request.headers["authorization"]
    async with serving(answer_request) as server:
        async with ProviderRegistry.create("new", api_key="k", base_url=server.url) as provider:
            assert (await provider.chat(HI, model="m")).content == "I am new here."
            assert (provider.name, type(provider).__name__) == ("newcomer", "NewcomerProvider")
    ProviderRegistry.unregister("newcomer")
    assert (
        replay.request("newcomer", HI, model="m", catalogue=ProviderRegistry.catalogue()).failure().provider
        == "newcomer"
    )
    assert replay.request("newcomer", HI, model="m").failure().provider == "newcomer"


def test_a_record_does_not_leak_between_registries() -> None:
    ProviderRegistry.register_spec(SPEC)
    ProviderRegistry.restore()
    assert not ProviderRegistry.is_registered(SPEC.name)


def test_installed_package_cannot_replace_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_package(tmp_path, monkeypatch, "openai = acme_victor:AcmeProvider")
    ProviderRegistry.restore()
    find_entry_points.cache_clear()
    try:
        assert ProviderRegistry.get("acme-class").__name__ == "AcmeProvider"
        assert ProviderRegistry.create("acme-record", api_key="k").name == "acme"
        assert {"acme-class", "acme-record"} <= set(ProviderRegistry.list_providers())
        known = ProviderRegistry.catalogue()
        assert replay.request("acme-record", HI, model="m", catalogue=known).unwrap().url.startswith("http://acme.test")
        assert known.find("acme-class").failure().provider == "acme-class"
        assert "acme" in [entry.name for entry in known]
        assert ProviderRegistry.get("openai").__name__ == "OpenaiProvider"
    finally:
        find_entry_points.cache_clear()
