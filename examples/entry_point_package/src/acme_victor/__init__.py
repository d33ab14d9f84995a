"""Acme's models for victor_fp: once this package is installed, `create("acme-cloud")` works in every program."""

from __future__ import annotations

from victor_fp import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect

SPEC = ProviderSpec(
    name="acme-cloud",
    title="Acme Cloud",
    dialect=ChatDialect(),
    base_url="https://cloud.acme.example/v1",
    key_variables=("ACME_CLOUD_API_KEY",),
    default_model="acme-large",
)
