"""The provider catalogue: an immutable mapping from names and aliases to provider entries.

    CATALOGUE.find("claude").map(lambda entry: entry.base_url)

`CATALOGUE` contains the built-in entries. Their names are in `index`; an entry is loaded with its group on first access,
so that the import time of the package does not grow with the number of providers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.index import ALIASES, NAMES
from victor_fp.core.faults import Fault, ProviderNotFound

if TYPE_CHECKING:
    from victor_fp.core.catalogue.spec import ProviderSpec

MAX_SUGGESTIONS = 3


class LazyEntry(msgspec.Struct, frozen=True):
    """An entry that is loaded on first access."""

    name: str
    load: Callable[[], ProviderSpec | None]
    """Returns None if the entry is not available, for example a provider class of an installed package."""


CatalogueEntry: TypeAlias = "ProviderSpec | LazyEntry"
"""An entry, or one that is loaded when it is first used."""


class Catalogue(msgspec.Struct, frozen=True):
    """Providers by name and alias, case-insensitive. Changes return a new catalogue."""

    entries: Mapping[str, CatalogueEntry] = {}
    """Entries by name and alias, in lower case and in the order of iteration."""

    def __iter__(self) -> Iterator[ProviderSpec]:
        for key, entry in self.entries.items():
            if key == entry.name.lower() and (spec := _load(entry)) is not None:
                yield spec

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.entries

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all entries, without aliases; loads none of them."""
        return tuple(entry.name for key, entry in self.entries.items() if key == entry.name.lower())

    @property
    def chats(self) -> tuple[ProviderSpec, ...]:
        """The entries that support chat; the others support only embeddings or reranking."""
        return tuple(spec for spec in self if spec.supports.chat)

    def find(self, name: str) -> Result[ProviderSpec, Fault]:
        """Return the entry for a name or alias, or ProviderNotFound with similar names."""
        found = self.entries.get(name.lower())
        spec = None if found is None else _load(found)
        if spec is not None:
            return Success(spec)
        similar = self.suggest(name)
        hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
        return Failure(
            ProviderNotFound(
                provider=name,
                known=tuple(sorted(self.names)),
                suggestions=similar,
                message=f"no provider is named {name!r}{hint}",
            )
        )

    def suggest(self, name: str) -> tuple[str, ...]:
        """Return names and aliases with a similar spelling, the most similar first."""
        from difflib import get_close_matches

        return tuple(get_close_matches(name.lower(), self.entries, n=MAX_SUGGESTIONS))

    def with_entry(self, entry: CatalogueEntry) -> Catalogue:
        """Return the catalogue with an entry added before all others; it replaces an entry of the same name."""
        aliases = () if isinstance(entry, LazyEntry) else entry.aliases
        own: dict[str, CatalogueEntry] = {name.lower(): entry for name in (*aliases, entry.name)}
        kept = self.without(entry.name).entries
        return Catalogue(MappingProxyType(own | {key: item for key, item in kept.items() if key not in own}))

    def without(self, name: str) -> Catalogue:
        """Return the catalogue without an entry, or, if `name` is an alias, without that alias."""
        key = name.lower()
        kept = {known: item for known, item in self.entries.items() if key not in (known, item.name.lower())}
        return Catalogue(MappingProxyType(kept))


def load_group(group: str) -> tuple[ProviderSpec, ...]:
    """Return the entries of a group, which is a module of `catalogue.entries`."""
    entries: tuple[ProviderSpec, ...] = import_module(f"{__name__}.entries.{group}").ENTRIES
    return entries


def _load(entry: CatalogueEntry) -> ProviderSpec | None:
    return entry.load() if isinstance(entry, LazyEntry) else entry


def _load_built_in(group: str, name: str) -> ProviderSpec | None:
    return next((entry for entry in load_group(group) if entry.name == name), None)


def _build_catalogue() -> Catalogue:
    entries: dict[str, CatalogueEntry] = {
        name: LazyEntry(name, partial(_load_built_in, group, name)) for name, group in NAMES.items()
    }
    return Catalogue(MappingProxyType(entries | {alias: entries[name] for alias, name in ALIASES.items()}))


CATALOGUE = _build_catalogue()
"""The built-in providers."""
