"""What there is: providers with their keys, and the models of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from returns.result import Failure, Success

from victor_fp.cli.terminal import Terminal
from victor_fp.config.api_keys import find_api_key, stored_names
from victor_fp.core.catalogue import CATALOGUE, find
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import key_file
from victor_fp.shell.credentials.key_ring import KeyRing
from victor_fp.shell.credentials.lookup import Credential, find_credential

_CHAINS = {"sigv4": "AWS's own chain", "google": "Google's own chain"}
"""Credentials that the vendor's own machinery finds."""


def provider_rows(environment: Mapping[str, str], ring: KeyRing | None = None) -> list[tuple[str, str, str, str]]:
    """Name, protocol, key and capabilities of every provider, the catalogue's first and in its order."""
    from victor_fp.providers.registry import ProviderRegistry

    own = [
        (spec.name, spec.dialect.protocol, key_text(spec, environment, ring), abilities(spec.supports))
        for spec in CATALOGUE
    ]
    listed = {row[0] for row in own}
    others = [(name, "", "", "") for name in ProviderRegistry.list_providers() if name not in listed]
    return own + others


def key_text(spec: ProviderSpec, environment: Mapping[str, str], ring: KeyRing | None = None) -> str:
    """Where the key is, or how to give one."""
    match outcome(find_credential(spec, None, environment, key_ring=ring)):
        case Success(Credential() as credential):
            return credential.source if credential.source == "file" else f"{credential.source} {credential.place}"
        case Success(_):
            return _CHAINS.get(spec.auth.kind, "not needed")
        case Failure(_):
            return f"missing: {' or '.join(spec.key_variables)}" if spec.key_variables else "missing"


def abilities(supports: Supports) -> str:
    """What the API can carry, in words."""
    return " ".join(name.replace("_", "-") for name in supports.__struct_fields__ if getattr(supports, name))


def model_rows(models: Sequence[ModelInfo]) -> list[tuple[str, str, str, str]]:
    """Id, context window, longest answer and abilities; empty is what the provider does not tell."""
    return [
        (model.id, _number(model.context_window), _number(model.max_output), _model_abilities(model))
        for model in models
    ]


def key_rows(environment: Mapping[str, str], ring: KeyRing, *, only_ring: bool = False) -> list[tuple[str, str]]:
    """The names that have a key, and where it was found; never the key."""
    if only_ring:
        return [(name, "keyring") for name in stored_names() if ring.read(name).value_or(None)]
    in_file: dict[str, str] = key_file(environment).read().value_or({})
    names = dict.fromkeys((*stored_names(), *in_file))
    rows = []
    for name in names:
        found = find_api_key(name, environment, key_ring=ring).value_or(None)
        if found:
            rows.append((name, f"{found.source} {found.place}"))
    return rows


def show_models(terminal: Terminal, models: Sequence[ModelInfo]) -> None:
    """Models as a table."""
    terminal.table(("model", "context", "longest answer", "can"), model_rows(models))


def is_known(name: str) -> bool:
    """Whether the catalogue knows the name."""
    return isinstance(find(name), Success)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _model_abilities(model: ModelInfo) -> str:
    told = {
        "tools": model.supports_tools,
        "streaming": model.supports_streaming,
        "images": model.supports_images,
        "reasoning": model.supports_reasoning,
    }
    return " ".join(name for name, can in told.items() if can)
