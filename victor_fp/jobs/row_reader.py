"""Reading of rows in chunks: each row is validated, looked up in the ledger, and decided on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from os import PathLike
from time import monotonic
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec
from returns.result import Failure, Success

from victor_fp.core.faults import Fault
from victor_fp.core.jobs.decisions import Decision, RefuseRow, Replay, RunRow, decide_row
from victor_fp.core.jobs.rows import (
    CheckedRow,
    RejectedRow,
    RowOperation,
    TextRowInput,
    check_row,
    check_text_row,
    decode_row,
    encode_keywords,
    is_same_request,
    reject_unreadable,
)
from victor_fp.core.request_building.inputs import read_tools
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition
from victor_fp.shell.ledger.batches import list_queued_rows
from victor_fp.shell.ledger.sqlite import Ledger, move_rows

R = TypeVar("R")

SourceError: TypeAlias = Exception | SystemExit
"""Exceptions of the caller's source, which are raised in the caller after the rows before them. A SystemExit that left a task would
end the loop there."""

CHUNK = 128
"""Number of rows that are read and looked up together at first."""
MAX_CHUNK = 512
"""Number of these rows with many in flight: a chunk then has up to four for each."""
MAX_READING = 0.1
"""Maximum seconds for which a chunk is read from a source that is slow: calls in flight wait meanwhile."""
MAX_CHUNK_BYTES = 8 * 1024 * 1024
"""Maximum size of a chunk, by the size of the rows before it; two chunks can be in memory."""
CANCELLED_SOURCE = "the source of rows was cancelled"
"""Message of the error for a source that was cancelled, which is not a cancellation of the job."""


class RowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The job's settings for rows."""

    provider: str
    model: str | None
    options: Mapping[str, Any]
    tools: Sequence[ToolDefinition | Mapping[str, Any]]
    retry_failed: bool
    concurrency: int = 32
    operation: RowOperation = "chat"


class Reader(Protocol):
    """The source of rows of a route."""

    is_exhausted: bool
    """Whether all rows have been read."""

    @property
    def is_empty(self) -> bool:
        """Whether a chunk must be read before the next decision."""
        ...

    @property
    def is_low(self) -> bool:
        """Whether the next chunk should be read ahead."""
        ...

    def take(self) -> Decision | None:
        """Return the next pending decision, if any."""
        ...

    def clear(self) -> None:
        """Discard rows that were read ahead, and stop reading."""
        ...

    def close_row(self, key: str) -> bool:
        """Handle that the row is in the ledger. Return whether its result is that of the row of this run."""
        ...

    async def fill(self, ledger: Ledger) -> tuple[str, Fault] | None:
        """Read a chunk; return a key and a fault if the ledger cannot be read."""
        ...


class RowReader:
    """The rows of a job with a decision for each. Duplicate keys are detected.

    Duplicates are found among the rows in flight, in the ledger for finished rows and, for rows finished by an earlier
    run, with one bit per row of the ledger: memory does not grow with the keys of the input.
    """

    def __init__(self, rows: Iterable[TextRowInput] | AsyncIterable[TextRowInput], settings: RowSettings) -> None:
        self.is_exhausted = False
        """Whether the input has ended."""
        self._source = _AsyncSource(rows) if isinstance(rows, AsyncIterable) else _SyncSource(rows)
        self._settings = settings
        self._check = _build_check(settings)
        self._most = max(CHUNK, min(4 * settings.concurrency, MAX_CHUNK))
        self._chunk = CHUNK
        self._position = 0
        self._decisions: deque[Decision] = deque()
        self._open: set[str] = set()
        """Keys of this run whose rows are not yet in the ledger."""
        self._changed: set[str] = set()
        """Keys of batches whose rows have changed: the results are those of other requests."""
        self._resumed = bytearray()
        """One bit for each row of the ledger: whether this run has read a row that an earlier run finished."""

    @property
    def is_empty(self) -> bool:
        """Whether a chunk must be read before the next decision."""
        return not self._decisions

    @property
    def is_low(self) -> bool:
        """Whether the next chunk should be read ahead."""
        return len(self._decisions) < self._chunk // 2 and not self.is_exhausted

    def take(self) -> Decision | None:
        """Return the next pending decision, if any."""
        return self._decisions.popleft() if self._decisions else None

    def clear(self) -> None:
        """Discard rows that were read ahead, and stop reading."""
        self._decisions.clear()
        self.is_exhausted = True
        self._source.stop()

    def close_row(self, key: str) -> bool:
        """Handle that the row is in the ledger. Return whether its result is that of the row of this run."""
        self._open.discard(key)
        return key not in self._changed

    async def fill(self, ledger: Ledger) -> tuple[str, Fault] | None:
        """Read and look up a chunk; return a key and a fault if the ledger cannot be read."""
        given = await self._source.read(self._chunk)
        if not given:
            self.is_exhausted = True
            return None
        settings, start = self._settings, self._position
        rows = [self._check(row, position) for position, row in enumerate(given, start)]
        self._position += len(rows)
        size = sum(row.size for row in rows if type(row) is CheckedRow)
        self._chunk = max(1, min(self._most, MAX_CHUNK_BYTES * len(rows) // max(1, size)))
        keys = [row.key for row in rows]
        repeated = []
        for key in keys:
            repeated.append(key in self._open)
            self._open.add(key)
        match outcome(await ledger.look_up(keys)):
            case Failure(fault):
                return rows[0].key, fault
            case Success(entries):
                pass
        if self.is_exhausted:  # the job has been stopped meanwhile
            return None
        finished = 0
        moved: list[tuple[int, int]] = []
        for row, is_open in zip(rows, repeated, strict=True):
            entry = entries.get(row.key)
            is_repeated = is_open or (
                entry is not None
                and not entry.is_submitted
                and (entry.run == ledger.run or not self._mark_resumed(entry.number))
            )
            decision = decide_row(row, entry, is_repeated=is_repeated, retry_failed=settings.retry_failed)
            if type(decision) is Replay:
                finished += 1
                if entry is not None and entry.position != row.position:
                    moved.append((row.position, entry.number))
                self._open.discard(row.key)
            elif type(decision) is RefuseRow and not decision.is_recorded:
                finished += 1
                if not is_open:
                    self._open.discard(row.key)
                    if entry is not None and entry.is_submitted:
                        self._changed.add(row.key)
            self._decisions.append(decision)
        ledger.read += len(rows)
        ledger.finished += finished
        if moved:
            match outcome(await ledger.call(move_rows, moved)):
                case Failure(fault):
                    return rows[0].key, fault
                case Success():
                    pass
        return None

    async def aclose(self) -> None:
        """Close the caller's generator, so that its files are closed."""
        await self._source.aclose()

    def _mark_resumed(self, number: int) -> bool:
        """Mark a row as read in this run; return whether it was not marked before."""
        index, bit = number >> 3, 1 << (number & 7)
        if index >= len(self._resumed):
            self._resumed.extend(bytes(index + 1 - len(self._resumed)))
        if self._resumed[index] & bit:
            return False
        self._resumed[index] |= bit
        return True


def _build_check(settings: RowSettings) -> Callable[[TextRowInput, int], CheckedRow | RejectedRow]:
    """Return the function that validates the row at a position. It does not raise."""
    provider, model, options = settings.provider, settings.model, settings.options
    check: Callable[[TextRowInput, int], CheckedRow | RejectedRow]
    if settings.operation == "embeddings":
        check = partial(check_text_row, provider=provider, model=model, options=options)
    else:
        match outcome(read_tools(settings.tools)):
            case Success(tools):  # one object, by which calls with the same keywords are recognised
                encoded = encode_keywords(tools, options)
                check = partial(
                    check_row, provider=provider, model=model, options=options, tools=tools, encoded=encoded
                )
            case Failure():  # a fault of each row
                check = partial(check_row, provider=provider, model=model, options=options, tools=settings.tools)

    def check_safely(given: TextRowInput, position: int) -> CheckedRow | RejectedRow:
        try:
            return check(given, position)
        except Exception as error:  # raised by methods of the row
            return reject_unreadable(position, error)

    return check_safely


class QueueReader:
    """Queued rows of the ledger to retry, in the order of the input. Those of a run with other options are left to such a run."""

    def __init__(self, rows: RowReader, options: Mapping[str, Any], provider: str) -> None:
        self.is_exhausted = False
        self._rows = rows
        self._options = options
        self._provider = provider
        self._decisions: deque[Decision] = deque()
        self._after = (-1, "")
        """Position and key of the last row that was read."""

    @property
    def is_empty(self) -> bool:
        """Whether a chunk must be read before the next decision."""
        return not self._decisions

    @property
    def is_low(self) -> bool:
        """Whether the next chunk should be read ahead."""
        return len(self._decisions) < CHUNK // 2 and not self.is_exhausted

    def take(self) -> Decision | None:
        """Return the next pending decision, if any."""
        return self._decisions.popleft() if self._decisions else None

    def clear(self) -> None:
        """Discard rows that were read ahead, and stop reading."""
        self._decisions.clear()
        self.is_exhausted = True

    def close_row(self, key: str) -> bool:
        """Handle that the row is in the ledger. Return whether its result is that of the row of this run."""
        return self._rows.close_row(key)

    async def fill(self, ledger: Ledger) -> tuple[str, Fault] | None:
        """Read a chunk; return a key and a fault if the ledger cannot be read."""
        match outcome(await ledger.call(list_queued_rows, self._after, CHUNK)):
            case Failure(fault):
                return "", fault
            case Success(found):
                pass
        if not found or self.is_exhausted:
            self.is_exhausted = True
            return None
        for row in found:
            self._after = (row.position, row.key)
            match outcome(decode_row(row.row, row.key, row.position, row.digest, self._options)):
                case Success(checked):
                    if is_same_request(checked, self._provider):
                        self._decisions.append(RunRow(checked))
                case Failure(fault):
                    self._decisions.append(RefuseRow(row.key, fault, row.position))
        return None


def iterate_rows(rows: Iterable[R]) -> Iterator[R]:
    """Return the iterator of a source. Raises TypeError for a path or one row, whose items are not rows."""
    if isinstance(rows, str | bytes | PathLike | Mapping):
        raise TypeError(f"rows must be an iterable of rows, not {type(rows).__name__}; read_rows(path) reads a file")
    return iter(rows)


def take_rows(rows: Iterator[TextRowInput], limit: int) -> tuple[list[TextRowInput], SourceError | None]:
    """Take the next rows, fewer of a slow source, and the exception that it raised after them, if any."""
    taken: list[TextRowInput] = []
    ends = monotonic() + MAX_READING
    try:
        for row in islice(rows, limit):
            taken.append(row)
            if monotonic() > ends:
                break
    except (Exception, SystemExit) as error:  # raised by the caller's source; the rows before it are processed
        return taken, error
    except asyncio.CancelledError:  # of the source: nothing is awaited here
        return taken, RuntimeError(CANCELLED_SOURCE)
    return taken, None


class _SyncSource:
    """Rows from an iterable, in chunks."""

    def __init__(self, rows: Iterable[TextRowInput]) -> None:
        self._rows = iterate_rows(rows)
        self._error: SourceError | None = None

    async def read(self, limit: int) -> list[TextRowInput]:
        """Return the next rows; empty at the end. An exception of the iterable is raised after the rows before it."""
        if self._error is not None:
            raise self._error
        rows, self._error = take_rows(self._rows, limit)
        if self._error is not None and not rows:
            raise self._error
        return rows

    def stop(self) -> None:
        """Do nothing: nothing waits for rows."""

    async def aclose(self) -> None:
        """Close the caller's generator."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()


class _AsyncSource:
    """Rows from an async iterable: all available rows, without waiting for a full chunk."""

    def __init__(self, rows: AsyncIterable[TextRowInput]) -> None:
        self._rows = aiter(rows)
        self._buffer: list[TextRowInput] = []
        self._limit = 1
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._exit: SystemExit | None = None
        self._is_stopped = False

    async def read(self, limit: int) -> list[TextRowInput]:
        """Return the next rows; empty at the end. An exception of the iterable is raised after the rows before it."""
        self._limit = limit
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._fill())
        while not self._buffer and not self._pump.done() and not self._is_stopped:
            self._arrived.clear()
            await self._arrived.wait()
        rows, self._buffer = self._buffer, []
        self._room.set()
        if not rows and self._pump.done():
            self._pump.result()
            if self._exit is not None:
                raise self._exit
        return rows

    def stop(self) -> None:
        """End the wait for rows: the job needs no more."""
        self._is_stopped = True
        self._arrived.set()

    async def aclose(self) -> None:
        """Stop reading, and close the caller's generator."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
            if not self._pump.cancelled():
                self._pump.exception()  # it has been raised in the caller, or the job has ended
        close = getattr(self._rows, "aclose", None)
        if close is not None:
            await close()

    async def _fill(self) -> None:
        try:
            async for row in self._rows:
                self._buffer.append(row)
                self._arrived.set()
                while len(self._buffer) >= self._limit:
                    self._room.clear()
                    await self._room.wait()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise RuntimeError(CANCELLED_SOURCE) from error
        except SystemExit as error:
            self._exit = error
        finally:
            self._arrived.set()
