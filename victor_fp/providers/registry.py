"""ProviderRegistry: providers by name: the catalogue's, those of installed packages, and those a program registers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from victor_fp.core.faults import ProviderNotFound
from victor_fp.core.redaction import HiddenValuesDict
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import error_from

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from victor_fp.core.catalogue.spec import ProviderSpec

ENTRY_POINTS = "victor_fp.providers"
"""Packages name their provider classes or `ProviderSpec`s in this group of entry points."""


class ProviderRegistry:
    """All providers known to this process, by name or alias, in any case of letters.

    What a program registers comes first, then the catalogue, then installed packages, which can add a name but not take
    a built-in one. Nothing is loaded before it is asked for.
    """

    _classes: ClassVar[dict[str, type[BaseProvider]]] = {}
    _specs: ClassVar[dict[str, ProviderSpec]] = {}
    _hidden: ClassVar[set[str]] = set()
    _built_ins: ClassVar[bool] = True

    @classmethod
    def register(cls, name: str, provider_class: type[BaseProvider]) -> None:
        """Make a class known under a name; it replaces what had that name."""
        cls._classes[name.lower()] = provider_class
        cls._hidden.discard(name.lower())

    @classmethod
    def register_spec(cls, spec: ProviderSpec) -> None:
        """Make a provider known by its record alone, for the registry and `replay`."""
        from victor_fp.core import catalogue

        cls._specs[spec.name.lower()] = spec
        cls._hidden.discard(spec.name.lower())
        catalogue.add(spec)

    @classmethod
    def get(cls, name: str) -> type[BaseProvider]:
        """The class for a name. Raises ProviderNotFoundError."""
        found = cls.get_optional(name)
        if found is not None:
            return found
        known = tuple(cls.list_providers())
        message = f"no provider is called {name!r}; there are: {', '.join(known) or 'none'}"
        raise error_from(ProviderNotFound(provider=name, known=known, message=message))

    @classmethod
    def get_optional(cls, name: str) -> type[BaseProvider] | None:
        """The class for a name, or None."""
        from victor_fp.core import catalogue

        key = name.lower()
        if key in cls._hidden:
            return None
        if key in cls._classes:
            return cls._classes[key]
        spec = catalogue.by_name(cls._specs.values()).get(key)
        if spec is None and cls._built_ins:
            found = cls._built_in(key) or _installed(key)
            if isinstance(found, type):
                return found
            spec = found
        return None if spec is None else _class_of(spec)

    @classmethod
    def create(cls, name: str, **kwargs: Any) -> BaseProvider:
        """An instance, made with the constructor's keywords. Raises ProviderNotFoundError."""
        kwargs = HiddenValuesDict(kwargs)  # tools that show a frame's variables show no key here
        return cls.get(name)(**kwargs)

    @classmethod
    def list_providers(cls) -> list[str]:
        """All names, sorted, without aliases."""
        from victor_fp.core import catalogue

        names = set(cls._classes) | set(cls._specs)
        if cls._built_ins:
            names |= {spec.name for spec in catalogue.ENTRIES}
            names |= {point.name.lower() for point in _entry_points()}
        return sorted(names - cls._hidden)

    @classmethod
    def is_registered(cls, name: str) -> bool:
        """Whether a name or alias is known."""
        return cls.get_optional(name) is not None

    @classmethod
    def unregister(cls, name: str) -> bool:
        """Forget a name, a built-in one too; whether it was known."""
        from victor_fp.core import catalogue

        key = name.lower()
        known = cls.is_registered(key)
        cls._classes.pop(key, None)
        if (spec := cls._specs.pop(key, None)) is not None:
            catalogue.remove(spec)
        if cls.get_optional(key) is not None:
            cls._hidden.add(key)
        return known

    @classmethod
    def clear(cls) -> None:
        """Forget everything, the built-in providers too; `restore` brings those back."""
        from victor_fp.core import catalogue

        for spec in cls._specs.values():
            catalogue.remove(spec)
        cls._classes.clear()
        cls._specs.clear()
        cls._hidden.clear()
        cls._built_ins = False

    @classmethod
    def restore(cls) -> None:
        """Back to the built-in and installed providers alone."""
        cls.clear()
        cls._built_ins = True

    @staticmethod
    def _built_in(key: str) -> ProviderSpec | None:
        from victor_fp.core import catalogue

        found: ProviderSpec | None = catalogue.find(key).value_or(None)
        return found


def _installed(key: str) -> type[BaseProvider] | ProviderSpec | None:
    """What an installed package offers under a name."""
    for point in _entry_points():
        if point.name.lower() == key:
            from victor_fp.core.catalogue.spec import ProviderSpec

            loaded = point.load()
            if isinstance(loaded, ProviderSpec) or (isinstance(loaded, type) and issubclass(loaded, BaseProvider)):
                return loaded
            raise TypeError(f"entry point {point.name!r} is neither a BaseProvider class nor a ProviderSpec")
    return None


@cache
def _entry_points() -> EntryPoints:
    """Looked up once: the answer changes only when packages are installed."""
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)


def _class_of(spec: ProviderSpec) -> type[BaseProvider]:
    from victor_fp.providers.classes import provider_class

    return provider_class(spec)
