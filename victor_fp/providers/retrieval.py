"""Embedding and reranking on a pool of targets, with the attempts in the metadata if one failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.responses.completions import dump_attempts
from victor_fp.core.result import outcome
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse


async def run_embedding(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[EmbeddingResponse, Fault]:
    """Embed texts."""
    from victor_fp.shell.engine.retrieval_kinds import EMBEDDING  # imports wire models

    match outcome(spec):
        case Failure(fault):
            return Failure(fault)
        case Success(call):
            operation = Operation(pool, EMBEDDING, call)
            result = await operation.result()
            attempts = operation.records
            if all(attempt.outcome == "ok" for attempt in attempts):
                return result
            return result.map(
                lambda response: response.model_copy(update={"metadata": _record(response.metadata, attempts)})
            )


async def run_ranking(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[RerankResponse, Fault]:
    """Rank documents."""
    from victor_fp.shell.engine.retrieval_kinds import RANKING

    match outcome(spec):
        case Failure(fault):
            return Failure(fault)
        case Success(call):
            operation = Operation(pool, RANKING, call)
            result = await operation.result()
            attempts = operation.records
            if all(attempt.outcome == "ok" for attempt in attempts):
                return result
            return result.map(
                lambda response: response.model_copy(update={"metadata": _record(response.metadata, attempts)})
            )


def _record(metadata: dict[str, object] | None, attempts: tuple[Attempt, ...]) -> dict[str, object]:
    return {**(metadata or {}), "attempts": dump_attempts(attempts)}
