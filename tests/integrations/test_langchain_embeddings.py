"""Embeddings for LangChain: its standard suites, and what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from pydantic import SecretStr

from tests.acme import KEY
from tests.loopback import Loopback
from victor_fp.core.faults import AuthRejected, UnsupportedParameter
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.integrations.langchain import VictorEmbeddings
from victor_fp.providers.base import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.sync import SyncProvider, create_managed
from victor_fp.testing import ScriptedProvider, ScriptedWire, Turn


class TestUnit(EmbeddingsUnitTests):
    """What needs no server."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return VictorEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "openai/text-embedding-3-small"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        named = {"model": "openai/text-embedding-3-small"}
        return {"OPENAI_API_KEY": "k"}, named, {"model_name": "openai/text-embedding-3-small"}


class TestPlain(EmbeddingsIntegrationTests):
    """Over HTTP."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return VictorEmbeddings

    @pytest.fixture(autouse=True)
    def _server(self, server: Loopback) -> None:
        self.url = f"{server.url}/v1"

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "openai/text-embedding-3-small", "api_key": "k", "base_url": self.url}


class TestManaged(TestPlain):
    """Over a managed provider."""

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"provider": create_managed("openai", "text-embedding-3-small", "k", self.url)}


async def test_purposes_are_sent_where_the_vendor_has_them() -> None:
    wire = ScriptedWire(Turn(text="never"))
    embeddings = VictorEmbeddings(
        model="cohere/embed-v4.0", api_key=SecretStr("k"), provider_options={"transport": wire}
    )
    assert len(embeddings.embed_documents(["one", "two"])) == 2
    assert await embeddings.aembed_query("one") == (await embeddings.aembed_documents(["one"]))[0]
    assert embeddings.embed_documents([]) == await embeddings.aembed_documents([]) == []
    sent: list[Any] = [request.json() for request in wire.requests]
    assert [(one["input_type"], len(one["texts"])) for one in sent] == [
        ("search_document", 2),
        ("search_query", 1),
        ("search_document", 1),
    ]


def test_options_are_sent_and_the_default_model_is_for_embeddings() -> None:
    wire = ScriptedWire(Turn(text="never"))
    provider = ProviderRegistry.create("openai", api_key="k", transport=wire)
    embeddings = VictorEmbeddings(provider=SyncProvider(provider), dimensions=256, options={"user": "ann"})
    embeddings.embed_query("one")
    (request,) = wire.requests
    sent = request.json()
    assert isinstance(sent, dict)
    assert (sent["model"], sent["dimensions"], sent["user"]) == ("text-embedding-3-small", 256, "ann")


def test_failures_are_raised_and_keys_are_not_shown() -> None:
    wire = ScriptedWire(AuthRejected(message="no"))
    embeddings = VictorEmbeddings(
        model="openai/text-embedding-3-small", api_key=SecretStr(KEY), provider_options={"transport": wire}
    )
    with pytest.raises(ProviderError, match="no"):
        embeddings.embed_query("one")
    assert KEY not in repr(embeddings) + str(embeddings.model_dump())
    fixed = VictorEmbeddings(model="openai/text-embedding-ada-002", api_key=SecretStr("k"), dimensions=5)
    with pytest.raises(ProviderError) as caught:
        fixed.embed_query("one")
    assert isinstance(caught.value.fault, UnsupportedParameter)
    refused: list[dict[str, Any]] = [{}, {"provider": "openai"}]
    for wrong in refused:
        with pytest.raises(ValueError, match="provider"):
            VictorEmbeddings(**wrong)


@pytest.mark.usefixtures("no_pauses")
def test_a_class_of_the_program_is_retried() -> None:
    class Local(ScriptedProvider):
        tries = 0

        async def embed(self, texts: Sequence[str] | str, *, model: str, **options: Any) -> EmbeddingResponse:
            self.tries += 1
            if self.tries < 3:
                raise ConnectionError("no route")
            return EmbeddingResponse(vectors=[[0.5]], model=model)

    local = Local(lambda _: "Hi")
    assert VictorEmbeddings(model="m", provider=local).embed_query("one") == [0.5]
    assert local.tries == 3
