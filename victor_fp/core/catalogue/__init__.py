"""The providers as data, and how to find one by name or alias. Adding a provider is adding a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.anthropic import ANTHROPIC
from victor_fp.core.catalogue.bedrock import BEDROCK
from victor_fp.core.catalogue.chat_hosted import CHAT_HOSTED
from victor_fp.core.catalogue.chat_local import CHAT_LOCAL
from victor_fp.core.catalogue.cohere import COHERE
from victor_fp.core.catalogue.google import GOOGLE
from victor_fp.core.catalogue.mistral import MISTRAL
from victor_fp.core.catalogue.ollama import OLLAMA
from victor_fp.core.catalogue.replicate import REPLICATE
from victor_fp.core.catalogue.responses import RESPONSES
from victor_fp.core.catalogue.retrieval import RETRIEVAL
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import Fault, ProviderNotFound

CATALOGUE: tuple[ProviderSpec, ...] = (
    *CHAT_HOSTED,
    *MISTRAL,
    *ANTHROPIC,
    *GOOGLE,
    *BEDROCK,
    *OLLAMA,
    *COHERE,
    *REPLICATE,
    *CHAT_LOCAL,
    *RESPONSES,
)
"""The providers that chat."""

ENTRIES: tuple[ProviderSpec, ...] = (*CATALOGUE, *RETRIEVAL)
"""All providers: those that chat, and those of embeddings and reranking alone."""


def by_name(specs: Iterable[ProviderSpec]) -> dict[str, ProviderSpec]:
    """Entries under their names and aliases, lower case; a later entry does not displace an earlier one."""
    found: dict[str, ProviderSpec] = {}
    for spec in specs:
        for name in (spec.name, *spec.aliases):
            found.setdefault(name.lower(), spec)
    return found


@cache
def built_in() -> Mapping[str, ProviderSpec]:
    """The catalogue under every name it knows."""
    return by_name(ENTRIES)


_ADDED: dict[str, ProviderSpec] = {}
"""Records that programs added, under their names and aliases; they come before the built-in ones."""


def add(spec: ProviderSpec) -> None:
    """Make a record known to everything that looks providers up by name."""
    _ADDED.update(by_name([spec]))


def remove(spec: ProviderSpec) -> None:
    """Forget an added record."""
    for name in [name for name, added in _ADDED.items() if added is spec]:
        del _ADDED[name]


def find(name: str) -> Result[ProviderSpec, Fault]:
    """The entry for a name or alias, in any case of letters."""
    key = name.lower()
    spec = _ADDED.get(key) or built_in().get(key)
    if spec is not None:
        return Success(spec)
    known = tuple(sorted({entry.name for entry in (*built_in().values(), *_ADDED.values())}))
    return Failure(ProviderNotFound(provider=name, known=known, message=f"no provider is called {name!r}"))
