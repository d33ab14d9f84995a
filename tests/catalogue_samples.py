"""Entries for tests that hold for all entries that chat: by default one for each distinct dialect and kind of key; the
others, which differ from one of those in names and addresses only, in the slow suite."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.protocols import PROTOCOLS

Kind = tuple[object, ...]
PROVIDERS: dict[str, str] = {
    protocol: next(entry.name for entry in CATALOGUE.chats if entry.dialect.protocol == protocol)
    for protocol in PROTOCOLS
}
"""The first entry of each protocol."""
SETTINGS = {
    "account": "a",
    "deployment": "d",
    "endpoint": "https://e.invalid",
    "gateway": "g",
    "host": "h.invalid",
    "project": "p",
    "region": "r",
    "resource": "s",
}
"""What the addresses of entries are made of."""


def get_kind(entry: ProviderSpec) -> Kind:
    """What tests can tell entries apart by."""
    auth = (entry.auth, entry.key_auth, entry.key_optional, entry.transport)
    return entry.dialect.protocol, entry.dialect, auth, entry.supports.tools, entry.supports.streaming


def choose_samples() -> tuple[ProviderSpec, ...]:
    found: list[tuple[Kind, ProviderSpec]] = []
    for entry in CATALOGUE.chats:
        kind = get_kind(entry)
        if all(kind != known for known, _ in found):
            found.append((kind, entry))
    return tuple(entry for _, entry in found)


SAMPLES = choose_samples()
OTHERS = tuple(entry for entry in CATALOGUE.chats if entry not in SAMPLES)


def list_entry_params(*, only: type[object] | None = None) -> list[Any]:
    """Every entry as a parameter of a test; `only` those with a dialect of this class."""
    return [
        pytest.param(entry, id=entry.name, marks=() if entry in SAMPLES else pytest.mark.slow)
        for entry in CATALOGUE.chats
        if only is None or isinstance(entry.dialect, only)
    ]


def name_params(*, only: type[object] | None = None) -> list[Any]:
    """The same with the entries' names."""
    return [
        pytest.param(entry.name, id=entry.name, marks=() if entry in SAMPLES else pytest.mark.slow)
        for entry in CATALOGUE.chats
        if only is None or isinstance(entry.dialect, only)
    ]


def group_alike() -> list[tuple[ProviderSpec, ...]]:
    """Entries that are sent equal bodies: of one dialect, that lack the same abilities. The first represents the others."""
    groups: list[tuple[Kind, list[ProviderSpec]]] = []
    for entry in CATALOGUE.chats:
        lacking = {name for name in entry.supports.__struct_fields__ if getattr(entry.supports, name) is False}
        kind = (entry.dialect, entry.model_routes, lacking - {"reasoning"})
        alike = next((alike for known, alike in groups if known == kind), None)
        if alike is None:
            groups.append((kind, [entry]))
        else:
            alike.append(entry)
    return [tuple(alike) for _, alike in groups]
