"""Every protocol is one package and one registration: what else there is of it has the same name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
import victor_fp_wire

import victor_fp.core.dialects as dialects
import victor_fp.core.protocols as protocols
from tests.acme import SPEC
from victor_fp.agent.tool_calling.adapters import ADAPTERS
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.protocols import PROTOCOLS, codec_for, load_protocol
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.requests import Endpoint
from victor_fp.testing.writers import Writer, load_writer

ROOT = Path(protocols.__file__).parents[3]


def list_packages(module_path: Iterable[str]) -> set[str]:
    return {module.name for module in pkgutil.iter_modules(list(module_path)) if module.ispkg}


SHARED = {"batches", "openai_family", "openai_embeddings", "rerank", "bedrock_invoke", "google_retrieval"}
"""Packages that are not chat protocols: shared code, embeddings and reranking."""


def test_every_package_below_protocols_is_registered() -> None:
    registered = {registration.package for registration in PROTOCOLS.values()}
    assert list_packages(protocols.__path__) == registered | SHARED
    assert list_packages(victor_fp_wire.__path__) >= registered


def test_only_mistral_shares_the_route_of_another_protocol() -> None:
    by_route: dict[str, list[str]] = {}
    for name, registration in PROTOCOLS.items():
        by_route.setdefault(registration.route, []).append(name)
    assert [names for names in by_route.values() if len(names) > 1] == [["openai-chat", "mistral"]]


def test_every_protocol_has_a_document_and_a_dialect_module() -> None:
    assert set(PROTOCOLS) <= {path.stem for path in (ROOT / "openapi").glob("*.yaml")}
    modules = {module.name for module in pkgutil.iter_modules(dialects.__path__)}
    assert {load_protocol(name).dialect.__module__.rpartition(".")[2] for name in PROTOCOLS} <= modules


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_record_is_named_as_its_dialect_says(name: str) -> None:
    record = load_protocol(name)
    assert record.dialect.protocol == name
    assert record.title
    assert isinstance(load_writer(name), Writer)


def test_every_protocol_is_used_by_an_entry_of_the_catalogue() -> None:
    used = {entry.dialect.protocol for entry in CATALOGUE.chats}
    assert used == set(PROTOCOLS) == {adapter.PROTOCOL for adapter in ADAPTERS}
    for entry in CATALOGUE.chats:
        assert codec_for(build_endpoint(entry).unwrap()).protocol == entry.dialect.protocol


def test_a_dialect_of_another_protocol_is_an_error() -> None:
    class Pretender(CohereDialect, frozen=True, kw_only=True):
        protocol = MistralDialect.protocol

    spec = type(SPEC)(name="p", title="P", dialect=cast("Any", Pretender()), base_url="http://p.test")
    with pytest.raises(TypeError, match="dialect of p has protocol 'mistral' but is not a MistralDialect"):
        codec_for(Endpoint(spec=spec, base_url="http://p.test"))
