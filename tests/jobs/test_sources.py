"""Rows from JSONL, CSV and Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from victor_fp.core.jobs.rows import CheckedRow, RejectedRow, RowInput, check_row
from victor_fp.jobs import read_csv, read_jsonl, read_rows
from victor_fp.jobs.sources import count_records


def checked(rows: Any) -> list[CheckedRow | RejectedRow]:
    return [check_row(row, n, provider="p", model="m", options={}) for n, row in enumerate(rows)]


def texts(rows: Any) -> dict[str, str]:
    found = checked(rows)
    return {row.key: row.messages[-1].text if isinstance(row, CheckedRow) else row.fault.message for row in found}


def test_jsonl_with_blank_lines_a_mark_and_a_broken_line(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "a", "prompt": "x"}\n\n  \n[1]\n{"prompt": "z"}')
    rows = checked(read_jsonl(file))
    assert [row.key for row in rows] == ["a", "row-1", "2"]
    assert isinstance(rows[1], RejectedRow)
    assert count_records(file) == 3


def test_csv_with_quotes_long_fields_and_a_record_with_too_many(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    long = "word " * 60_000
    file.write_text(f'\ufeffid,text\na,"two\nlines, ""quoted"""\nb,{long}\nc,d,e\n', encoding="utf-8")
    found = texts(read_csv(file, template="T: {text}"))
    assert found["a"] == 'T: two\nlines, "quoted"'
    assert found["b"] == f"T: {long}"
    assert "more fields" in found["row-2"]
    assert count_records(file) == 3


def test_a_key_column_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"n": 7, "t": "x"}\n{"t": "y"}\n{"n": null, "t": "z"}\n')
    found = texts(read_jsonl(file, template="{t}", key="n"))
    assert found == {"7": "x", "row-1": "row 1 has no column 'n'", "row-2": "row 2 has no value in column 'n'"}


def test_instructions_come_before_prompts_and_not_before_messages(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"prompt": "x"}\n{"messages": [{"role": "user", "content": "y"}]}\n')
    rows: list[RowInput] = list(read_jsonl(file, system="Be brief"))
    roles = [[message.role for message in row.messages] for row in checked(rows) if isinstance(row, CheckedRow)]
    assert roles == [["system", "user"], ["user"]]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "in.parquet"
    table = pyarrow.table({"id": [str(n) for n in range(3000)], "text": [f"t{n}" for n in range(3000)]})
    parquet.write_table(table, file, row_group_size=500)
    found = texts(read_rows(file, template="{text}"))
    assert len(found) == 3000
    assert found["2999"] == "t2999"
    assert count_records(file) == 3000


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.jsonl, \.ndjson, \.csv or \.parquet"):
        read_rows(tmp_path / "in.xlsx")
