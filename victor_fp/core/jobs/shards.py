"""How the input of a job is split into shards that many machines work on: ranges of files, and a plan that is kept.

A plan is made once and kept beside the output. A job that is run again goes on with the same shards, whose ledgers are found
by their names; files that have come since are added, and a file that has changed is a fault, since its shards would be
other rows under the same names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.report import Report

FileFormat: TypeAlias = Literal["jsonl", "parquet"]


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the input, and how it is split."""

    path: str
    """Where it is read: a path, or a URL of an object store."""
    label: str
    """Names the file in keys of rows that have none of their own."""
    format: FileFormat
    size: int
    """Bytes of the file."""
    length: int
    """What is split: bytes of JSONL, rows of Parquet."""
    step: int
    """Length of one shard."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """A range of one file. A row belongs to the shard in which its first byte, or its number, is."""

    name: str
    """Unique in the plan; names the shard's files."""
    path: str
    label: str
    format: FileFormat
    start: int
    end: int


class ShardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a job, in the order in which they were found."""

    digest: str
    """Of what the job asks about every row."""
    files: tuple[InputFile, ...] = ()
    format: int = 1


def split_length(length: int, step: int) -> Iterator[tuple[int, int]]:
    """Ranges that cover a length without gap or overlap, none longer than `step`.

    >>> list(split_length(10, 4))
    [(0, 4), (4, 8), (8, 10)]
    """
    step = max(1, step)
    return ((start, min(start + step, length)) for start in range(0, length, step))


def list_shards(plan: ShardPlan) -> Iterator[Shard]:
    """The shards of a plan. Those of a file are neighbours, and names sort as their rows do."""
    for number, file in enumerate(plan.files):
        for part, (start, end) in enumerate(split_length(file.length, file.step)):
            yield Shard(
                name=f"{number:05d}-{part:06d}",
                path=file.path,
                label=file.label,
                format=file.format,
                start=start,
                end=end,
            )


def extend_plan(plan: ShardPlan | None, digest: str, found: Sequence[InputFile]) -> Result[ShardPlan, Fault]:
    """The plan that was kept, with the files that have come since.

    A Failure where the job asks something else than the one that was kept, and where a file has another size, or is gone.
    """
    if plan is None:
        return Success(ShardPlan(digest=digest, files=tuple(found)))
    if plan.digest != digest:
        message = "the output belongs to a job that asks something else (model, prompt, options, key column); use another folder"
        return Failure(InvalidRequest(message=message))
    by_path = {file.path: file for file in found}
    for kept in plan.files:
        now = by_path.pop(kept.path, None)
        if now is None:
            return Failure(InvalidRequest(message=f"{kept.path} is part of the job and is not there any more"))
        if now.size != kept.size:
            message = (
                f"{kept.path} has changed from {kept.size} to {now.size} bytes since the job began; use another folder"
            )
            return Failure(InvalidRequest(message=message))
    return Success(replace(plan, files=(*plan.files, *by_path.values())))


def add_reports(reports: Iterable[Report]) -> Report:
    """The figures of many ledgers together. `seconds` is not known: shards overlap in time."""
    total, faults, cost = Report(), Counter[str](), 0.0
    is_priced, expiries = False, list[float]()
    for report in reports:
        total = replace(
            total,
            read=total.read + report.read,
            done=total.done + report.done,
            failed=total.failed + report.failed,
            retryable=total.retryable + report.retryable,
            left=total.left + report.left,
            in_batches=total.in_batches + report.in_batches,
            batches=total.batches + report.batches,
            prompt_tokens=total.prompt_tokens + report.prompt_tokens,
            completion_tokens=total.completion_tokens + report.completion_tokens,
            unpriced=total.unpriced + report.unpriced,
        )
        faults.update(report.faults)
        if report.cost_usd is not None:
            cost, is_priced = cost + report.cost_usd, True
        if report.results_expire_at is not None:
            expiries.append(report.results_expire_at)
    return replace(
        total,
        faults=dict(faults),
        cost_usd=cost if is_priced else None,
        results_expire_at=min(expiries, default=None),
    )
