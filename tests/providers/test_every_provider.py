"""Every entry of the catalogue answers over real HTTP on loopback, in chat, stream and tools, and its errors are typed.

By default one entry for each distinct dialect is tried; the other laws are tried on one entry of each protocol. The slow
suite tries the essential laws on all entries, and the conformance suite every law.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalogue_samples import SAMPLES
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.testing.conformance import LAWS, Case, cases
from victor_fp.testing.laws import retrieval

ESSENTIAL = frozenset(
    {"chat", "stream", "tool calls", "streamed tool calls", "tool results", "reasoning", "typed errors"}
)
FIRST = {spec.dialect.protocol: spec.name for spec in reversed(CATALOGUE.chats)}
SAMPLED = {spec.name for spec in SAMPLES}
CHAT_LAWS = [law for law in LAWS if law not in retrieval.LAWS]
ALL = [case for spec in CATALOGUE.chats for case in cases(spec.name, laws=CHAT_LAWS)]


def build_settings(spec: ProviderSpec) -> dict[str, object]:
    """Settings that addresses of embeddings and rankings are made of, and chats over loopback are not."""
    return {setting.name: "mine" for setting in spec.settings if setting.name == "project"}


def is_essential(case: Case) -> bool:
    return case.law.name in ESSENTIAL or case.harness.name in FIRST.values()


def build_params(chosen: list[Case]) -> list[Any]:
    return [
        pytest.param(case, id=str(case), marks=() if case.harness.name in SAMPLED else pytest.mark.slow)
        for case in chosen
    ]


@pytest.mark.parametrize("case", build_params([case for case in ALL if is_essential(case)]))
def test_essential_laws_hold(case: Case) -> None:
    case.check()


@pytest.mark.conformance
@pytest.mark.parametrize("case", [case for case in ALL if not is_essential(case)], ids=str)
def test_other_laws_hold(case: Case) -> None:
    case.check()


def test_every_declared_feature_of_a_provider_is_tested() -> None:
    tried = {(case.harness.name, case.law.name) for case in ALL}
    assert {law.name for law in LAWS} >= ESSENTIAL
    for spec in CATALOGUE.chats:
        assert {(spec.name, "chat"), (spec.name, "typed errors")} <= tried
        assert ((spec.name, "stream") in tried) is spec.supports.streaming
        assert ((spec.name, "tool calls") in tried) is spec.supports.tools


RETRIEVAL = [
    case for spec in CATALOGUE for case in cases(spec.name, laws=retrieval.LAWS, settings=build_settings(spec))
]


@pytest.mark.parametrize("case", RETRIEVAL, ids=str)
def test_embeddings_and_reranking_laws_hold(case: Case) -> None:
    case.check()


def test_every_embeddings_and_reranking_endpoint_is_tested() -> None:
    tried = {(case.harness.name, case.law.name) for case in RETRIEVAL}
    for spec in CATALOGUE:
        assert ((spec.name, "embeddings") in tried) is (spec.embeddings is not None)
        assert ((spec.name, "reranking") in tried) is (spec.reranking is not None)
        assert ((spec.name, "no chat") in tried) is not spec.supports.chat
    assert len({name for name, law in tried if law == "embeddings"}) >= 16
    assert len({name for name, law in tried if law == "reranking"}) >= 8
