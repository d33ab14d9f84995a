"""Rules of Chat Completions: what one model accepts, and in which fields."""

from __future__ import annotations

import msgspec

from victor_fp.core.dialects.chat import ChatDialect, EffortForm, ModelPolicy, ReasoningReplay, TokensField
from victor_fp.core.protocols.openai_family import rules as family
from victor_fp.core.protocols.openai_family.rules import list_unsupported
from victor_fp.core.requests import Endpoint


class ChatRules(family.Rules, frozen=True, kw_only=True):
    """What may be sent, and in which fields."""

    dialect: ChatDialect
    effort_form: EffortForm
    tokens_field: TokensField
    reasoning_replay: ReasoningReplay


def build_rules(endpoint: Endpoint, dialect: ChatDialect) -> ChatRules:
    """Return the dialect's rules for models without a policy."""
    by_url = frozenset({"audio_url"}) if dialect.audio_form == "object" else frozenset[str]()
    return ChatRules(
        dialect=dialect,
        provider=endpoint.spec.name,
        recipient=endpoint.spec.title,
        refuses=dialect.refuses | list_unsupported(endpoint.spec.supports) | by_url,
        result_parts=dialect.result_parts,
        efforts=dialect.efforts,
        effort_values=dialect.effort_values,
        cache_marks=dialect.cache_marks,
        call_id_limit=dialect.call_id_limit,
        max_temperature=dialect.max_temperature,
        stop_limit=dialect.stop_limit,
        service_tiers=dialect.service_tiers,
        effort_form=dialect.effort_form,
        tokens_field=dialect.tokens_field,
        reasoning_replay=dialect.reasoning_replay,
    )


def apply_policy(rules: ChatRules, policy: ModelPolicy, model: str) -> ChatRules:
    """Return the rules restricted by the policy of a model."""
    return msgspec.structs.replace(
        rules,
        recipient=f"{rules.recipient} with {model}" if policy.refuses else rules.recipient,
        refuses=rules.refuses | policy.refuses,
        efforts=rules.efforts if policy.efforts is None else policy.efforts,
        effort_values={**rules.effort_values, **policy.effort_values} if policy.effort_values else rules.effort_values,
        cache_marks=policy.cache_marks or rules.cache_marks,
        effort_form=policy.effort_form or rules.effort_form,
        tokens_field=policy.tokens_field or rules.tokens_field,
        reasoning_replay=policy.reasoning_replay or rules.reasoning_replay,
    )
