"""How Replicate's models differ in what they take, and how its predictions are waited for."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANY_NAMES, ToolNameRules
from victor_fp.core.faults import ContentRefused, Fault, InvalidRequest, Overloaded
from victor_fp.core.models.replicate import INPUTS, Inputs

CODES: Mapping[str, type[Fault]] = {
    # https://replicate.com/docs/reference/error-codes; unconfirmed.
    "e003": Overloaded,
    "e004": Overloaded,
    "e005": ContentRefused,
    "e006": InvalidRequest,
    "e6716": Overloaded,
    "pa": Overloaded,
}


class ReplicateDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Replicate's predictions."""

    protocol: ClassVar[str] = "replicate"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"(/(models|deployments)/[^/]+/[^/]+)?/predictions",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the output."""
    schemas: SchemaSupport = ANY_SCHEMAS
    tool_names: ToolNameRules = ANY_NAMES
    inputs: tuple[Inputs, ...] = INPUTS
    wait: int = 10
    """Seconds for which the creation of a prediction is held open, 1 to 60: long enough for most short answers, and
    short enough that a caller who leaves soon knows what to cancel."""
    poll: float = 0.5
    """Seconds before the first poll."""
    slowest_poll: float = 3.0
    patience: int = 3
    """How many polls in a row may fail before the attempt does."""
    least_lifetime: int = 5
    """Seconds, the least that Cancel-After takes."""
    # Streams stand at addresses nobody can guess, which the vendor's own JavaScript client opens without a key.
    stream_hosts: tuple[str, ...] = ("stream.replicate.com", "streaming.api.replicate.com", "*.replicate.net")
    """Where predictions stream, apart from the API's own origin; any other place is polled instead."""
    collection: str = "language-models"
    """Whose models are listed."""
    codes: Mapping[str, type[Fault]] = msgspec.field(default_factory=lambda: CODES)
    """Codes that stand in the words of errors, lower case."""

    def find_inputs(self, model: str) -> Inputs:
        """What this model takes; a version does not matter."""
        name = model.partition(":")[0].lower()
        return next((inputs for inputs in self.inputs if fnmatchcase(name, inputs.pattern)), Inputs(pattern="*"))

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """None is sent."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        fields = self.find_inputs(model).fields
        return True if "reasoning_effort" in fields or "reasoning_budget" in fields else None

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
