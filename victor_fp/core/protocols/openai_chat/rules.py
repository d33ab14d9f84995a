"""What one model behind one dialect takes: the dialect and the model's policy, resolved once per request."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from victor_fp.core.dialects.chat import ChatDialect, EffortForm, ModelPolicy, ReasoningBack, TokensField
from victor_fp.core.protocols.support import SupportRules, list_unsupported
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a request's body, and what of the caller's wishes could not become one."""

    fields: dict[str, object] = {}
    adjustments: tuple[Adjustment, ...] = ()


class Rules(SupportRules, frozen=True, kw_only=True):
    """What may be sent, in which words."""

    dialect: ChatDialect
    effort_form: EffortForm
    tokens_field: TokensField
    reasoning_back: ReasoningBack

    def word(self, option: str) -> str:
        """The vendor's own word for an option."""
        return self.dialect.spelling.get(option, option)


def rules_for(endpoint: Endpoint, dialect: ChatDialect, request: ChatRequest) -> Rules:
    """The dialect's rules, narrowed by the model's policy."""
    model = request.model.lower()
    policy = next((policy for policy in dialect.models if fnmatchcase(model, policy.pattern)), ModelPolicy(pattern="*"))
    lifted = request.options.reasoning_effort in policy.unless_effort
    of_model = frozenset[str]() if lifted else policy.refuses
    return Rules(
        dialect=dialect,
        provider=endpoint.spec.name,
        taker=f"{endpoint.spec.title} with {request.model}" if of_model else endpoint.spec.title,
        refuses=dialect.refuses | of_model | list_unsupported(endpoint.spec.supports),
        efforts=dialect.efforts if policy.efforts is None else policy.efforts,
        effort_words={**dialect.effort_words, **policy.effort_words},
        effort_form=policy.effort_form or dialect.effort_form,
        tokens_field=policy.tokens_field or dialect.tokens_field,
        reasoning_back=policy.reasoning_back or dialect.reasoning_back,
        cache_marks=policy.cache_marks or dialect.cache_marks,
    )
