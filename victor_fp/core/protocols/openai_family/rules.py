"""Which options and parts one model at one endpoint accepts: the dialect and the model's policy, resolved per request."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec

from victor_fp.core.catalogue.spec import Supports
from victor_fp.core.dialects.chat import CacheMarks, ModelPolicy
from victor_fp.core.requests import Adjustment, ChatRequest


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent, under which limits."""

    provider: str
    recipient: str
    """Who refuses, for messages: the vendor, or the vendor and the model."""
    refuses: frozenset[str]
    """Names of options and parts, as in `ChatDialect.refuses`."""
    efforts: tuple[str, ...]
    effort_values: Mapping[str, str | None] = {}
    result_parts: frozenset[str] = frozenset()
    """The kinds of parts besides text that a tool's result may have."""
    cache_marks: CacheMarks = "none"
    call_id_limit: int | None = None
    max_temperature: float | None = None
    stop_limit: int | None = None
    min_output_tokens: int = 0
    service_tiers: tuple[str, ...] | None = None
    """The tiers the vendor knows; None where any is passed on."""

    def is_refused(self, name: str) -> bool:
        """Whether an option or a kind of part is refused."""
        return name in self.refuses

    def build_refusal(self, parameter: str) -> Adjustment:
        """The adjustment that says that a parameter is not accepted."""
        return Adjustment(parameter=parameter, reason=f"{self.recipient} does not accept it")


def find_policy(policies: tuple[ModelPolicy, ...], request: ChatRequest) -> ModelPolicy | None:
    """The first policy that matches the model, without its refusals where the requested effort lifts them."""
    model = request.model.lower()
    policy = next((policy for policy in policies if fnmatchcase(model, policy.pattern)), None)
    if policy is None or request.options.reasoning_effort not in policy.unless_effort:
        return policy
    return msgspec.structs.replace(policy, refuses=frozenset())


def list_unsupported(supports: Supports) -> frozenset[str]:
    """The names, as in `Rules.refuses`, of what a catalogue entry says its API cannot carry."""
    given = {
        "tools": supports.tools,
        "image": supports.images,
        "audio": supports.audio,
        "file": supports.files,
        "response_format:schema": supports.json_schema,
    }
    return frozenset(name for name, can in given.items() if can is False)
