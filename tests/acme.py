"""A provider for tests: OpenAI's format at a given URL, as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def install_package(folder: Path, monkeypatch: pytest.MonkeyPatch, entry_point: str) -> None:
    """Install a package with the provider as a class, as a record, and under one more entry point."""
    (folder / "acme_victor.py").write_text("from tests.acme import SPEC, AcmeProvider\n")
    info = folder / "acme_victor-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-victor\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[victor_fp.providers]\nacme-class = acme_victor:AcmeProvider\nacme-record = acme_victor:SPEC\n{entry_point}\n"
    )
    monkeypatch.syspath_prepend(str(folder))
