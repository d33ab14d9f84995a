"""Capabilities of models: a table of sections that are merged for one model of one provider.

    find_capabilities("ollama", "qwen3-coder:30b").text_format

Merged in this order, later over earlier: `defaults`; the section of the provider's kind (`classify_provider`) and of
its protocol; the provider's section; then, for every pattern that matches the model, from the least to the most
specific, its `training`, its `providers` section for this provider, and its `settings`. Patterns are globs, matched
case-insensitively against the model's name and the part after its last slash; a pattern with more literal characters is
more specific.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from returns.result import Failure, Success

from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.model_names import is_model_match
from victor_fp.core.models.capability_table import CapabilityTable, ModelCapabilities, ModelEntry, ProviderKind, Section
from victor_fp.core.result import outcome


def load_bundled_capabilities() -> CapabilityTable:
    """Return the bundled table; the data is loaded at first use."""
    from victor_fp.core.models.capability_data import CAPABILITIES

    return CAPABILITIES


def classify_provider(entry: ProviderSpec) -> ProviderKind | None:
    """Return the kind of a provider; None for one without tools."""
    if not entry.supports.tools:
        return None
    return "local" if entry.local else "open" if entry.open_models else "hosted"


def overlay_capabilities(base: CapabilityTable, over: CapabilityTable) -> CapabilityTable:
    """Merge two tables by section; the second one takes precedence."""
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
    """Return the capabilities of a model at a provider, given by name or alias; `table` replaces the bundled one."""
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
    """Return the patterns that match a model, from the least to the most specific; of equal ones, later ones last."""
    whole = model.lower()
    last = whole.rpartition("/")[2]
    found = [
        pattern
        for pattern in patterns
        if model and (is_model_match(whole, pattern.lower()) or is_model_match(last, pattern.lower()))
    ]
    return sorted(found, key=_count_spelled_out)


def _count_spelled_out(pattern: str) -> int:
    return sum(mark not in "*?[]" for mark in pattern)


def _merge(base: dict[str, Section], over: dict[str, Section]) -> dict[str, Section]:
    return {name: base.get(name, {}) | over.get(name, {}) for name in {**base, **over}}
