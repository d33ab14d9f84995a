"""Steps of an interaction as deltas, streamed or not: a complete step is one that starts with all its content."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.gemini_interactions.response import (
    ArgumentsDelta,
    FunctionCallStep,
    ModelOutputStep,
    OutputImage,
    OutputText,
    Step,
    StepDelta,
    TextAnnotationDelta,
    TextStepDelta,
    ThoughtSignatureDelta,
    ThoughtStep,
    ThoughtSummaryDelta,
    UnknownType,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    MetadataReported,
    ReasoningDelta,
    StateReported,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.json import Json, ObjectChain, merge_objects, unroll
from victor_fp.core.streaming.tool_call_drafts import make_id

SERVER_TOOLS = "server_tools"
"""Metadata key of the calls and results of server tools, which the vendor runs itself."""


class OpenStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has started."""

    index: int
    kind: str
    """`type` of the step."""
    call_id: str = ""
    has_text: bool = False
    signature: str | None = None
    raw: ObjectChain = None
    """Pieces of a step that is sent back as received."""


def begin_step(index: int, step: Step, seed: str) -> tuple[OpenStep, list[Delta]]:
    """Start a step and emit its initial content.

    Missing call ids are derived from `seed`, which distinguishes this interaction from others of the conversation.
    """
    match step:
        case ThoughtStep():
            texts = [one.text for one in step.summary or () if isinstance(one, OutputText) and one.text]
            state = OpenStep(index=index, kind="thought", has_text=bool(texts), signature=step.signature)
            return state, [BlockEnded(), *map(ReasoningDelta, texts)]
        case ModelOutputStep():
            deltas: list[Delta] = [BlockEnded()]
            for content in step.content or ():
                deltas += _read_content(content)
            return OpenStep(index=index, kind="model_output"), deltas
        case FunctionCallStep():
            call_id = step.id or make_id(seed or step.name or "", index)
            state = OpenStep(index=index, kind="function_call", call_id=call_id)
            started = ToolCallStarted(
                index=index,
                id=call_id,
                name=step.name or "",
                # An empty object if the arguments are streamed.
                arguments=None if isinstance(step.arguments, str) else step.arguments or None,
                state={"signature": step.signature} if step.signature else None,
            )
            if isinstance(step.arguments, str) and step.arguments:
                return state, [started, ToolCallArguments(index=index, id=call_id, text=step.arguments)]
            return state, [started]
        case UnknownType():
            return OpenStep(index=index, kind=str(step.raw.get("type") or ""), raw=(None, step.raw)), []


def append_to_step(step: OpenStep, delta: StepDelta) -> tuple[OpenStep, list[Delta]]:
    """Apply a delta to a step."""
    match delta:
        case TextStepDelta():
            return step, [TextDelta(delta.text or "")]
        case ThoughtSummaryDelta():
            text = delta.content.text if isinstance(delta.content, OutputText) else None
            if not text:
                return step, []
            return msgspec.structs.replace(step, has_text=True), [ReasoningDelta(text)]
        case ThoughtSignatureDelta():
            return msgspec.structs.replace(step, signature=delta.signature or step.signature), []
        case ArgumentsDelta():
            return step, [ToolCallArguments(index=step.index, id=step.call_id, text=delta.arguments or "")]
        case TextAnnotationDelta():
            return step, _emit_citations(delta.annotations)
        case UnknownType(raw=raw):
            if step.kind == "model_output":
                return step, _keep_content(raw)
            fields = {name: value for name, value in raw.items() if name != "type"}
            return msgspec.structs.replace(step, raw=(step.raw, fields)), []


def end_step(step: OpenStep) -> list[Delta]:
    """End a step and emit its state, which is sent back with it."""
    if step.kind == "thought":
        if step.has_text:
            state: list[Delta] = [] if step.signature is None else [StateReported({"signature": step.signature})]
            return [*state, BlockEnded()]
        if step.signature is None:
            return []
        return [StateReported({"step": {"type": "thought", "signature": step.signature}}, alone=True)]
    if step.raw is not None:
        raw = {"type": step.kind, **merge_objects(unroll(step.raw))}
        shown = {name: value for name, value in raw.items() if name != "signature"}
        return [
            MetadataReported(metadata={SERVER_TOOLS: [shown]}),
            StateReported({"step": raw}, alone=True),
        ]
    return []


def _read_content(content: OutputText | OutputImage | UnknownType) -> list[Delta]:
    match content:
        case OutputText():
            return [TextDelta(content.text or ""), *_emit_citations(content.annotations)]
        case OutputImage():
            fields = {"data": content.data, "uri": content.uri, "mime_type": content.mime_type}
            return _keep_content(
                {"type": "image", **{name: value for name, value in fields.items() if value is not None}}
            )
        case UnknownType(raw=raw):
            return _keep_content(raw)


def _keep_content(raw: Mapping[str, Json]) -> list[Delta]:
    """Emit other content, such as images, as metadata, and as state to send back at its position."""
    step: dict[str, Json] = {"type": "model_output", "content": [dict(raw)]}
    return [MetadataReported(metadata={"parts": [dict(raw)]}), StateReported({"step": step}, alone=True)]


def _emit_citations(annotations: list[dict[str, Json]] | None) -> list[Delta]:
    return [MetadataReported(metadata={"citations": list(annotations)})] if annotations else []
