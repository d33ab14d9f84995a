"""Rows from files: JSONL, CSV and Parquet, read lazily; a template turns columns into a prompt."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import (
    RejectedRow,
    Row,
    RowInput,
    fill_template,
    is_missing,
    is_unicode,
    name_row,
    parse_row,
)
from victor_fp.core.result import outcome

_LONGEST_FIELD = 16 * 1024 * 1024
"""Maximum characters of a CSV field, more than a model reads. The csv module's default of 128 Ki characters is too small for
documents; without a limit, a quote that is not closed would read the rest of the file into memory."""
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

    The file is opened at the first row: OSError, and ValueError for a header with a repeated column, are raised there.
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
    """Read one row per line; blank lines are skipped.

    A line that is not a JSON object, or not valid Unicode, becomes a rejected row.
    """
    return _read_jsonl(Path(path), ColumnRules(template=template, key=key, system=system))


def read_csv(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read one row per record; the first record has the column names.

    A record with more or fewer fields, with invalid UTF-8 or with invalid quotes becomes a rejected row. After a quote that is
    not closed the rest of the file is not read. Raises ValueError, before the first row, if the header is invalid or has a
    column twice.
    """
    return _read_csv(Path(path), ColumnRules(template=template, key=key, system=system))


def read_parquet(
    path: str | Path, *, template: str | None = None, key: str | None = None, system: str | None = None
) -> Iterator[RowInput]:
    """Read one row per record, in batches. A record with invalid UTF-8 becomes a rejected row.

    Raises ImportError without the extra `parquet`, ValueError for a file that has a column twice.
    """
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
    return _build_rows(_read_csv_records(path), rules)


def _read_csv_records(path: Path) -> Iterator[Mapping[str, Any] | str]:
    """Yield the records by column, and for an invalid one the reason."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    quotes = 0

    def count_quotes(lines: Iterable[str]) -> Iterator[str]:
        nonlocal quotes
        for line in lines:
            quotes += line.count('"')
            yield line

    # Bytes that are not UTF-8 become surrogates, so that the records around them are read.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(count_quotes(file), strict=True)
        try:
            header = next(filter(None, reader), [])
        except csv.Error as error:
            raise ValueError(f"{path}: the header is not valid CSV: {error}") from error
        if not all(map(is_unicode, header)):
            raise ValueError(f"{path}: the header is not valid UTF-8")
        check_columns(str(path), header)
        while True:
            quotes = 0
            try:
                fields = next(reader, None)
            except csv.Error as error:
                reason = f"is not valid CSV, up to line {reader.line_num}: {error}"
                if quotes % 2 == 0:
                    yield reason
                    continue
                # The next line may be inside a quoted field, so it is unknown where the next record begins.
                yield f"{reason}; a quote is not closed, so the rest of the file is not read"
                return
            if fields is None:
                return
            if fields:
                yield _name_fields(header, fields)


def _name_fields(header: Sequence[str], fields: Sequence[str]) -> Mapping[str, Any] | str:
    if len(fields) > len(header):
        return "has more fields than the header"
    if len(fields) < len(header):
        return f"has fewer fields than the header: there is no column {header[len(fields)]!r}"
    columns = dict(zip(header, fields, strict=True))
    invalid = next((name for name, text in columns.items() if not is_unicode(text)), None)
    return columns if invalid is None else f"is not valid UTF-8 in column {invalid!r}"


def _read_parquet(path: Path, rules: ColumnRules) -> Iterator[RowInput]:
    with _open_parquet(path) as file:
        batches = file.iter_batches(batch_size=1024)
        yield from _build_rows((record for batch in batches for record in list_records(batch)), rules)


def _open_parquet(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError("Parquet requires the extra: pip install 'victor-fp[parquet]'", name="pyarrow") from error
    file = ParquetFile(path)
    try:
        check_columns(str(path), file.schema_arrow.names)
    except ValueError:
        file.close()
        raise
    return file


def list_records(batch: Any) -> Iterator[Mapping[str, Any] | str]:
    """Yield the records of an Arrow batch, and for one that Python cannot represent the reason."""
    try:
        records: list[Mapping[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError) as error:  # invalid UTF-8, a year after 9999, nanoseconds without pandas
        if batch.num_rows > 1:
            middle = batch.num_rows // 2
            yield from list_records(batch.slice(0, middle))
            yield from list_records(batch.slice(middle))
        else:
            yield "is not valid UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error!s:.200}"
    else:
        yield from records


def check_columns(path: str, names: Sequence[str]) -> None:
    """Raise ValueError for a name that occurs twice: a record would have the value of only one of the columns."""
    counts = Counter(filter(None, names))  # spreadsheets write empty names for empty columns
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise ValueError(f"{path}: there are several columns {repeated!r}")


def _build_rows(records: Iterable[Mapping[str, Any] | str], rules: ColumnRules) -> Iterator[RowInput]:
    for position, record in enumerate(records):
        if isinstance(record, str):
            yield RejectedRow(name_row(position), InvalidRequest(message=f"record {position + 1} {record}"))
        else:
            yield build_row(record, position, rules)


def build_row(columns: Mapping[str, Any], position: int, rules: ColumnRules) -> RowInput:
    """Convert a record to a row; the key of a record without one is its `position`."""
    if rules.key is not None and is_missing(columns.get(rules.key)):
        reason = "has no value in" if rules.key in columns else "has no"
        return RejectedRow(name_row(position), InvalidRequest(message=f"row {position} {reason} column {rules.key!r}"))
    names = ("key", "custom_id", "id") if rules.key is None else (rules.key,)
    key = next((str(columns[name]) for name in names if not is_missing(columns.get(name))), str(position))
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
