"""Provider classes of catalogue entries, created at first use."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.providers.catalogue_provider import CatalogueProvider

_CLASSES: dict[str, type[CatalogueProvider]] = {}


def make_provider_class(spec: ProviderSpec) -> type[CatalogueProvider]:
    """Return the class for an entry, created once; its name is that of the vendor followed by `Provider`."""
    found = _CLASSES.get(spec.name)
    if found is None or found.SPEC is not spec:
        word = "".join(part for part in spec.title.title() if part.isalnum())
        found = type(f"{word}Provider", (CatalogueProvider,), {"SPEC": spec, "__doc__": f"{spec.title}."})
        _CLASSES[spec.name] = found
    return found
