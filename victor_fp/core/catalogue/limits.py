"""Configured limits: what is believed of a model until its vendor says otherwise."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from itertools import chain

from returns.result import Success

from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ModelLimit, ProviderSpec
from victor_fp.core.result import outcome

UNKNOWN_CONTEXT_WINDOW = 128_000
"""For a provider nobody has described."""


@cache
def load_bundled_limits(name: str) -> tuple[ModelLimit, ...]:
    """The bundled limits kept under a name; the data is loaded when it is first asked for."""
    from victor_fp.core.catalogue.model_limits import MODEL_LIMITS

    return tuple(
        ModelLimit(pattern=pattern, context_window=window, max_output=output, source=source, date=date)
        for pattern, window, output, source, date in MODEL_LIMITS.get(name, ())
    )


def choose_limits_name(spec: ProviderSpec) -> str:
    """The name under which the bundled limits of an entry are kept."""
    return spec.limits_name or spec.name


def find_limit(spec: ProviderSpec, model: str) -> ModelLimit | None:
    """The first limit whose pattern matches the model's name, in any case of letters: the entry's own, then bundled."""
    spec = spec.for_model(model)
    name = model.lower()
    known = chain(spec.limits, load_bundled_limits(choose_limits_name(spec)))
    return next((limit for limit in known if fnmatchcase(name, limit.pattern)), None)


def find_context_window(provider: str, model: str, catalogue: Catalogue = CATALOGUE) -> int:
    """Tokens that prompt and answer may take together, as configured."""
    match outcome(catalogue.find(provider)):
        case Success(spec):
            limit = find_limit(spec, model)
            return spec.context_window if limit is None else limit.context_window
        case _:
            return UNKNOWN_CONTEXT_WINDOW
