"""Splitting of a job's input into shards for many machines: ranges of files, and a stored plan.

A plan is created once and stored next to the output. A job that is run again uses the same shards, whose ledgers are found
by their names. New files are added. A changed file is a fault, because its shards would have other rows under the same
names.
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
    """One file of the input, and its split into shards."""

    path: str
    """A path, or a URL of an object store."""
    label: str
    """Name of the file in generated keys of rows without a key."""
    format: FileFormat
    size: int
    """Bytes of the file."""
    length: int
    """Length to split: bytes of JSONL, rows of Parquet."""
    step: int
    """Length of one shard."""
    sample: str = ""
    """Digest of the beginning and the end of its content; empty in plans of earlier versions."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """A range of one file. A row belongs to the shard in which its first byte, or its number, is."""

    name: str
    """Name of the shard's files, unique in the plan."""
    path: str
    label: str
    format: FileFormat
    start: int
    end: int


class ShardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a job, in the order in which they were found."""

    digest: str
    """Digest of everything that affects the requests of all rows."""
    files: tuple[InputFile, ...] = ()
    format: int = 1


def split_length(length: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that cover a length without gaps or overlaps, none longer than `step`.

    >>> list(split_length(10, 4))
    [(0, 4), (4, 8), (8, 10)]
    """
    step = max(1, step)
    return ((start, min(start + step, length)) for start in range(0, length, step))


def list_shards(plan: ShardPlan) -> Iterator[Shard]:
    """Yield the shards of a plan. Shards of a file are adjacent, and their names sort in the order of the rows."""
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
    """Return the stored plan extended by new files.

    It fails if the requests of the job differ from those of the plan, or if a file is missing or has another size, beginning
    or end. A file whose label is that of another gets its path as its label.
    """
    if plan is None:
        return Success(ShardPlan(digest=digest, files=_add_files((), found)))
    if plan.digest != digest:
        message = (
            "the output belongs to a job with other requests (model, prompt, options, key column); use another folder"
        )
        return Failure(InvalidRequest(message=message))
    by_path = {file.path: file for file in found}
    for kept in plan.files:
        now = by_path.pop(kept.path, None)
        if now is None:
            return Failure(InvalidRequest(message=f"{kept.path} is part of the job and no longer exists"))
        if now.size != kept.size:
            message = (
                f"{kept.path} has changed from {kept.size} to {now.size} bytes since the job began; use another folder"
            )
            return Failure(InvalidRequest(message=message))
        if kept.sample and now.sample != kept.sample:
            message = f"the content of {kept.path} has changed since the job began; use another folder"
            return Failure(InvalidRequest(message=message))
    return Success(replace(plan, files=_add_files(plan.files, by_path.values())))


def _add_files(kept: tuple[InputFile, ...], added: Iterable[InputFile]) -> tuple[InputFile, ...]:
    """Return all files. Keys of rows are made of labels, so that an added file does not get the label of another."""
    taken, files = {file.label for file in kept}, list(kept)
    for file in added:
        files.append(replace(file, label=file.path) if file.label in taken else file)
        taken.add(files[-1].label)
    return tuple(files)


def add_reports(reports: Iterable[Report]) -> Report:
    """Combine the reports of many ledgers. `seconds` is None, because shards overlap in time."""
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
