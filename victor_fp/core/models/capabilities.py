"""What models were trained for and how they call tools: a table of sections that are merged for one model of one provider.

    find_capabilities("ollama", "qwen3-coder:30b").text_format

Merged in this order, later over earlier: `defaults`; the section of the provider's kind (`classify_provider`) and of its protocol; the
provider's own; then, for every pattern that matches the model, from the least to the most specific, its `training`, its
`providers` section for this provider, and its `settings`. Patterns are globs, compared without case with the model's name
and with what follows its last slash; the more characters a pattern spells out, the more specific it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

import msgspec
from returns.result import Failure, Success

from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.json import Json
from victor_fp.core.result import outcome

ProviderKind: TypeAlias = Literal["hosted", "open", "local"]
"""A vendor's API, whose calls are always calls; a host of open models, whose calls reach the text when its parser misses
them; a server on the caller's machine."""


class ModelCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The capabilities of one model at one provider."""

    tool_calling: bool = False
    """Trained to call tools."""
    code_generation: bool = False
    vision: bool = False
    reasoning: bool = False
    thinking_mode: bool = False
    """Thinks before it answers, or can."""
    thinking_disable_prefix: str | None = None
    """Put before a message, it keeps the model from thinking."""
    text_format: str = "any"
    """The textual format of its calls, by the names of `core.tool_calling.FORMATS`."""
    native_tool_calls: bool = False
    """The provider returns this model's calls as such."""
    streaming_tool_calls: bool = False
    parallel_tool_calls: bool = False
    tool_choice_param: bool = False
    json_fallback_parsing: bool = True
    """Plain JSON and Python calls in the text count as calls."""
    xml_fallback_parsing: bool = True
    """Calls in the text that bear marks of their own count."""
    tool_call_format: str | None = None
    """A value of `ToolCallFormat`, for native calls."""
    text_call_format: str | None = None
    """The same for a model without native calls."""
    requires_strict_prompting: bool = True
    argument_format: str = "json"
    recommended_max_tools: int = 20
    recommended_tool_budget: int = 12
    """Calls in one turn."""
    exploration_multiplier: float = 1.0
    continuation_patience: int = 10
    """Empty turns before an agent gives up."""
    timeout_multiplier: float = 1.0


Section: TypeAlias = dict[str, Json]
"""Any of the fields of `ModelCapabilities`."""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a table says of the models that a pattern matches."""

    training: Section = {}
    """What they were trained to do, wherever they run."""
    providers: dict[str, Section] = {}
    """What a provider makes of it."""
    settings: Section = {}
    """What works well with them."""


class CapabilityTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole table: the bundled one, or what a program reads from a file of its own."""

    schema_version: str = "1"
    defaults: Section = {}
    kinds: dict[ProviderKind, Section] = {}
    protocols: dict[str, Section] = {}
    provider_defaults: dict[str, Section] = {}
    models: dict[str, ModelEntry] = {}
    """By glob pattern."""


def load_bundled_capabilities() -> CapabilityTable:
    """Return the bundled table; the data is loaded when it is first asked for."""
    from victor_fp.core.models.capability_data import CAPABILITIES

    return CAPABILITIES


def classify_provider(entry: ProviderSpec) -> ProviderKind | None:
    """Return the kind of a provider; None for one that takes no tools."""
    if not entry.supports.tools:
        return None
    return "local" if entry.local else "open" if entry.open_models else "hosted"


def overlay_capabilities(base: CapabilityTable, over: CapabilityTable) -> CapabilityTable:
    """Return one table over another: sections of the same name are merged, and the second counts more."""
    models = dict(base.models)
    for pattern, entry in over.models.items():
        old = models.get(pattern, ModelEntry())
        models[pattern] = ModelEntry(
            training=old.training | entry.training,
            providers=_merge(old.providers, entry.providers),
            settings=old.settings | entry.settings,
        )
    return CapabilityTable(
        schema_version=over.schema_version,
        defaults=base.defaults | over.defaults,
        kinds={kind: base.kinds.get(kind, {}) | over.kinds.get(kind, {}) for kind in (*base.kinds, *over.kinds)},
        protocols=_merge(base.protocols, over.protocols),
        provider_defaults=_merge(base.provider_defaults, over.provider_defaults),
        models=models,
    )


def find_capabilities(
    provider: str, model: str = "", table: CapabilityTable | None = None, catalogue: Catalogue = CATALOGUE
) -> ModelCapabilities:
    """Return the capabilities of a model at a provider, by any of the provider's names; `table` replaces the bundled one."""
    merged: Section = {}
    for section in iterate_sections(
        load_bundled_capabilities() if table is None else table, provider, model, catalogue
    ):
        merged |= section
    return msgspec.convert(merged, ModelCapabilities)


def iterate_sections(
    table: CapabilityTable, provider: str, model: str, catalogue: Catalogue = CATALOGUE
) -> Iterator[Section]:
    """Yield the sections that apply, from the least to the most specific."""
    given = provider.lower()
    names = [given]
    yield table.defaults
    match outcome(catalogue.find(given)):
        case Success(entry):
            names = [entry.name] if entry.name == given else [entry.name, given]
            kind = classify_provider(entry)
            if kind is not None:
                yield table.kinds.get(kind, {})
            yield table.protocols.get(entry.for_model(model).dialect.protocol, {})
        case Failure(_):
            pass
    yield from (table.provider_defaults[name] for name in names if name in table.provider_defaults)
    for pattern in match_patterns(table.models, model):
        row = table.models[pattern]
        yield row.training
        yield from (row.providers[name] for name in names if name in row.providers)
        yield row.settings


def match_patterns(patterns: Iterable[str], model: str) -> list[str]:
    """Return the patterns that match a model, from the least to the most specific; of equal ones the later counts more."""
    whole = model.lower()
    last = whole.rpartition("/")[2]
    found = [
        pattern
        for pattern in patterns
        if model and (fnmatchcase(whole, pattern.lower()) or fnmatchcase(last, pattern.lower()))
    ]
    return sorted(found, key=_count_spelled_out)


def _count_spelled_out(pattern: str) -> int:
    return sum(mark not in "*?[]" for mark in pattern)


def _merge(base: dict[str, Section], over: dict[str, Section]) -> dict[str, Section]:
    return {name: base.get(name, {}) | over.get(name, {}) for name in {**base, **over}}
