"""A provider for tests: OpenAI's format at a given URL, as one record."""

from __future__ import annotations

from typing import Any

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.types import Message
from victor_fp.providers.catalogue_provider import CatalogueProvider

SPEC = ProviderSpec(name="acme", title="Acme", dialect=ChatDialect(), base_url="http://acme.test/v1")
HI = [Message(role="user", content="Hi")]
KEY = "sk-canary-0123456789"


class AcmeProvider(CatalogueProvider):
    """OpenAI's format."""

    SPEC = SPEC


def build_acme(url: str, **options: Any) -> AcmeProvider:
    """A provider at this address, quick to give up."""
    return AcmeProvider(**{"api_key": KEY, "base_url": f"{url}/v1", "timeout": 5, **options})
