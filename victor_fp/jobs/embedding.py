"""Embedding jobs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from pathlib import Path

from typing_extensions import Unpack

from victor_fp.core.jobs.rows import TextRowInput
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions
from victor_fp.core.retrieval.vectors import Purpose
from victor_fp.core.usage.cost import Price
from victor_fp.jobs.done import JobSettings
from victor_fp.jobs.row_reader import RowReader, RowSettings
from victor_fp.jobs.runner import JobRun, Route
from victor_fp.jobs.spending import JobSpending
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore


def embed_rows(
    rows: Iterable[TextRowInput] | AsyncIterable[TextRowInput],
    provider: BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    dimensions: int | None = None,
    purpose: Purpose | None = None,
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Unpack[EmbedOptions],
) -> JobRun[EmbeddingResponse]:
    """Embed the texts of every row once and yield each outcome, in the order in which rows finish.

        async for done in embed_rows(rows, provider, model="text-embedding-3-small", ledger="texts.ledger"):
            print(done.key, done.result.map(lambda response: response.vectors))

    `rows` are `TextRow`s, or mappings with `key` and `texts`, `text` or `prompt`. A row is one call of `embed`, so
    several texts in a row need fewer requests than one row each. Ledger, resuming, budgets and faults are as in `run`.
    Vendors' batch APIs are not used: `route="auto"` is "live", and "batch" is refused.
    """
    chosen = model or getattr(provider, "model", None)
    given = {"dimensions": dimensions, "purpose": purpose, **options}
    merged = {name: value for name, value in given.items() if value is not None}
    reader = RowReader(
        rows,
        RowSettings(
            provider=provider.name,
            model=chosen,
            options=merged,
            tools=(),
            retry_failed=retry_failed,
            concurrency=concurrency,
            operation="embeddings",
        ),
    )
    settings = JobSettings(
        model=chosen,
        schema=None,
        concurrency=max(1, concurrency),
        price=price,
        max_tries=max_tries,
        skip_finished=skip_finished,
        operation="embeddings",
    )
    spending = None if budget is None else JobSpending(budget, price, provider.name, store or MemoryStore(runtime))
    return JobRun(
        provider, settings, reader, ledger=ledger, spending=spending, route=route, options=merged, runtime=runtime
    )
