"""Decoding of a non-streaming interaction to deltas, and its end: status, usage and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp_wire.gemini_interactions.operations import CreateInteraction
from victor_fp_wire.gemini_interactions.response import Interaction, InteractionUsage, ModelOutputStep, Step

from victor_fp.core.deltas import Delta, ErrorReported, MetadataReported, Stopped, StreamEnded, UsageReported
from victor_fp.core.faults import Cancelled, Fault, InvalidResponse, ServerFailed
from victor_fp.core.json import Json, Undecodable, encode_json
from victor_fp.core.protocols.gemini.errors import fault_from_error, find_status, is_error
from victor_fp.core.protocols.gemini.notes import to_plain
from victor_fp.core.protocols.gemini.response import sum_counts
from victor_fp.core.protocols.gemini_interactions.steps_received import begin_step, end_step
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.requests import Endpoint

INTERACTIONS = build_decoder(CreateInteraction.RESPONSE)

STOP_REASONS: Mapping[str, str] = {"completed": "stop", "requires_action": "tool_use", "incomplete": "length"}
"""Other statuses are passed through unchanged."""
FAILURE = "budget_exceeded"
"""Status of an interaction that ended before it was complete."""
UNFINISHED = frozenset({"in_progress", "queued"})
STATUSES = frozenset({*STOP_REASONS, FAILURE, *UNFINISHED, "cancelled", "failed"})
"""All known statuses. Error bodies of other servers have other statuses, such as `error`."""


def read_interaction(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """Decode a 200 body to deltas."""
    interaction = INTERACTIONS.decode(body)
    if isinstance(interaction, Undecodable) or (interaction.steps is None and interaction.status not in STATUSES):
        error = find_status(body)
        if error is not None or is_error(body):
            return [ErrorReported(fault_from_error(endpoint, error, body))]
        reason = interaction.reason if isinstance(interaction, Undecodable) else "neither a known status nor steps"
        message = f"the response is not an interaction: {reason}"
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=message))]
    return [
        *describe_interaction(interaction),
        *read_steps(endpoint, interaction),
        *end_interaction(endpoint, interaction),
    ]


def describe_interaction(interaction: Interaction) -> list[Delta]:
    """Emit the identity and the model of the interaction."""
    facts = {"id": interaction.id, "created": interaction.created}
    metadata: dict[str, Json] = {name: value for name, value in facts.items() if value}
    if interaction.id:
        metadata["stored"] = True  # an interaction that is not stored has no id
    return [MetadataReported(model=interaction.model, metadata=metadata)] if metadata or interaction.model else []


def read_steps(endpoint: Endpoint, interaction: Interaction) -> list[Delta]:
    """Emit the steps of a complete interaction."""
    deltas: list[Delta] = []
    for index, step in enumerate(interaction.steps or ()):
        begun, found = begin_step(index, step, interaction.id or interaction.created or "")
        deltas += [*found, *end_step(begun), *find_step_error(endpoint, step)]
    return deltas


def find_step_error(endpoint: Endpoint, step: Step) -> list[Delta]:
    """Return the error of a model output step, if it has one."""
    if not isinstance(step, ModelOutputStep) or step.error is None:
        return []
    return [ErrorReported(fault_from_error(endpoint, None, encode_json({"error": to_plain(step.error)})))]


def end_interaction(endpoint: Endpoint, interaction: Interaction) -> list[Delta]:
    """Emit the usage, the stop reason and the end; or the fault that ended the interaction."""
    usage = interaction.usage
    counts: list[Delta] = [] if usage is None else [_read_usage(usage)]
    status = interaction.status or "completed"
    if (fault := _find_fault(endpoint, interaction, status)) is not None:
        return [*counts, ErrorReported(fault)]
    notes: dict[str, Json] = {}
    if interaction.service_tier:
        notes["service_tier"] = interaction.service_tier
    counted = {} if usage is None else to_plain(usage)
    if any(not isinstance(value, int) for value in counted.values()):  # counts by modality or tool
        notes["usage_raw"] = counted
    facts: list[Delta] = [MetadataReported(metadata=notes)] if notes else []
    return [
        *counts,
        *facts,
        Stopped(STOP_REASONS.get(status, status), status, is_failure=status == FAILURE),
        StreamEnded(),
    ]


def _find_fault(endpoint: Endpoint, interaction: Interaction, status: str) -> Fault | None:
    name = endpoint.spec.name
    if status in UNFINISHED:
        message = f"the interaction is {status} and has no output yet"
        return InvalidResponse(provider=name, model=interaction.model, message=message)
    if status == "cancelled":
        return Cancelled(provider=name, model=interaction.model, message="the interaction was cancelled")
    if status != "failed":
        return None
    errors = interaction.errors or ()
    if not errors:
        return ServerFailed(provider=name, model=interaction.model, message="the interaction failed")
    body = encode_json({"error": to_plain(errors[0])})
    return fault_from_error(endpoint, None, body, model=interaction.model)


def _read_usage(usage: InteractionUsage) -> UsageReported:
    """Return the usage. The vendor counts thoughts apart from the output, and server tool results apart from the input."""
    return UsageReported(
        prompt_tokens=sum_counts(usage.total_input_tokens, usage.total_tool_use_tokens),
        completion_tokens=sum_counts(usage.total_output_tokens, usage.total_thought_tokens),
        total_tokens=usage.total_tokens,
        cache_read_input_tokens=usage.total_cached_tokens,
        reasoning_tokens=usage.total_thought_tokens,
    )
