"""Rules: the options and parts that a model accepts, resolved per request from the dialect and the model's policy."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from victor_fp.core.catalogue.spec import Supports
from victor_fp.core.dialects.chat import CacheMarks, ModelPolicy
from victor_fp.core.model_names import is_model_match
from victor_fp.core.requests import Adjustment, ChatRequest


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent, and its limits."""

    provider: str
    recipient: str
    """Subject of messages about unsupported options: the vendor, or the vendor and the model."""
    refuses: frozenset[str]
    """Names of options and parts, as in `ChatDialect.refuses`."""
    efforts: tuple[str, ...]
    effort_values: Mapping[str, str | None] = {}
    result_parts: frozenset[str] = frozenset()
    """Types of parts besides text that tool results may have."""
    cache_marks: CacheMarks = "none"
    call_id_limit: int | None = None
    max_temperature: float | None = None
    stop_limit: int | None = None
    min_output_tokens: int = 0
    service_tiers: tuple[str, ...] | None = None
    """Service tiers that the vendor accepts; None if all are passed through."""

    def is_refused(self, name: str) -> bool:
        """Return whether an option or part type is rejected."""
        return name in self.refuses

    def build_refusal(self, parameter: str) -> Adjustment:
        """Build the adjustment for a parameter that is not accepted."""
        return Adjustment(parameter=parameter, reason=f"{self.recipient} does not accept it")


def find_policy(policies: tuple[ModelPolicy, ...], request: ChatRequest) -> ModelPolicy | None:
    """Return the first policy that matches the model, without its refusals if the requested effort lifts them."""
    model = request.model.lower()
    policy = next((policy for policy in policies if is_model_match(model, policy.pattern)), None)
    if policy is None or request.options.reasoning_effort not in policy.unless_effort:
        return policy
    return msgspec.structs.replace(policy, refuses=frozenset())


def list_unsupported(supports: Supports) -> frozenset[str]:
    """Return the names, as in `Rules.refuses`, of what the API does not support according to its catalogue entry."""
    supported = {
        "tools": supports.tools,
        "image": supports.images,
        "audio": supports.audio,
        "file": supports.files,
        "response_format:schema": supports.json_schema,
    }
    return frozenset(name for name, value in supported.items() if value is False)
