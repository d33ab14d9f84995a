"""Providers of installed packages, by entry points; a package is imported when its provider is requested."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from victor_fp.core.catalogue import Catalogue
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.providers.base import BaseProvider

ENTRY_POINTS = "victor_fp.providers"
"""The group of entry points for provider classes and `ProviderSpec`s."""


def build_catalogue() -> Catalogue:
    """Return the built-in catalogue and the entries of installed packages, which cannot replace built-in names."""
    from victor_fp.core.catalogue import CATALOGUE, Catalogue, LazyEntry

    entries = dict(CATALOGUE.entries)
    for name, point in find_entry_points().items():
        entries.setdefault(name, LazyEntry(name, partial(_load_spec, point)))
    return Catalogue(entries)


def load_class(name: str) -> type[BaseProvider] | None:
    """Return the provider class of a package for a name, lower case; None if there is none.

    Raises the exceptions of importing the package, and TypeError for objects of another type.
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
    """Return the entry points by name, lower case. Cached, since they change only when packages are installed."""
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in reversed(tuple(entry_points(group=ENTRY_POINTS)))}


def _load_spec(point: EntryPoint) -> ProviderSpec | None:
    """Return the entry of a package; None if it is a class or cannot be imported."""
    from victor_fp.core.catalogue.spec import ProviderSpec

    try:
        loaded = point.load()
    except Exception:  # requesting the provider by name raises it
        return None
    return loaded if isinstance(loaded, ProviderSpec) else None
