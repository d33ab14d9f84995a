"""What one model behind one dialect takes: the dialect and the model's policy, resolved once per request."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from victor_fp.core.background import asks_background
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.support import SupportRules, list_unsupported
from victor_fp.core.requests import ChatRequest, Endpoint


class Rules(SupportRules, frozen=True, kw_only=True):
    """What may be sent, in which words."""

    dialect: ResponsesDialect
    stored: bool
    """The caller has the vendor keep the response, so that items may be referred to by id."""
    reasons: bool
    """False where the model is known not to: such a one refuses reasoning in its input."""
    encrypts: bool
    """Encrypted reasoning is to be asked for."""


def rules_for(
    endpoint: Endpoint, dialect: ResponsesDialect, request: ChatRequest, extras: Mapping[str, object]
) -> Rules:
    """The dialect's rules, narrowed by the model's policy and by what the caller says in the vendor's words."""
    model = request.model.lower()
    policy = next((policy for policy in dialect.models if fnmatchcase(model, policy.pattern)), None)
    effort = request.options.reasoning_effort
    of_model: frozenset[str] = frozenset()
    if policy is not None and effort not in policy.unless_effort:
        of_model = policy.refuses
    refuses = dialect.refuses | of_model | list_unsupported(endpoint.spec.supports)
    by_model = dialect.encrypted_reasoning == "by_model"
    reasons = not (by_model and "reasoning_effort" in refuses)
    return Rules(
        dialect=dialect,
        provider=endpoint.spec.name,
        taker=f"{endpoint.spec.title} with {request.model}" if of_model else endpoint.spec.title,
        refuses=refuses,
        efforts=dialect.efforts if policy is None or policy.efforts is None else policy.efforts,
        effort_words={} if policy is None else policy.effort_words,
        cache_marks=dialect.cache_marks if policy is None else policy.cache_marks or dialect.cache_marks,
        stored={"store": request.options.store, **extras}.get("store") is True or asks_background(request.options),
        reasons=reasons,
        encrypts=dialect.encrypted_reasoning == "always"
        or (by_model and reasons and (policy is not None or effort is not None)),
    )
