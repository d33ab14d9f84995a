"""LangChain embeddings over a provider or managed provider (the extra `langchain`).

from victor_fp.integrations.langchain import VictorEmbeddings

embeddings = VictorEmbeddings(model="openai/text-embedding-3-small")
embeddings.embed_query("Name three colours.")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from returns.result import Failure, Result

from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.custom_provider import accept_provider
from victor_fp.providers.errors import unwrap_or_raise
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.sync_chat import run_or_raise
from victor_fp.providers.sync_provider import SyncProvider

if TYPE_CHECKING:
    from victor_fp.core.retrieval.vectors import Purpose


class VictorEmbeddings(BaseModel, Embeddings):
    """Embeddings from a provider of this package, with its retries, breaker and limits, in as few requests as possible.

    Texts are embedded with the purpose `document` and queries with `query`, if the vendor distinguishes them. Errors are
    raised as `ProviderError`.
    """

    model_name: str | None = Field(default=None, alias="model")
    """`openai/text-embedding-3-small`, or only the model name if `provider` is given. None is the provider's default."""
    provider: Any = Field(default=None, exclude=True, repr=False)
    """A provider or managed provider, asynchronous or synchronous; the caller closes it. By default a provider is created
    from the model name."""
    dimensions: int | None = None
    timeout: float | None = None
    """Seconds for one attempt."""
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    base_url: str | None = None
    provider_options: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    """Keyword arguments for the constructor of the created provider."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Additional options of every call, such as `extra_body`."""

    model_config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True, protected_namespaces=())

    _provider: Any = PrivateAttr(default=None)
    _model: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _connect(self) -> VictorEmbeddings:
        """Select or create the provider. Raises ProviderError if it cannot be created."""
        given, model = self.provider, self.model_name
        if given is None:
            if model is None:
                raise ValueError(
                    "model or provider is required: VictorEmbeddings(model='openai/text-embedding-3-small')"
                )
            given, model = self._create(model), model.partition("/")[2] or None
        if not isinstance(given, BaseProvider | SyncProvider):
            raise ValueError(f"provider: expected a provider, got {type(given).__name__}")  # noqa: TRY004  pydantic's validation
        provider = given.provider if isinstance(given, SyncProvider) else given
        self._provider = accept_provider(provider)
        self._model = model or _find_default_model(self._provider)
        return self

    def _create(self, name: str) -> BaseProvider:
        given = {
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
        }
        keywords = {key: value for key, value in given.items() if value is not None} | self.provider_options
        return ProviderRegistry.create(name, **keywords)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return run_or_raise(self.aembed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return run_or_raise(self.aembed_query(text))

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return await self._embed(texts, "document") if texts else []

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        (vector,) = await self._embed([text], "query")
        return vector

    async def _embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        """Embed with the purpose, or without it if the model has none, which is detected before a request is sent."""
        arguments: dict[str, Any] = {"model": self._model, "dimensions": self.dimensions, **self.options}
        if self.timeout is not None:
            arguments.setdefault("timeout", self.timeout)
        result: Result[EmbeddingResponse, Fault] = await self._provider.embed_result(
            texts, **{"purpose": purpose, **arguments}
        )
        match outcome(result):
            case Failure(UnsupportedParameter(parameter="purpose")):
                result = await self._provider.embed_result(texts, **arguments)
            case _:
                pass
        return [list(vector) for vector in unwrap_or_raise(result).vectors]


def _find_default_model(provider: BaseProvider) -> str | None:
    """Return the model of a managed provider, or the catalogue's default model for embeddings."""
    if isinstance(provider, ManagedProvider):
        return None
    spec = ProviderRegistry.catalogue().find(provider.name).value_or(None)
    return None if spec is None or spec.embeddings is None else spec.embeddings.default_model
