"""Metadata of Gemini responses: lists accumulated over the events of a stream, and values of which the last counts."""

from __future__ import annotations

from typing import Any

import msgspec
from victor_fp_wire.gemini.response import Candidate, GenerateContentResponse

from victor_fp.core.json import Json


def to_plain(value: msgspec.Struct) -> dict[str, Json]:
    """Return the set fields of a wire struct, under their wire names."""
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    found = ((sent, getattr(value, field)) for field, sent in names)
    return {sent: _to_json(inner) for sent, inner in found if inner is not None}


def _to_json(value: Any) -> Json:
    if isinstance(value, msgspec.Struct):
        return to_plain(value)
    return [_to_json(item) for item in value] if isinstance(value, list) else value


def read_candidate_notes(candidate: Candidate) -> dict[str, Json]:
    """Return the metadata that accumulate: citations and log probabilities per token."""
    notes: dict[str, Json] = {}
    cited, logprobs = candidate.citation_metadata, candidate.logprobs_result
    if cited is not None and (citations := [*(cited.citation_sources or ()), *(cited.citations or ())]):
        notes["citations"] = citations
    if logprobs is not None and (tokens := _list_tokens(logprobs)):
        notes["logprobs"] = tokens
    return notes


def _list_tokens(result: dict[str, Any]) -> list[Json]:
    """Return one entry per token: the chosen one, with `topCandidates` if alternatives were requested."""
    chosen = [token for token in result.get("chosenCandidates") or () if isinstance(token, dict)]
    tops = [top.get("candidates") for top in result.get("topCandidates") or () if isinstance(top, dict)]
    tops += [None] * (len(chosen) - len(tops))
    return [
        {**token, "topCandidates": top} if top else token
        for token, top in zip(chosen, tops[: len(chosen)], strict=True)
    ]


def emit_replaced_notes(answer: GenerateContentResponse) -> dict[str, Json]:
    """Return the metadata that a later event replaces."""
    notes: dict[str, Json] = {}
    if answer.model_status:
        notes["model_status"] = answer.model_status
    if answer.prompt_feedback is not None and answer.prompt_feedback.safety_ratings:
        notes["prompt_feedback"] = to_plain(answer.prompt_feedback)
    for candidate in answer.candidates or ():
        if not candidate.index:
            return notes | _read_candidate(candidate)
    return notes


def _read_candidate(candidate: Candidate) -> dict[str, Json]:
    found: dict[str, Json | None] = {
        "safety_ratings": candidate.safety_ratings,
        "grounding_metadata": candidate.grounding_metadata,
        "grounding_attributions": candidate.grounding_attributions,
        "url_context_metadata": candidate.url_context_metadata,
        "finish_message": candidate.finish_message,
        "avg_logprobs": candidate.avg_logprobs,
    }
    return {name: value for name, value in found.items() if value}
