"""Providers that installed packages offer by entry points; a package is loaded when its provider is asked for."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from victor_fp.core.catalogue import Catalogue
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.providers.base import BaseProvider

ENTRY_POINTS = "victor_fp.providers"
"""Packages name their provider classes or `ProviderSpec`s in this group of entry points."""


def build_catalogue() -> Catalogue:
    """Return the built-in catalogue with what installed packages offer behind it: they take no built-in name."""
    from victor_fp.core.catalogue import CATALOGUE, Catalogue, LazyEntry

    entries = dict(CATALOGUE.entries)
    for name, point in find_entry_points().items():
        entries.setdefault(name, LazyEntry(name, partial(_load_spec, point)))
    return Catalogue(entries)


def load_class(name: str) -> type[BaseProvider] | None:
    """Return the provider class that a package offers under a name, lower case; None where no package does.

    Raises what loading the package raises, and TypeError where it offers something else.
    """
    from victor_fp.providers.base import BaseProvider

    point = find_entry_points().get(name)
    if point is None:
        return None
    loaded = point.load()
    if isinstance(loaded, type) and issubclass(loaded, BaseProvider):
        return loaded
    raise TypeError(f"entry point {point.name!r} is neither a BaseProvider class nor a ProviderSpec")


@cache
def find_entry_points() -> dict[str, EntryPoint]:
    """Return the entry points by name, lower case. Looked up once: the answer changes when packages are installed."""
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in reversed(tuple(entry_points(group=ENTRY_POINTS)))}


def _load_spec(point: EntryPoint) -> ProviderSpec | None:
    """The entry that a package offers; None where it offers a class, or cannot be loaded."""
    from victor_fp.core.catalogue.spec import ProviderSpec

    try:
        loaded = point.load()
    except Exception:  # a package's own code: asking for its provider by name raises what it raised
        return None
    return loaded if isinstance(loaded, ProviderSpec) else None
