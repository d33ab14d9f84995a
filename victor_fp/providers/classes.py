"""The class for each catalogue entry, made when it is first asked for."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.providers.catalogue_provider import CatalogueProvider

_CLASSES: dict[str, type[CatalogueProvider]] = {}


def make_provider_class(spec: ProviderSpec) -> type[CatalogueProvider]:
    """The class for an entry, made once; its name is the vendor's with `Provider` behind it."""
    found = _CLASSES.get(spec.name)
    if found is None or found.SPEC is not spec:
        word = "".join(part for part in spec.title.title() if part.isalnum())
        found = type(f"{word}Provider", (CatalogueProvider,), {"SPEC": spec, "__doc__": f"{spec.title}."})
        _CLASSES[spec.name] = found
    return found
