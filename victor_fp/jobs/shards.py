"""One shard of a job that runs on many machines: an ordinary job with a separate ledger next to its output.

`run_shard` and `run_partition` do not depend on a scheduler: when they run again after a crash, on the same folder, they
continue from the ledger. The files of a shard are `NAME.ledger`; `NAME.jsonl`, its results in the order of the input; and
`NAME.json`, its report with the size of these results, which is written last.
"""

from __future__ import annotations

import inspect
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest, LedgerFailed
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import RowInput, compute_digest, encode_request
from victor_fp.core.jobs.shards import Shard, ShardPlan, add_reports, extend_plan, list_shards
from victor_fp.core.request_building.inputs import read_tools
from victor_fp.core.result import outcome
from victor_fp.jobs.export import export, export_entry
from victor_fp.jobs.row_reader import iterate_rows
from victor_fp.jobs.runner import run
from victor_fp.jobs.shard_input import find_files, read_shard
from victor_fp.jobs.sources import ColumnRules
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.ledger.connection import LOCKED
from victor_fp.shell.ledger.reading import read_entries, read_report
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore

__all__ = ["ShardEnd", "plan_shards", "read_job_report", "run_partition", "run_shard"]

MakeStore: TypeAlias = Callable[[], Store]
"""Creates the store that all workers share; called in each worker."""
MakeProvider: TypeAlias = Callable[[Store], "BaseProvider | Awaitable[BaseProvider]"]
"""Creates a provider over the shared store; called in each worker, so that keys are read there and not transferred."""

LOCK_PATIENCE = 300.0
"""Seconds for which a shard waits for the lock of its ledger: its previous worker may still be ending, or the network file
system may keep the lock of a lost host for a while."""
_encoder = msgspec.msgpack.Encoder(enc_hook=str)
PLAN = "plan.json"
PLAIN = ColumnRules()
_NOT_ASKED = frozenset({"concurrency", "budget", "price", "max_tries", "retry_failed", "route", "model", "tools"})
"""Options of a job that do not change its requests; model and tools are compared separately."""


class ShardEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a shard on one worker."""

    name: str
    """Empty if the job itself was rejected."""
    report: Report = Report()
    stopped: Fault | None = None
    """Reason why the shard ended before its last row; None if it did not."""
    is_resumed: bool = False
    """Whether the shard was already complete from an earlier run."""
    conflicts: int = 0
    """Rows that this run did not send, and that have no result of their own: their key occurs twice in the shard, or the row has
    changed since an earlier run."""
    conflict: Fault | None = None
    """Fault of the first of them."""


class _ShardReport(Report, frozen=True, kw_only=True):
    """The file NAME.json."""

    output_bytes: int | None = None
    """Size of NAME.jsonl; None in files of earlier versions."""


def plan_shards(
    source: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    rows_per_shard: int = 10_000,
    rules: ColumnRules = PLAIN,
    **options: Any,
) -> Result[tuple[Shard, ...], Fault]:
    """Split the input into shards of about `rows_per_shard` rows, and store the plan in the folder `output`.

    The shards of an existing plan are kept, and new files are added. It fails if the source cannot be read, a file of the
    plan has changed (in its size, or in its first or last 256 KiB), the job has other requests, or `output` is a URL or
    has ledgers without a plan. `options` are those of the job.
    """
    folder = Path(output)
    if (refusal := _refuse_folder(output)) is not None:
        return Failure(refusal)
    if rows_per_shard < 1:
        return Failure(InvalidRequest(message=f"rows_per_shard: expected at least 1, got {rows_per_shard}"))
    try:
        found = find_files(source, rows_per_shard)
        kept = _read_plan(folder / PLAN)
        if kept is None and (lost := next(folder.glob(f"{'[0-9]' * 5}-[0-9]*.*"), None)) is not None:
            # The shards of a new plan would have the same names, and other rows.
            return Failure(
                InvalidRequest(message=f"{lost} belongs to a job whose {PLAN} is missing; use another folder")
            )
        match outcome(extend_plan(kept, _digest_job(rules, options), found)):
            case Failure(fault):
                return Failure(fault)
            case Success(plan):
                pass
        folder.mkdir(parents=True, exist_ok=True)
        if plan != kept:
            _replace_file(folder / PLAN, msgspec.json.format(msgspec.json.encode(plan)))
    except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        return Failure(InvalidRequest(message=f"no plan for {output}: {error}"))
    return Success(tuple(list_shards(plan)))


def read_shard_report(shard: Shard, output: str | Path) -> Report | None:
    """Return the report of a shard that has ended; None if it has not, or if the report or the whole results are missing."""
    try:
        report = msgspec.json.decode((Path(output) / f"{shard.name}.json").read_bytes(), type=_ShardReport)
        size = (Path(output) / f"{shard.name}.jsonl").stat().st_size
    except (OSError, msgspec.MsgspecError):
        return None
    return report if report.output_bytes in (None, size) else None


def is_complete(report: Report | None, *, retry_failed: bool = False) -> bool:
    """Return whether a shard has no rows left to send."""
    return report is not None and not report.left and not (retry_failed and report.failed)


def read_job_report(output: str | Path) -> Result[Report, Fault]:
    """Return the combined report of all shards, from the reports of ended shards and the ledgers of the others."""
    folder = Path(output)
    try:
        plan = _read_plan(folder / PLAN)
    except (OSError, msgspec.MsgspecError) as error:
        return Failure(InvalidRequest(message=f"{folder / PLAN}: {error}"))
    if plan is None:
        return Failure(InvalidRequest(message=f"{folder} has no {PLAN}, so it is not the output of a sharded job"))
    return Success(add_reports(_report_shard(shard, folder) for shard in list_shards(plan)))


async def run_shard(
    shard: Shard,
    output: str | Path,
    make_provider: MakeProvider,
    *,
    make_store: MakeStore = MemoryStore,
    rules: ColumnRules = PLAIN,
    durable: bool = True,
    lock_patience: float = LOCK_PATIENCE,
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> ShardEnd:
    """Run the rows of a shard as a job, and write its results and report. Rows in its ledger are not sent again.

    `options` are those of `victor_fp.jobs.run`. With `durable` each commit also survives a failure of the host. Raises the
    exceptions of reading the file, of `make_provider` and of `make_store`.
    """
    base = Path(output) / shard.name
    rows = read_shard(shard, rules)
    ended = await _run_rows(
        shard.name,
        rows,
        base.with_suffix(".ledger"),
        make_provider,
        make_store,
        runtime=runtime,
        durable=durable,
        lock_patience=lock_patience,
        options=options,
    )
    if isinstance(ended.stopped, LedgerFailed):
        return ended
    match outcome(export(base.with_suffix(".ledger"), base.with_suffix(".jsonl"))):
        case Failure(fault):
            return msgspec.structs.replace(ended, stopped=ended.stopped or fault)
        case Success():
            pass
    if ended.stopped is None:
        try:
            size = base.with_suffix(".jsonl").stat().st_size
            report = _ShardReport(**msgspec.structs.asdict(ended.report), output_bytes=size)
            _replace_file(base.with_suffix(".json"), msgspec.json.encode(report))
        except OSError as error:
            return msgspec.structs.replace(ended, stopped=LedgerFailed(message=f"{base}.json: {error}"))
    return ended


async def run_partition(
    rows: Iterable[RowInput],
    ledgers: str | Path,
    make_provider: MakeProvider,
    *,
    make_store: MakeStore = MemoryStore,
    durable: bool = True,
    lock_patience: float = LOCK_PATIENCE,
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> list[dict[str, Any]]:
    """Send the rows of one partition of another engine (Ray Data, Dask, Spark); return a record for each, in their order.

    A record has `key`, `status`, and `response`, `error` or both, like a line of `export`. The ledger is a file in the folder
    `ledgers`, which all hosts can access; its name is a digest of the rows and `options`, so that a lost partition that is
    computed again is not paid for again. Keys must be unique in a partition. Raises RuntimeError if the job stops before
    its last row, so that the engine retries or fails, or if the key of a row belongs to another row; the responses so far are
    in the ledger.
    """
    given = list(iterate_rows(rows))
    asked = msgspec.msgpack.encode((_digest_job(PLAIN, options), list(map(_encode_given, given))))
    name = blake2b(asked, digest_size=16).hexdigest()
    ledger = Path(ledgers) / f"{name}.ledger"
    ended = await _run_rows(
        name,
        given,
        ledger,
        make_provider,
        make_store,
        runtime=runtime,
        durable=durable,
        lock_patience=lock_patience,
        options=options,
    )
    if ended.stopped is not None:
        raise RuntimeError(f"the job of a partition stopped: {type(ended.stopped).__name__}: {ended.stopped.message}")
    if ended.conflict is not None:
        raise RuntimeError(f"rows of a partition without a result: {ended.conflicts}; {ended.conflict.message}")
    # Converted through JSON, so that Arrow supports every value.
    return [
        msgspec.json.decode(msgspec.json.encode(export_entry(entry), enc_hook=str)) for entry in read_entries(ledger)
    ]


def _encode_given(row: RowInput) -> bytes:
    """Encode a row for the name of the ledger, also one that msgpack cannot represent."""
    encoders: tuple[Callable[[RowInput], bytes], ...] = (_encoder.encode, lambda given: ascii(given).encode())
    for encode in encoders:
        with suppress(Exception):
            return encode(row)
    return b""


async def _run_rows(
    name: str,
    rows: Iterable[RowInput],
    path: Path,
    make_provider: MakeProvider,
    make_store: MakeStore,
    *,
    runtime: Runtime,
    durable: bool,
    lock_patience: float,
    options: Mapping[str, Any],
) -> ShardEnd:
    if (refusal := _refuse_folder(path)) is not None:
        return ShardEnd(name=name, stopped=refusal)
    match outcome(await _open_ledger(path, durable=durable, patience=lock_patience, runtime=runtime)):
        case Failure(fault):
            return ShardEnd(name=name, stopped=fault)
        case Success(ledger):
            pass
    try:
        async with _open_provider(make_provider, make_store) as (provider, store):
            async with run(
                rows, provider, ledger=ledger, store=store, skip_finished=True, runtime=runtime, **options
            ) as job:
                async for _ in job:
                    pass
        match outcome(await ledger.report()):
            case Failure(fault):
                return ShardEnd(name=name, stopped=job.stopped or fault)
            case Success(report):
                return ShardEnd(
                    name=name, report=report, stopped=job.stopped, conflicts=job.conflicts, conflict=job.conflict
                )
    finally:
        await ledger.aclose()


def _refuse_folder(folder: str | Path) -> Fault | None:
    """Return the fault for the URL of an object store, which as a path would be a local folder of each host."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(folder)) is None:
        return None
    return InvalidRequest(message=f"{folder} is a URL; ledgers require a folder that all hosts can access")


async def _open_ledger(path: Path, *, durable: bool, patience: float, runtime: Runtime) -> Result[Ledger, Fault]:
    """Open the ledger when its previous worker has ended. A lock that remains is a fault."""
    ends = runtime.now() + patience
    while True:
        opened = Ledger.open(path, durable=durable)
        match outcome(opened):
            case Failure(fault) if fault.code == LOCKED and runtime.now() < ends:
                await runtime.sleep(1.0)
            case _:
                return opened


@asynccontextmanager
async def _open_provider(
    make_provider: MakeProvider, make_store: MakeStore
) -> AsyncIterator[tuple[BaseProvider, Store]]:
    store = make_store()
    try:
        await store.open()
        made = make_provider(store)
        provider = await made if inspect.isawaitable(made) else made
        async with provider:
            yield provider, store
    finally:
        await store.aclose()


def _report_shard(shard: Shard, folder: Path) -> Report:
    report = read_shard_report(shard, folder)
    ledger = folder / f"{shard.name}.ledger"
    if report is None and ledger.exists():
        report = read_report(ledger).value_or(None)
    return report or Report()


def _digest_job(rules: ColumnRules, options: Mapping[str, Any]) -> str:
    """Return a digest of everything that affects the requests of all rows."""
    match outcome(read_tools(options.get("tools") or ())):
        case Success(tools):
            pass
        case Failure(fault):
            raise TypeError(fault.message)
    asked = {name: value for name, value in options.items() if name not in _NOT_ASKED}
    named = {**asked, **{f"rules.{name}": value for name, value in msgspec.structs.asdict(rules).items()}}
    return compute_digest(encode_request("", options.get("model") or "", (), tools, named)).hex()


def _read_plan(path: Path) -> ShardPlan | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ShardPlan)
    except FileNotFoundError:
        return None


def _replace_file(path: Path, content: bytes) -> None:
    """Replace a file atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
