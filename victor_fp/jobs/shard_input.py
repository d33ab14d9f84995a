"""Files of a sharded job: finds the files of a source, splits them, and reads the rows of a shard.

JSONL is split by bytes, so that only the beginning and the end of a file are read for it; Parquet is split by the rows that
its footer counts. Paths are local, or URLs of object stores that pyarrow supports (`s3://`, `gs://`, `hdfs://`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import IO, Any

from msgspec.structs import replace

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import RejectedRow, RowInput, decode_record, name_row
from victor_fp.core.jobs.shards import FileFormat, InputFile, Shard
from victor_fp.core.json import NotJson
from victor_fp.jobs.sources import ColumnRules, build_row, check_columns, list_records

_FORMATS: Mapping[str, FileFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_SAMPLE = 256 * 1024
"""Bytes at the beginning, from which the mean length of a line is estimated, and which show with those at the end whether a
file has changed."""
_BUFFER = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


def find_files(source: str | Path | Iterable[str | Path], rows_per_shard: int) -> list[InputFile]:
    """Return the files of a source: a file, a folder (recursively), or several of both; sorted by path within a folder.

    Names that begin with a dot or an underscore are ignored, because other tools use them as markers. Raises OSError if the
    source cannot be read, ValueError if it has no file or a file of another format.
    """
    given = [source] if isinstance(source, str | Path) else list(source)
    found = [split_file(path, label, rows_per_shard) for each in given for path, label in _list_files(str(each))]
    if not found:
        raise ValueError(f"no .jsonl, .ndjson or .parquet file in {', '.join(map(str, given)) or 'an empty list'}")
    paths = [file.path for file in found]
    if len(set(paths)) < len(paths):
        repeated = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"{repeated} is given twice")
    return found


def split_file(path: str, label: str, rows_per_shard: int) -> InputFile:
    """Compute how a file is split into shards of about `rows_per_shard` rows. Raises OSError and ValueError."""
    form = _FORMATS.get(PurePosixPath(path).suffix.lower())
    if form is None:
        raise ValueError(f"{path}: shards are read from .jsonl, .ndjson or .parquet files")
    with _open_file(path) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _SAMPLE))
        digest = blake2b(file.read(), digest_size=16)
        file.seek(0)
        sample = file.read(_SAMPLE)
        digest.update(sample)
        file.seek(0)
        if form == "parquet":
            with _open_parquet(file) as parquet:
                check_columns(path, parquet.schema_arrow.names)
                length, step = int(parquet.metadata.num_rows), rows_per_shard
        else:
            lines = sample.count(b"\n")
            length, step = size, rows_per_shard * (len(sample) // lines if lines else max(1, size))
    return InputFile(
        path=path,
        label=label,
        format=form,
        size=size,
        length=length,
        step=max(1, step),
        sample=digest.hexdigest(),
    )


def read_shard(shard: Shard, rules: ColumnRules) -> Iterator[RowInput]:
    """Yield the rows of a shard, read lazily. Raises ValueError at the end of a file that has become shorter than the shard.

    The key of a row without one is its file and its position there: the byte, or the row of Parquet.
    """
    records = _read_lines(shard) if shard.format == "jsonl" else _read_records(shard)
    for position, record in records:
        name = f"{shard.label}:{position}"
        if isinstance(record, str):
            yield RejectedRow(name, InvalidRequest(message=f"{shard.label}: {record}"))
            continue
        has_key = any(record.get(column) is not None for column in ("key", "custom_id", "id"))
        row = build_row(record if has_key or rules.key is not None else {**record, "key": name}, position, rules)
        if isinstance(row, RejectedRow) and row.key == name_row(position):
            row = replace(row, key=name)
        yield row


def _read_lines(shard: Shard) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Yield the lines whose first byte is in the shard, with its offset, and for an invalid line the reason."""
    with _open_file(shard.path) as file:
        position = _find_line(file, shard)
        while position < shard.end and (line := file.readline()):
            start, position = position, position + len(line)
            if start == 0:
                line = line.removeprefix(_BOM)
            if line.strip():
                record = decode_record(line)
                if isinstance(record, NotJson):
                    yield start, f"the line at byte {start} is not a JSON object: {record.reason}"
                else:
                    yield start, record
        if position < shard.end:
            raise _build_shortage(shard)


def _find_line(file: IO[bytes], shard: Shard) -> int:
    """Seek to the first line that begins in the shard; return its offset, or one after the shard if there is none."""
    if shard.start == 0:
        return 0
    # The byte before the shard shows whether a line begins at its start.
    position = file.seek(shard.start - 1)
    while position < shard.end and (piece := file.readline(_BUFFER)):
        position += len(piece)
        if piece.endswith(b"\n"):
            return position
    if position < shard.end:
        raise _build_shortage(shard)
    return shard.end


def _read_records(shard: Shard) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Yield the records of the shard, with their positions in the file, and for an invalid record the reason."""
    with _open_file(shard.path) as file, _open_parquet(file) as parquet:
        first = 0
        for group in range(parquet.metadata.num_row_groups):
            count = int(parquet.metadata.row_group(group).num_rows)
            if first < shard.end and first + count > shard.start:
                position = first
                for batch in parquet.iter_batches(batch_size=1024, row_groups=[group]):
                    begin, end = max(0, shard.start - position), min(batch.num_rows, shard.end - position)
                    if begin < end:
                        records = list_records(batch.slice(begin, end - begin))
                        for number, record in enumerate(records, position + begin):
                            yield number, f"row {number} {record}" if isinstance(record, str) else record
                    position += batch.num_rows
            first += count
        if first < shard.end:
            raise _build_shortage(shard)


def _build_shortage(shard: Shard) -> ValueError:
    return ValueError(f"{shard.path} has become shorter since the job was planned")


def _list_files(source: str) -> Iterator[tuple[str, str]]:
    """Yield paths and labels of a file, or of the files in a folder."""
    if "://" in source:
        yield from _list_remote(source)
        return
    path = Path(source).absolute()
    if not path.is_dir():
        yield str(path), path.name
        return
    for file in sorted(path.rglob("*")):
        label = file.relative_to(path).as_posix()
        if file.is_file() and _is_input(label):
            yield str(file), label


def _list_remote(source: str) -> Iterator[tuple[str, str]]:
    fs, root = _find_file_system(source)
    arrow = _import_arrow("pyarrow.fs")
    if fs.get_file_info(root).type != arrow.FileType.Directory:
        yield source, PurePosixPath(root).name
        return
    for info in sorted(fs.get_file_info(arrow.FileSelector(root, recursive=True)), key=lambda info: info.path):
        label = PurePosixPath(info.path).relative_to(root).as_posix()
        if info.is_file and _is_input(label):
            yield f"{source.rstrip('/')}/{label}", label


def _is_input(label: str) -> bool:
    path = PurePosixPath(label)
    return path.suffix.lower() in _FORMATS and not any(part.startswith((".", "_")) for part in path.parts)


def _open_file(path: str) -> IO[bytes]:
    if "://" not in path:
        return Path(path).open("rb", buffering=_BUFFER)
    fs, inner = _find_file_system(path)
    return io.BufferedReader(fs.open_input_file(inner), _BUFFER)


def _find_file_system(url: str) -> Any:
    return _import_arrow("pyarrow.fs").FileSystem.from_uri(url)


def _open_parquet(file: IO[bytes]) -> Any:
    return _import_arrow("pyarrow.parquet").ParquetFile(file)


def _import_arrow(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        needed = "Parquet and object stores require the extra: pip install 'victor-fp[parquet]'"
        raise ImportError(needed, name="pyarrow") from error
