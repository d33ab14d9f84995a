"""Rows of the tables: providers, models and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from returns.result import Failure, Success

from victor_fp.cli.terminal import Terminal
from victor_fp.config.api_keys import find_api_key, list_stored_names
from victor_fp.core.catalogue import CATALOGUE, find
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import key_file
from victor_fp.shell.credentials.key_ring import KeyRing
from victor_fp.shell.credentials.lookup import Credential, find_credential

_CHAINS = {"sigv4": "AWS's own chain", "google": "Google's own chain"}
"""Credentials found by the vendors' own libraries."""


def build_provider_rows(environment: Mapping[str, str], ring: KeyRing | None = None) -> list[tuple[str, str, str, str]]:
    """Return name, protocol, key and capabilities of every provider, those of the catalogue first."""
    from victor_fp.providers.registry import ProviderRegistry

    own = [
        (spec.name, spec.dialect.protocol, describe_key(spec, environment, ring), describe_support(spec.supports))
        for spec in CATALOGUE
    ]
    listed = {row[0] for row in own}
    others = [(name, "", "", "") for name in ProviderRegistry.list_providers() if name not in listed]
    return own + others


def describe_key(spec: ProviderSpec, environment: Mapping[str, str], ring: KeyRing | None = None) -> str:
    """Return where the key was found, or which variable it is missing from."""
    match outcome(find_credential(spec, None, environment, key_ring=ring)):
        case Success(Credential() as credential):
            return credential.source if credential.source == "file" else f"{credential.source} {credential.location}"
        case Success(_):
            return _CHAINS.get(spec.auth.kind, "not needed")
        case Failure(_):
            return f"missing: {' or '.join(spec.key_variables)}" if spec.key_variables else "missing"


def describe_support(supports: Supports) -> str:
    """Return the names of what the API supports."""
    return " ".join(name.replace("_", "-") for name in supports.__struct_fields__ if getattr(supports, name))


def build_model_rows(models: Sequence[ModelInfo]) -> list[tuple[str, str, str, str]]:
    """Return id, context window, output limit and capabilities; empty where the provider does not report them."""
    return [
        (model.id, _number(model.context_window), _number(model.max_output), _model_abilities(model))
        for model in models
    ]


def build_key_rows(environment: Mapping[str, str], ring: KeyRing, *, only_ring: bool = False) -> list[tuple[str, str]]:
    """Return the names that have a key, and where it was found."""
    if only_ring:
        return [(name, "keyring") for name in list_stored_names() if ring.read(name).value_or(None)]
    in_file: dict[str, str] = key_file(environment).read().value_or({})
    names = dict.fromkeys((*list_stored_names(), *in_file))
    rows = []
    for name in names:
        found = find_api_key(name, environment, key_ring=ring).value_or(None)
        if found:
            rows.append((name, f"{found.source} {found.location}"))
    return rows


def show_models(terminal: Terminal, models: Sequence[ModelInfo]) -> None:
    """Show models as a table."""
    terminal.table(("model", "context", "max output", "can"), build_model_rows(models))


def is_known_provider(name: str) -> bool:
    """Return whether the catalogue has an entry of this name."""
    return isinstance(find(name), Success)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _model_abilities(model: ModelInfo) -> str:
    support = {
        "tools": model.supports_tools,
        "streaming": model.supports_streaming,
        "images": model.supports_images,
        "reasoning": model.supports_reasoning,
    }
    return " ".join(name for name, can in support.items() if can)
