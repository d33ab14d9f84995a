"""Lookup of model limits: configured, reported by the provider, or bundled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from glob import escape
from itertools import chain
from types import MappingProxyType
from typing import TypeAlias

from returns.result import Success

from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ModelInfo, ModelLimit, ProviderSpec
from victor_fp.core.model_names import is_model_match
from victor_fp.core.result import outcome

UNKNOWN_CONTEXT_WINDOW = 128_000
"""Tokens, for a provider that is not in the catalogue."""

LimitTable: TypeAlias = Mapping[str, tuple[ModelLimit, ...]]
"""Limits by the name from `choose_limits_name`; the first match of a model applies."""
NO_LIMITS: LimitTable = MappingProxyType({})


@cache
def load_bundled_limits(name: str) -> tuple[ModelLimit, ...]:
    """Return the bundled limits under a name; the data is loaded at first use."""
    from victor_fp.core.models.limit_data import MODEL_LIMITS

    return tuple(
        ModelLimit(pattern=pattern, context_window=window, max_output=output, source=source)
        for pattern, window, output, source in MODEL_LIMITS.get(name, ())
    )


def choose_limits_name(spec: ProviderSpec) -> str:
    """Return the name under which the limits of an entry's models are stored."""
    return spec.limits_name or spec.name


def find_limit(spec: ProviderSpec, model: str, reported: LimitTable = NO_LIMITS) -> ModelLimit | None:
    """Return the first limit whose pattern matches the model's name, case-insensitively.

    The limits of the entry take precedence, then those reported by the provider (see `merge_reported`), then bundled
    ones.
    """
    spec = spec.for_model(model)
    name, kept_as = model.lower(), choose_limits_name(spec)
    known = chain(spec.limits, reported.get(kept_as, ()), load_bundled_limits(kept_as))
    return next((limit for limit in known if is_model_match(name, limit.pattern)), None)


def find_context_window(
    provider: str, model: str, catalogue: Catalogue = CATALOGUE, reported: LimitTable = NO_LIMITS
) -> int:
    """Return the context window in tokens, without a request to the vendor."""
    match outcome(catalogue.find(provider)):
        case Success(spec):
            limit = find_limit(spec, model, reported)
            return spec.context_window if limit is None else limit.context_window
        case _:
            return UNKNOWN_CONTEXT_WINDOW


def merge_reported(
    stored: Iterable[ModelLimit],
    bundled: Iterable[ModelLimit],
    models: Iterable[ModelInfo],
    *,
    source: str,
    date: str,
) -> tuple[ModelLimit, ...]:
    """Return the limits to store after a provider reported its models: one for each model whose known limit differs.

    Stored limits of models that are not reported are kept.
    """
    reported = {info.id.lower(): info for info in models if info.context_window}
    kept = tuple(limit for limit in stored if limit.pattern not in {escape(name) for name in reported})
    known = (*kept, *bundled)
    fresh: list[ModelLimit] = []
    for name, info in sorted(reported.items()):
        before = next((limit for limit in known if is_model_match(name, limit.pattern)), None)
        window = info.context_window or 0
        output = info.max_output or (before.max_output if before else None)
        if before is None or (window, output) != (before.context_window, before.max_output):
            fresh.append(
                ModelLimit(pattern=escape(name), context_window=window, max_output=output, source=source, date=date)
            )
    return (*fresh, *kept)
