"""Configured limits: what is believed of a model until its vendor says otherwise."""

from __future__ import annotations

from fnmatch import fnmatchcase

from returns.result import Success

from victor_fp.core.catalogue import find
from victor_fp.core.catalogue.spec import ModelLimit, ProviderSpec
from victor_fp.core.result import outcome

UNKNOWN_CONTEXT_WINDOW = 8192
"""For a provider nobody has described."""


def limit_of(spec: ProviderSpec, model: str) -> ModelLimit | None:
    """The first configured limit whose pattern matches the model's name, in any case of letters."""
    name = model.lower()
    return next((limit for limit in spec.limits if fnmatchcase(name, limit.pattern)), None)


def context_window_of(provider: str, model: str) -> int:
    """Tokens that prompt and answer may take together, as configured."""
    match outcome(find(provider)):
        case Success(spec):
            limit = limit_of(spec, model)
            return spec.context_window if limit is None else limit.context_window
        case _:
            return UNKNOWN_CONTEXT_WINDOW
