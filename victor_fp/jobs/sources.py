"""Rows from files: JSONL, CSV and Parquet, read lazily; a template turns columns into a prompt."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import RejectedRow, Row, RowInput, fill_template, parse_row
from victor_fp.core.result import outcome


def read_rows(path: str | Path, *, template: str | None = None, key: str | None = None) -> Iterator[RowInput]:
    """Rows of a file by its suffix: `.jsonl` or `.ndjson`, `.csv`, `.parquet`. Raises ValueError for another one.

    With a `template` such as `"Summarise: {text}"` each line's columns become one prompt; `key` names the column that
    holds the row's key, and without one the row's number is its key.
    """
    suffix = Path(path).suffix.lower()
    match suffix:
        case ".jsonl" | ".ndjson":
            return read_jsonl(path, template=template, key=key)
        case ".csv":
            return read_csv(path, template=template, key=key)
        case ".parquet":
            return read_parquet(path, template=template, key=key)
        case _:
            raise ValueError(f"{path}: rows are read from .jsonl, .ndjson, .csv or .parquet files, not {suffix!r}")


def read_jsonl(path: str | Path, *, template: str | None = None, key: str | None = None) -> Iterator[RowInput]:
    """One row a line; blank lines are skipped. A line that is not a JSON object becomes a rejected row."""
    with Path(path).open("rb") as file:
        position = 0
        for line in file:
            if not line.strip():
                continue
            parsed = parse_row(line, position)
            yield parsed if isinstance(parsed, RejectedRow) else _row(dict(_mapping(parsed)), position, template, key)
            position += 1


def read_csv(path: str | Path, *, template: str | None = None, key: str | None = None) -> Iterator[RowInput]:
    """One row a record; the first record names the columns."""
    with Path(path).open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for position, columns in enumerate(csv.DictReader(file)):
            yield _row({str(name): value for name, value in columns.items()}, position, template, key)


def read_parquet(path: str | Path, *, template: str | None = None, key: str | None = None) -> Iterator[RowInput]:
    """One row a record, read a batch at a time. Raises ImportError without the extra `parquet`."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError("Parquet needs the extra: pip install 'victor-fp[parquet]'") from error
    position = 0
    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            for columns in batch.to_pylist():
                yield _row(columns, position, template, key)
                position += 1


def _row(columns: dict[str, Any], position: int, template: str | None, key: str | None) -> RowInput:
    name = columns.get(key) if key is not None else columns.get("key", columns.get("custom_id", columns.get("id")))
    row_key = str(position) if name is None else str(name)
    if key is not None and key not in columns:
        return RejectedRow(row_key, InvalidRequest(message=f"row {position} has no column {key!r}"))
    if template is None:
        return {**columns, "key": row_key}
    match outcome(fill_template(template, columns)):
        case Success(prompt):
            return Row(row_key, prompt)
        case Failure(fault):
            return RejectedRow(row_key, fault)


def _mapping(value: RowInput) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
