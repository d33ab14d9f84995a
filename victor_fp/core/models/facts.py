"""The known facts about one model at one provider, joined from the tables of `core.models`."""

from __future__ import annotations

import msgspec

from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.models.capabilities import find_capabilities
from victor_fp.core.models.capability_table import CapabilityTable, ModelCapabilities
from victor_fp.core.models.limits import NO_LIMITS, LimitTable, find_limit


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a model without a request to its vendor."""

    provider: str
    model: str
    context_window: int
    """Maximum tokens of prompt and response together."""
    max_output: int | None = None
    """Tokens; None if unknown."""
    limits_source: str = ""
    """Source of the limits; empty for the provider's default window."""
    reasoning: bool = False
    """Can reason before it responds."""
    capabilities: ModelCapabilities


def find_facts(
    entry: ProviderSpec,
    model: str,
    *,
    reported: LimitTable = NO_LIMITS,
    table: CapabilityTable | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> ModelFacts:
    """Return the facts about a model. An unknown model has its provider's window and default capabilities."""
    limit = find_limit(entry, model, reported)
    capabilities = find_capabilities(entry.name, model, table, catalogue.with_entry(entry))
    reasoning = entry.for_model(model).dialect.can_reason(model)
    return ModelFacts(
        provider=entry.name,
        model=model,
        context_window=entry.context_window if limit is None else limit.context_window,
        max_output=None if limit is None else limit.max_output,
        limits_source="" if limit is None else limit.source,
        reasoning=capabilities.reasoning if reasoning is None else reasoning,
        capabilities=capabilities,
    )
