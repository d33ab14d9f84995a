"""Rows from files: JSONL, CSV and Parquet, read lazily; a template turns columns into a prompt."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import RejectedRow, Row, RowInput, fill_template, parse_row
from victor_fp.core.result import outcome

_LONGEST_FIELD = 2**31 - 1
"""Maximum characters of a CSV field. The csv module's default of 128 Ki characters is too small for documents."""
_BOM = b"\xef\xbb\xbf"


class ColumnRules(msgspec.Struct, frozen=True, kw_only=True):
    """The conversion of a record's columns to a row."""

    template: str | None = None
    """Template of the prompt, such as `"Summarise: {text}"`; None if the columns are the fields of the row."""
    key: str | None = None
    """The column with the row's key; None: `key`, `custom_id` or `id`, else the row's number."""
    system: str | None = None
    """System message before each prompt. Rows with `messages` are not changed."""


def read_rows(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read the rows of a `.jsonl`, `.ndjson`, `.csv` or `.parquet` file. Raises ValueError for other suffixes.

    With a `template` such as `"Summarise: {text}"` each record's columns become one prompt; `key` is the column with
    the row's key, by default the row's number. `system` is a system message before each prompt.
    """
    rules = ColumnRules(template=template, key=key, system=system)
    suffix = Path(path).suffix.lower()
    match suffix:
        case ".jsonl" | ".ndjson":
            return _read_jsonl(Path(path), rules)
        case ".csv":
            return _read_csv(Path(path), rules)
        case ".parquet":
            return _read_parquet(Path(path), rules)
        case _:
            raise ValueError(f"{path}: rows are read from .jsonl, .ndjson, .csv or .parquet files, not {suffix!r}")


def count_records(path: str | Path) -> int:
    """Return the number of records that `read_rows` will read, for a progress bar. Raises OSError and ValueError."""
    file = Path(path)
    match file.suffix.lower():
        case ".csv":
            return sum(1 for _ in _read_csv_records(file))
        case ".parquet":
            with _open_parquet(file) as parquet:
                return int(parquet.metadata.num_rows)
        case _:
            with file.open("rb") as lines:
                return sum(1 for line in lines if line.strip())


def read_jsonl(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read one row per line; blank lines are skipped. A line that is not a JSON object becomes a rejected row."""
    return _read_jsonl(Path(path), ColumnRules(template=template, key=key, system=system))


def read_csv(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read one row per record; the first record has the column names. A record with more fields is a rejected row."""
    return _read_csv(Path(path), ColumnRules(template=template, key=key, system=system))


def read_parquet(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read one row per record, in batches. Raises ImportError without the extra `parquet`."""
    return _read_parquet(Path(path), ColumnRules(template=template, key=key, system=system))


def _read_jsonl(path: Path, rules: ColumnRules) -> Iterator[RowInput]:
    with path.open("rb") as file:
        position = 0
        for line in file:
            if not line.strip():
                continue
            parsed = parse_row(line.removeprefix(_BOM) if position == 0 else line, position)
            yield build_row(parsed, position, rules) if isinstance(parsed, Mapping) else parsed
            position += 1


def _read_csv(path: Path, rules: ColumnRules) -> Iterator[RowInput]:
    for position, columns in enumerate(_read_csv_records(path)):
        if None in columns:
            message = f"record {position + 1} has more fields than the header"
            yield RejectedRow(f"row-{position}", InvalidRequest(message=message))
        else:
            yield build_row(columns, position, rules)


def _read_csv_records(path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        yield from csv.DictReader(file)


def _read_parquet(path: Path, rules: ColumnRules) -> Iterator[RowInput]:
    position = 0
    with _open_parquet(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            for columns in batch.to_pylist():
                yield build_row(columns, position, rules)
                position += 1


def _open_parquet(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError("Parquet requires the extra: pip install 'victor-fp[parquet]'", name="pyarrow") from error
    return ParquetFile(path)


def build_row(columns: Mapping[str, Any], position: int, rules: ColumnRules) -> RowInput:
    """A record as a row; one that has no key is named by its `position`."""
    if rules.key is not None and columns.get(rules.key) is None:
        reason = "has no value in" if rules.key in columns else "has no"
        return RejectedRow(f"row-{position}", InvalidRequest(message=f"row {position} {reason} column {rules.key!r}"))
    names = ("key", "custom_id", "id") if rules.key is None else (rules.key,)
    key = next((str(columns[name]) for name in names if columns.get(name) is not None), str(position))
    if rules.template is not None:
        match outcome(fill_template(rules.template, columns)):
            case Success(prompt):
                return Row(key, prompt if rules.system is None else _with_system(rules.system, prompt))
            case Failure(fault):
                return RejectedRow(key, fault)
    text = columns.get("prompt")
    if rules.system is not None and isinstance(text, str) and "messages" not in columns:
        return {**columns, "key": key, "messages": _with_system(rules.system, text)}
    return {**columns, "key": key}


def _with_system(system: str, prompt: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
