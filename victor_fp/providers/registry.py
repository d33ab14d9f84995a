"""ProviderRegistry: providers of the catalogue, of installed packages, and registered by the program, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from victor_fp.core.model_names import split_model_name
from victor_fp.core.security.secrets import HiddenValuesDict
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import unwrap_or_raise
from victor_fp.providers.installed import build_catalogue, load_class

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.catalogue import Catalogue
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.core.faults import Fault
    from victor_fp.providers.provider import Provider


def create(name: str, **kwargs: Any) -> Provider:
    """Create a provider by name with the keywords of its constructor; "openai/gpt-5-mini" also sets its default model.

        async with create("openai/gpt-5-mini") as provider:
            print((await provider.chat("Name three colours.")).content)

    `ProviderRegistry.create` returns an instance of a registered class itself. This function wraps it in a `Provider`, whose
    calls accept the same arguments, and have the same retries, timeouts, deadlines and breaker, as those of providers of the
    catalogue. Raises ProviderNotFoundError, and ProviderError for a timeout or number of retries that is out of its bounds.
    """
    from victor_fp.providers.custom_provider import accept_provider

    return accept_provider(ProviderRegistry.create(name, **HiddenValuesDict(kwargs)))


class ProviderRegistry:
    """All providers of this process, by case-insensitive name or alias.

    Registered providers take precedence over the built-in catalogue and installed packages, which can add names but
    not replace built-in ones. Entries and classes are loaded at first use.
    """

    _classes: ClassVar[dict[str, type[BaseProvider]]] = {}
    _catalogue: ClassVar[Catalogue | None] = None
    """None until first use, so that importing the registry loads no entries."""

    @classmethod
    def catalogue(cls) -> Catalogue:
        """Return the current catalogue as a value, for `replay` and for lookups."""
        if cls._catalogue is None:
            cls._catalogue = build_catalogue()
        return cls._catalogue

    @classmethod
    def register(cls, name: str, provider_class: type[BaseProvider]) -> None:
        """Register a class under a name; it replaces a previous one."""
        cls._classes[name.lower()] = provider_class

    @classmethod
    def register_spec(cls, spec: ProviderSpec) -> None:
        """Register a provider by its catalogue entry; it replaces a previous one."""
        cls._classes.pop(spec.name.lower(), None)
        cls._catalogue = cls.catalogue().with_entry(spec)

    @classmethod
    def get(cls, name: str) -> type[BaseProvider]:
        """Return the class for a name. Raises ProviderNotFoundError."""
        found = cls.get_optional(name)
        return unwrap_or_raise(cls._find_in_catalogue(name)) if found is None else found

    @classmethod
    def get_optional(cls, name: str) -> type[BaseProvider] | None:
        """Return the class for a name; None if there is none."""
        key = name.lower()
        if key in cls._classes:
            return cls._classes[key]
        catalogue = cls._choose_catalogue(key)
        spec: ProviderSpec | None = catalogue.find(key).value_or(None)
        if spec is not None:
            from victor_fp.providers.classes import make_provider_class

            return make_provider_class(spec)
        return load_class(key) if key in catalogue else None

    @classmethod
    def create(cls, name: str, **kwargs: Any) -> BaseProvider:
        """Create an instance with the constructor's keywords; "openai/gpt-5-mini" also sets its default model.

        Raises ProviderNotFoundError.
        """
        kwargs = HiddenValuesDict(kwargs)  # error trackers report variables of frames
        name, model = split_model_name(name, cls.is_registered)
        provider = cls.get(name)(**kwargs)
        if model is not None:
            provider.default_model = model
        return provider

    @classmethod
    def list_providers(cls) -> list[str]:
        """Return all names, sorted, without aliases."""
        return sorted({*cls._classes, *cls.catalogue().names})

    @classmethod
    def is_registered(cls, name: str) -> bool:
        """Return whether a name or alias is registered."""
        return name.lower() in cls._classes or name in cls._choose_catalogue(name)

    @classmethod
    def unregister(cls, name: str) -> bool:
        """Remove a name, also a built-in one; return whether it was registered."""
        known = cls.is_registered(name)
        cls._classes.pop(name.lower(), None)
        cls._catalogue = cls.catalogue().without(name)
        return known

    @classmethod
    def clear(cls) -> None:
        """Remove all providers, also the built-in ones; `restore` adds those again."""
        from victor_fp.core.catalogue import Catalogue

        cls._classes.clear()
        cls._catalogue = Catalogue()

    @classmethod
    def restore(cls) -> None:
        """Reset to the built-in and installed providers."""
        cls._classes.clear()
        cls._catalogue = None

    @classmethod
    def _choose_catalogue(cls, name: str) -> Catalogue:
        """Return the catalogue to look a name up in: entry points of packages, which are slow to list, cannot replace built-in names."""
        if cls._catalogue is None:
            from victor_fp.core.catalogue import CATALOGUE

            if name in CATALOGUE:
                return CATALOGUE
        return cls.catalogue()

    @classmethod
    def _find_in_catalogue(cls, name: str) -> Result[type[BaseProvider], Fault]:
        from victor_fp.providers.classes import make_provider_class

        return cls.catalogue().find(name).map(make_provider_class)
