"""The dialect of Replicate: inputs of models, and polling of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.replicate import INPUTS, Inputs
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANY_NAMES, ToolNameRules
from victor_fp.core.faults import ContentRefused, Fault, InvalidRequest, Overloaded
from victor_fp.core.model_names import is_model_match

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
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the output."""
    schemas: SchemaSupport = ANY_SCHEMAS
    tool_names: ToolNameRules = ANY_NAMES
    inputs: tuple[Inputs, ...] = INPUTS
    wait: int = 10
    """Seconds that the creation of a prediction waits for its output, 1 to 60: long enough for most short responses, and short
    enough that the id is soon known for cancellation."""
    poll_interval: float = 0.5
    """Seconds before the first poll; later intervals grow up to `max_poll_interval`."""
    max_poll_interval: float = 3.0
    max_poll_failures: int = 3
    """Maximum number of consecutive failed polls."""
    min_lifetime: int = 5
    """Minimum value of Cancel-After, in seconds."""
    # Stream URLs are unguessable, and the vendor's JavaScript client opens them without a key.
    stream_hosts: tuple[str, ...] = ("stream.replicate.com", "streaming.api.replicate.com", "*.replicate.net")
    """Allowed hosts of streams, besides the API's origin; predictions with other stream URLs are polled."""
    collection: str = "language-models"
    """Collection of the listed models."""
    codes: Mapping[str, type[Fault]] = msgspec.field(default_factory=lambda: CODES)
    """Codes in error messages, lower case."""

    def find_inputs(self, model: str) -> Inputs:
        """Return the inputs of a model, ignoring its version."""
        name = model.partition(":")[0].lower()
        return next((inputs for inputs in self.inputs if is_model_match(name, inputs.pattern)), Inputs(pattern="*"))

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """Return False: reasoning of other providers is not accepted."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        inputs = self.find_inputs(model)
        return True if "reasoning_effort" in inputs.options or inputs.budget else None

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas
