"""Rules of Responses: what one model accepts, resolved per request from the dialect and the model's policy."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.long_running.background import is_background_request
from victor_fp.core.protocols.openai_family import rules as family
from victor_fp.core.protocols.openai_family.rules import list_unsupported, resolve_policy
from victor_fp.core.requests import ChatRequest, Endpoint


class ResponseRules(family.Rules, frozen=True, kw_only=True):
    """What may be sent, and in which fields."""

    dialect: ResponsesDialect
    stored: bool = False
    """Whether the response is stored by the vendor, so that items can be referenced by id."""
    reasons: bool = True
    """False if the model is known not to reason; such models reject reasoning in the input."""
    encrypts: bool = False
    """Whether to request encrypted reasoning."""


def build_rules(endpoint: Endpoint, dialect: ResponsesDialect) -> ResponseRules:
    """Return the dialect's rules for models without a policy."""
    return ResponseRules(
        dialect=dialect,
        provider=endpoint.spec.name,
        recipient=endpoint.spec.title,
        # Items have no field for a participant's name, and audio has none for a URL.
        refuses=dialect.refuses | list_unsupported(endpoint.spec.supports) | {"name", "audio_url"},
        result_parts=dialect.result_parts,
        efforts=dialect.efforts,
        cache_marks=dialect.cache_marks,
        call_id_limit=dialect.call_id_limit,
        min_output_tokens=dialect.min_output_tokens,
        service_tiers=dialect.service_tiers,
    )


def apply_policy(rules: ResponseRules, request: ChatRequest, extras: Mapping[str, object]) -> ResponseRules:
    """Return the rules restricted by the policy of the request's model and by the caller's `extra_body`."""
    dialect, policy = rules.dialect, resolve_policy(rules.dialect.models, request)
    refuses = rules.refuses if policy is None else rules.refuses | policy.refuses
    by_model = dialect.encrypted_reasoning == "by_model"
    reasons = not (by_model and "reasoning_effort" in refuses)
    known_to_reason = reasons and (policy is not None or request.options.reasoning_effort is not None)
    encrypts = dialect.encrypted_reasoning == "always" or (by_model and known_to_reason)
    asks_store = {"store": request.options.store, **extras}.get("store") is True
    stored = asks_store or is_background_request(request.options)
    if policy is None:
        return msgspec.structs.replace(rules, stored=stored, reasons=reasons, encrypts=encrypts)
    return msgspec.structs.replace(
        rules,
        recipient=f"{rules.recipient} with {request.model}" if policy.refuses else rules.recipient,
        refuses=refuses,
        efforts=rules.efforts if policy.efforts is None else policy.efforts,
        effort_values=policy.effort_values,
        cache_marks=policy.cache_marks or rules.cache_marks,
        stored=stored,
        reasons=reasons,
        encrypts=encrypts,
    )
