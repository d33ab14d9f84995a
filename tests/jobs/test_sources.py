"""Rows from JSONL, CSV and Parquet files."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from returns.pipeline import is_successful

from tests.jobs.row_provider import RowProvider
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow, RowInput, check_row
from victor_fp.core.jobs.shards import Shard
from victor_fp.jobs import read_csv, read_jsonl, read_rows, run
from victor_fp.jobs.shard_input import find_files, read_shard
from victor_fp.jobs.sources import ColumnRules, count_records


def check_rows(rows: Any) -> list[CheckedRow | RejectedRow]:
    return [check_row(row, n, provider="p", model="m", options={}) for n, row in enumerate(rows)]


def read_texts(rows: Any) -> dict[str, str]:
    found = check_rows(rows)
    return {row.key: row.messages[-1].text if isinstance(row, CheckedRow) else row.fault.message for row in found}


def write_parquet(file: Path, values: list[bytes | None]) -> None:
    """One column of text, of bytes that may be invalid."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    given = pyarrow.array(values, pyarrow.binary())
    column = pyarrow.Array.from_buffers(pyarrow.string(), len(values), given.buffers())
    parquet.write_table(pyarrow.table({"t": column}), file)


def test_jsonl_with_blank_lines_a_mark_and_a_broken_line(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "a", "prompt": "x"}\n\n  \n[1]\n{"prompt": "z"}')
    rows = check_rows(read_jsonl(file))
    assert [row.key for row in rows] == ["a", "(row 1)", "2"]
    assert isinstance(rows[1], RejectedRow)
    assert count_records(file) == 3


def test_csv_with_quotes_long_fields_and_a_record_with_too_many(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    long = "word " * 60_000
    file.write_text(f'\ufeffid,text\na,"two\nlines, ""quoted"""\nb,{long}\nc,d,e\n', encoding="utf-8")
    found = read_texts(read_csv(file, template="T: {text}"))
    assert found["a"] == 'T: two\nlines, "quoted"'
    assert found["b"] == f"T: {long}"
    assert "more fields" in found["(row 2)"]
    assert count_records(file) == 3


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("template", [None, "{prompt}"])
def test_csv_with_invalid_bytes_or_without_a_column_rejects_those_records_only(
    tmp_path: Path, template: str | None
) -> None:
    file = write(tmp_path / "in.csv", b"id,prompt\na,caf\xc3\xa9\nb,caf\xe9\n\xff,x\nd\n\ne,caf\xc3\nf,y\n")
    assert read_texts(read_csv(file, template=template)) == {
        "a": "caf\u00e9",
        "(row 1)": "record 2 is not valid UTF-8 in column 'prompt'",
        "(row 2)": "record 3 is not valid UTF-8 in column 'id'",
        "(row 3)": "record 4 has fewer fields than the header: there is no column 'prompt'",
        "(row 4)": "record 5 is not valid UTF-8 in column 'prompt'",
        "f": "y",
    }
    assert count_records(file) == 6


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_csv_that_ends_in_a_quoted_field_rejects_its_last_record(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path / "in.csv", f'id,t\na,x\nb,"open\nc,y\nd,z{ending}'.encode())
    found = read_texts(read_csv(file, template="{t}"))
    assert list(found) == ["a", "(row 1)"]
    assert found["(row 1)"].startswith("record 2 is not valid CSV, up to line 5: unexpected end of data")
    assert count_records(file) == 2


def test_csv_is_not_read_past_an_open_quote_that_a_later_one_closes(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", b'id,t\na,"he said "hi"\nto all, then left"\nb,"x, y"\n')
    found = read_texts(read_csv(file, template="{t}"))
    assert list(found) == ["(row 0)"]
    assert found["(row 0)"].endswith("a quote is not closed, so the rest of the file is not read")
    assert count_records(file) == 1


def test_csv_is_read_past_a_record_whose_quotes_are_closed(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", b'id,t\na,"he said "hi" twice"\nb,"two\n"lines""\nc,5" disk\n')
    found = read_texts(read_csv(file, template="{t}"))
    assert list(found) == ["(row 0)", "(row 1)", "c"]
    assert found["c"] == '5" disk'
    assert count_records(file) == 3


def test_csv_rejects_a_field_above_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = csv.field_size_limit(100)
    monkeypatch.setattr("victor_fp.jobs.sources._LONGEST_FIELD", 200)
    try:
        closed = write(tmp_path / "in.csv", b"id,t\na,%b\nb,y\n" % (b"x" * 201))
        found = read_texts(read_csv(closed, template="{t}"))
        assert "field limit (200)" in found.pop("(row 0)")
        assert found == {"b": "y"}
        opened = write(tmp_path / "open.csv", b'id,t\na,"\n%b' % (b"b,y\n" * 1000))
        assert list(read_texts(read_csv(opened, template="{t}"))) == ["(row 0)"]
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"id,text,text", "several columns 'text'"),
        (b"id,t\xe9xt", "not valid UTF-8"),
        (b'id,"text', "not valid CSV"),
    ],
)
def test_csv_with_an_invalid_header_is_refused(tmp_path: Path, header: bytes, reason: str) -> None:
    file = write(tmp_path / "in.csv", header + b"\na,b,c\n")
    with pytest.raises(ValueError, match=reason):
        next(read_csv(file, template="{text}"))
    with pytest.raises(ValueError, match=reason):
        count_records(file)


def test_csv_may_have_several_columns_without_a_name(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", b"\nid,t,,\na,x,,\n")
    assert read_texts(read_csv(file, template="{t}")) == {"a": "x"}


def test_jsonl_rejects_invalid_unicode_and_columns_without_a_value(tmp_path: Path) -> None:
    lines = [b'{"t": "caf\xe9"}', b'{"t": null}', b'{"t": "x"}', b'{"t": "y", "key": "\xff"}', b'{"t": NaN}']
    assert read_texts(read_jsonl(write(tmp_path / "in.jsonl", b"\n".join(lines)), template="{t}")) == {
        "(row 0)": "line 1 is not a JSON object: a text is not valid Unicode",
        "1": "the template requires column 't'; the row has no value in it",
        "2": "x",
        "(row 3)": "line 4 is not a JSON object: a text is not valid Unicode",
        "4": "the template requires column 't'; the row has no value in it",
    }


def test_parquet_rejects_invalid_bytes_and_columns_without_a_value(tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    write_parquet(file, [b"x", b"caf\xe9", None, b"y"])
    assert read_texts(read_rows(file, template="{t}")) == {
        "0": "x",
        "(row 1)": "record 2 is not valid UTF-8",
        "2": "the template requires column 't'; the row has no value in it",
        "3": "y",
    }


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "in.parquet"
    parquet.write_table(pyarrow.Table.from_arrays([pyarrow.array(["x"])] * 2, names=["t", "t"]), file)
    with pytest.raises(ValueError, match="several columns 't'"):
        next(read_rows(file, template="{t}"))
    with pytest.raises(ValueError, match="several columns 't'"):
        count_records(file)
    with pytest.raises(ValueError, match="several columns 't'"):
        find_files(file, 10)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_shards_reject_the_rows_that_a_file_rejects(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"in.{suffix}"
    if suffix == "parquet":
        write_parquet(file, [b"x", b"caf\xe9", None, b"y"])
    else:
        write(file, b'{"t": "x"}\n{"t": "caf\xe9"}\n{"t": null}\n{"t": "y"}\n')
    (found,) = find_files(file, 10)
    shard = Shard(name="0", path=found.path, label=found.label, format=found.format, start=0, end=found.length)
    first, invalid, empty, last = read_texts(read_shard(shard, ColumnRules(template="{t}"))).values()
    assert (first, last) == ("x", "y")
    assert "not valid" in invalid
    assert empty == "the template requires column 't'; the row has no value in it"


async def test_a_job_answers_the_rows_that_are_valid(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", b'id,t\na,x\nb,\xff\nc\nd,"y"z\ne,w\nf,"open\ng,v\n')
    provider = RowProvider()
    rows = read_rows(file, template="{t}", key="id")
    found = {done.key: done.result async for done in run(rows, provider, model="m", ledger=tmp_path / "l")}
    answers = {key for key, result in found.items() if is_successful(result)}
    assert (answers, set(found) - answers) == ({"a", "e"}, {"(row 1)", "(row 2)", "(row 3)", "(row 5)"})
    assert all(isinstance(found[key].failure(), InvalidRequest) for key in set(found) - answers)
    assert set(provider.asked) == {"x", "w"}


async def test_a_job_sends_nothing_of_a_file_with_a_column_twice(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "in.csv", b"id,t,t\na,x,y\n"), template="{t}")
    provider = RowProvider()
    with pytest.raises(ValueError, match="several columns 't'"):
        async for _ in run(rows, provider, model="m", ledger=tmp_path / "l"):
            pass
    assert not provider.asked


def test_a_key_column_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"n": 7, "t": "x"}\n{"t": "y"}\n{"n": null, "t": "z"}\n')
    found = read_texts(read_jsonl(file, template="{t}", key="n"))
    assert found == {"7": "x", "(row 1)": "row 1 has no column 'n'", "(row 2)": "row 2 has no value in column 'n'"}


def test_instructions_come_before_prompts_and_not_before_messages(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"prompt": "x"}\n{"messages": [{"role": "user", "content": "y"}]}\n')
    rows: list[RowInput] = list(read_jsonl(file, system="Be brief"))
    roles = [[message.role for message in row.messages] for row in check_rows(rows) if isinstance(row, CheckedRow)]
    assert roles == [["system", "user"], ["user"]]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "in.parquet"
    table = pyarrow.table({"id": [str(n) for n in range(3000)], "text": [f"t{n}" for n in range(3000)]})
    parquet.write_table(table, file, row_group_size=500)
    found = read_texts(read_rows(file, template="{text}"))
    assert len(found) == 3000
    assert found["2999"] == "t2999"
    assert count_records(file) == 3000


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.jsonl, \.ndjson, \.csv or \.parquet"):
        read_rows(tmp_path / "in.xlsx")


def test_parquet_rejects_records_that_python_cannot_represent(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    days = pyarrow.array([0, 4_000_000, 1], pyarrow.date32())
    parquet.write_table(pyarrow.table({"id": ["a", "b", "c"], "day": days}), tmp_path / "in.parquet")
    found = read_texts(read_rows(tmp_path / "in.parquet", template="{day}"))
    assert (found["a"], found["c"]) == ("1970-01-01", "1970-01-02")
    assert found["(row 1)"].startswith("record 2 cannot be read: ")


def test_parquet_has_no_key_where_a_column_of_numbers_has_none(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": [1.5, math.nan, math.nan], "text": ["a", "b", "c"]})
    parquet.write_table(table, tmp_path / "in.parquet")
    rows: list[Any] = list(read_rows(tmp_path / "in.parquet", template="{text}"))
    assert [row.key for row in rows] == ["1.5", "1", "2"]
    named: list[Any] = list(read_rows(tmp_path / "in.parquet", template="{text}", key="id"))
    assert [row.key for row in named] == ["1.5", "(row 1)", "(row 2)"]
    assert "has no value in column 'id'" in named[1].fault.message
