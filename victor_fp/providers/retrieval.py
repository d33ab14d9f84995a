"""Embedding and reranking on a pool of targets, with the attempts in the metadata if one failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.responses.completions import dump_attempts
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import Kind
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse

R = TypeVar("R", "EmbeddingResponse", "RerankResponse")


async def run_embedding(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[EmbeddingResponse, Fault]:
    """Embed texts."""
    from victor_fp.shell.engine.retrieval_kinds import EMBEDDING  # imports wire models

    return await _run(pool, EMBEDDING, spec)


async def run_ranking(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[RerankResponse, Fault]:
    """Rank documents."""
    from victor_fp.shell.engine.retrieval_kinds import RANKING

    return await _run(pool, RANKING, spec)


async def _run(pool: TargetPool, kind: Kind[R], spec: Result[CallSpec, Fault]) -> Result[R, Fault]:
    match outcome(spec):
        case Failure(fault):
            return Failure(fault)
        case Success(call):
            operation = Operation(pool, kind, call)
            result = await operation.result()
            attempts = operation.records
            if all(attempt.outcome == "ok" for attempt in attempts):
                return result
            return result.map(
                lambda response: response.model_copy(update={"metadata": _record(response.metadata, attempts)})
            )


def _record(metadata: dict[str, object] | None, attempts: tuple[Attempt, ...]) -> dict[str, object]:
    return {**(metadata or {}), "attempts": dump_attempts(attempts)}
