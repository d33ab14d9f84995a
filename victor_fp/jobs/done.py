"""The outcome of a row: result, cost and attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.jobs.records import RowAnswer
from victor_fp.core.jobs.rows import RowOperation
from victor_fp.core.responses.completions import load_attempts
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.core.schemas.structured import structured
from victor_fp.core.types import CompletionResponse, Usage
from victor_fp.core.usage.cost import Price, PricedUsage
from victor_fp.shell.engine.budget_keeper import apply_price, build_priced_usage, find_reported_cost

T = TypeVar("T")

RowSchema: TypeAlias = "type[Any] | Mapping[str, Any]"
"""The type of parsed responses: a pydantic model, a msgspec Struct, a dataclass, a TypedDict, or a JSON Schema."""


class Done(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The outcome of one row. `result` is the response, or the value parsed from it, or the fault."""

    key: str
    result: Result[T, Fault]
    response: CompletionResponse | None = None
    """The response, if there is one, even if it could not be recorded or parsed."""
    embeddings: EmbeddingResponse | None = None
    """The response of an embedding row."""
    usage: Usage | None = None
    cost_usd: float | None = None
    """None if unknown."""
    attempts: tuple[Attempt, ...] = ()
    """All attempts at the vendor, oldest first, including those of the job's earlier tries of the row; `started` is relative
    to the try. Empty for a response to the first attempt. A resumed result has only the attempts of its last try."""
    is_resumed: bool = False
    """Whether the result is from an earlier run, read from the ledger."""


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a job."""

    model: str | None
    schema: RowSchema | None
    concurrency: int
    price: Price | None
    max_tries: int
    skip_finished: bool
    operation: RowOperation = "chat"


def build_done(
    key: str,
    result: Result[RowAnswer, Fault],
    settings: JobSettings,
    *,
    cost: float | None = None,
    is_resumed: bool = False,
    earlier: tuple[Attempt, ...] = (),
) -> Done[Any]:
    """Build the outcome of a row. `cost` is that of the response, in US dollars; `earlier` are the attempts before those that
    the result lists.
    """
    match outcome(result):
        case Success(answer):
            value: Result[Any, Fault] = result
            attempts, metadata = earlier, answer.metadata
            if metadata and "attempts" in metadata:
                attempts += load_attempts(metadata)
            if not isinstance(answer, CompletionResponse):
                return Done(
                    key=key,
                    result=value,
                    embeddings=answer,
                    usage=answer.usage,
                    cost_usd=cost,
                    attempts=attempts,
                    is_resumed=is_resumed,
                )
            if settings.schema is not None:
                value = structured(Success(answer), settings.schema)
            return Done(
                key=key,
                result=value,
                response=answer,
                usage=answer.usage,
                cost_usd=cost,
                attempts=attempts,
                is_resumed=is_resumed,
            )
        case Failure(fault):
            return Done(key=key, result=result, attempts=earlier + fault.attempts, is_resumed=is_resumed)


def find_cost(response: RowAnswer, price: Price | None, model: str | None) -> float | None:
    """Return the cost in US dollars: as reported by the vendor or provider, else by `price`; None if unknown."""
    cost = find_reported_cost(response)
    if cost is not None:
        return cost
    if price is None:
        return None
    usage = build_priced_usage(response, response.usage)
    if usage is None or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
        return None
    models = tuple(name for name in (response.model, model) if name)
    return apply_price(price, PricedUsage(models=models, usage=usage))
