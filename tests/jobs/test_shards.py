"""Splitting files into shards, the plan that is kept, and a shard that is run again after an interruption."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_runtime import FakeRuntime
from tests.jobs.row_provider import RowProvider
from victor_fp.core.faults import AuthRejected, InvalidRequest, LedgerFailed, ServerFailed
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow, check_row
from victor_fp.core.jobs.shards import InputFile, Shard, add_reports, extend_plan, list_shards, split_length
from victor_fp.jobs.shard_input import find_files, read_shard
from victor_fp.jobs.shards import (
    is_complete,
    plan_shards,
    read_job_report,
    read_shard_report,
    run_partition,
    run_shard,
)
from victor_fp.jobs.sources import ColumnRules
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.store.memory import MemoryStore


def make_shard(path: Path, start: int, end: int, form: Any = "jsonl") -> Shard:
    return Shard(name=f"{start}", path=str(path), label=path.name, format=form, start=start, end=end)


def check_shards(shards: Sequence[Shard], **rules: Any) -> list[CheckedRow | RejectedRow]:
    rows = [row for shard in shards for row in read_shard(shard, ColumnRules(**rules))]
    return [check_row(row, number, provider="p", model="m", options={}) for number, row in enumerate(rows)]


def write_rows(path: Path, count: int, start: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"id": f"r{number}", "prompt": f"text {number}"}) for number in range(start, start + count))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


class Workshop:
    """Makes the providers of a test, and remembers them."""

    def __init__(self, *providers: RowProvider) -> None:
        self.waiting = list(providers)
        self.used: list[RowProvider] = []

    async def make(self, _: Any) -> RowProvider:
        self.used.append(self.waiting.pop(0) if self.waiting else RowProvider())
        return self.used[-1]


@given(st.integers(0, 10_000), st.integers(-1, 500))
def test_ranges_cover_a_length_without_gap_or_overlap(length: int, step: int) -> None:
    ranges = list(split_length(length, step))
    assert [number for start, end in ranges for number in range(start, end)] == list(range(length))
    assert all(0 < end - start <= max(1, step) for start, end in ranges)


LINES = st.lists(
    st.one_of(
        st.text(st.sampled_from("aé\u2028 {}"), max_size=12).map(lambda text: json.dumps({"prompt": f"p{text}"})),
        st.sampled_from(["", "  ", "[1]", "{", json.dumps({"prompt": "long " * 30})]),
    ),
    max_size=12,
)


@given(LINES, st.integers(1, 400), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_every_line_is_in_exactly_one_shard(
    tmp_path_factory: Any, lines: list[str], step: int, ending: str, closed: bool, marked: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.jsonl"
    text = ending.join(lines) + (ending if closed else "")
    data = (b"\xef\xbb\xbf" if marked else b"") + text.encode()
    path.write_bytes(data)
    whole = check_shards([make_shard(path, 0, len(data))])
    split = check_shards([make_shard(path, start, end) for start, end in split_length(len(data), step)])
    assert [row.key for row in split] == [row.key for row in whole]
    assert len({row.key for row in whole}) == len(whole) == sum(1 for line in lines if line.strip())
    texts = [row.messages[0].text for row in split if isinstance(row, CheckedRow)]
    assert texts == [json.loads(line)["prompt"] for line in lines if line.startswith('{"')]


def test_a_line_longer_than_many_shards_is_read_by_the_first_of_them(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"prompt": "x" * 3_000_000}) + "\n" + json.dumps({"prompt": "y"}) + "\n")
    shards = [make_shard(path, start, end) for start, end in split_length(path.stat().st_size, 100_000)]
    counts = [len(check_shards([shard])) for shard in shards]
    assert (counts[0], sum(counts[1:-1]), counts[-1]) == (1, 0, 1)


def test_rows_keep_their_keys_and_others_are_named_by_file_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 7, "prompt": "a"}\n{"prompt": "b"}\nnot json\n')
    size = path.stat().st_size
    rows = check_shards([make_shard(path, 0, size)])
    assert [row.key for row in rows] == ["7", "in.jsonl:25", "in.jsonl:41"]
    assert isinstance(rows[2], RejectedRow)
    assert "byte 41" in rows[2].fault.message
    named = check_shards([make_shard(path, 0, size)], key="name", template="{prompt}")
    assert [row.key for row in named] == ["in.jsonl:0", "in.jsonl:25", "in.jsonl:41"]
    assert all(isinstance(row, RejectedRow) for row in named)


@pytest.mark.parametrize("step", [1, 3, 7, 10, 64])
def test_parquet_is_split_by_rows_across_row_groups(tmp_path: Path, step: int) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "in.parquet"
    parquet.write_table(arrow.table({"prompt": [f"t{number}" for number in range(23)]}), path, row_group_size=10)
    (file,) = find_files(path, step)
    assert (file.length, file.step) == (23, step)
    rows = check_shards([make_shard(path, start, end, "parquet") for start, end in split_length(23, step)])
    assert [row.key for row in rows] == [f"in.parquet:{number}" for number in range(23)]
    assert [row.messages[0].text for row in rows if isinstance(row, CheckedRow)] == [f"t{n}" for n in range(23)]


def test_files_of_an_object_store_are_found_and_split_as_local_ones_are(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.fs")
    write_rows(tmp_path / "in" / "b" / "2.jsonl", 5, start=10)
    write_rows(tmp_path / "in" / "1.jsonl", 10)
    write_rows(tmp_path / "in" / "_SUCCESS.jsonl", 3)
    url = f"file://{tmp_path}/in"
    files = find_files(url, 4)
    assert [(file.path, file.label) for file in files] == [
        (f"{url}/1.jsonl", "1.jsonl"),
        (f"{url}/b/2.jsonl", "b/2.jsonl"),
    ]
    local = find_files(tmp_path / "in", 4)
    assert [(file.label, file.size, file.step) for file in local] == [
        (file.label, file.size, file.step) for file in files
    ]
    shards = [
        Shard(name="", path=file.path, label=file.label, format="jsonl", start=start, end=end)
        for file in files
        for start, end in split_length(file.length, file.step)
    ]
    assert [row.key for row in check_shards(shards)] == [f"r{number}" for number in range(15)]


@pytest.mark.parametrize("name", ["in.csv", "in.txt"])
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=r"\.jsonl"):
        find_files(tmp_path / name, 10)


def test_a_plan_is_kept_and_grows_with_new_files(tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "b.jsonl", 100)
    first = plan_shards(tmp_path / "in", tmp_path / "out", rows_per_shard=30, model="m").unwrap()
    assert 4 <= len(first) <= 5
    write_rows(tmp_path / "in" / "a.jsonl", 10)
    second = plan_shards(tmp_path / "in", tmp_path / "out", rows_per_shard=7, model="m", concurrency=3).unwrap()
    assert second[: len(first)] == first
    assert {Path(shard.path).name for shard in second[len(first) :]} == {"a.jsonl"}
    assert len({shard.name for shard in second}) == len(second)


@pytest.mark.parametrize("change", [{"model": "n"}, {"temperature": 0.5}, {"rules": ColumnRules(system="S")}])
def test_plan_of_a_job_with_other_requests_is_rejected(tmp_path: Path, change: dict[str, Any]) -> None:
    source = write_rows(tmp_path / "in.jsonl", 10)
    plan_shards(source, tmp_path / "out", model="m").unwrap()
    plan_shards(source, tmp_path / "out", model="m", budget=None, max_tries=9).unwrap()
    refused = plan_shards(source, tmp_path / "out", **{"model": "m", **change}).failure()
    assert "other requests" in refused.message


def test_changed_or_missing_file_is_rejected(tmp_path: Path) -> None:
    def make_input_file(path: str, size: int) -> InputFile:
        return InputFile(path=path, label=path, format="jsonl", size=size, length=size, step=10)

    plan = extend_plan(None, "d", [make_input_file("a", 50), make_input_file("b", 5)]).unwrap()
    assert len(list(list_shards(plan))) == 6
    assert (
        "changed from 50 to 51"
        in extend_plan(plan, "d", [make_input_file("a", 51), make_input_file("b", 5)]).failure().message
    )
    assert "no longer exists" in extend_plan(plan, "d", [make_input_file("a", 50)]).failure().message


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_a_source_without_files_is_a_failure(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    assert isinstance(plan_shards(tmp_path / source, tmp_path / "out").failure(), InvalidRequest)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [0, -1])
def test_shards_without_rows_are_refused(tmp_path: Path, count: int) -> None:
    (tmp_path / "in.jsonl").write_text('{"prompt": "x"}\n' * 10)
    fault = plan_shards(tmp_path / "in.jsonl", tmp_path / "out", rows_per_shard=count).failure()
    assert f"rows_per_shard: expected at least 1, got {count}" in fault.message
    assert not (tmp_path / "out").exists()


def test_reports_add_up() -> None:
    one = Report(read=3, done=2, failed=1, faults={"A": 1}, cost_usd=0.5, prompt_tokens=4)
    two = Report(read=2, done=1, retryable=1, left=1, faults={"A": 1, "B": 2}, unpriced=1)
    both = add_reports([one, two, Report()])
    assert (both.read, both.done, both.failed, both.retryable, both.left) == (5, 3, 1, 1, 1)
    assert (both.faults, both.cost_usd, both.unpriced, both.prompt_tokens) == ({"A": 2, "B": 2}, 0.5, 1, 4)
    assert add_reports([two]).cost_usd is None


async def test_an_interrupted_shard_sends_only_the_remaining_rows(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 60)
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()

    def refuse_later(prompt: str, _: int) -> str | AuthRejected:
        return AuthRejected(message="revoked") if int(prompt.rsplit(maxsplit=1)[-1]) >= 40 else prompt.upper()

    workshop = Workshop(RowProvider(refuse_later))
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", concurrency=4)
    assert isinstance(ended.stopped, AuthRejected)
    assert read_shard_report(shard, tmp_path / "out") is None
    partial = read_job_report(tmp_path / "out").unwrap()
    assert 36 <= partial.done <= 40
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", concurrency=4)
    assert ended.stopped is None
    assert (ended.report.done, ended.report.left) == (60, 0)
    assert sum(workshop.used[1].asked.values()) == 60 - partial.done
    assert is_complete(read_shard_report(shard, tmp_path / "out"))
    assert read_job_report(tmp_path / "out").unwrap().done == 60
    lines = [json.loads(line) for line in (tmp_path / "out" / f"{shard.name}.jsonl").read_text().splitlines()]
    assert [(line["key"], line["response"]["content"]) for line in lines] == [(f"r{n}", f"TEXT {n}") for n in range(60)]


async def test_a_shard_with_rows_that_may_be_asked_again_is_not_complete(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 3)
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()
    workshop = Workshop(RowProvider(lambda prompt, _: ServerFailed(status=500) if prompt == "text 1" else prompt))
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", max_tries=1)
    assert (ended.stopped, ended.report.left) == (None, 1)
    assert not is_complete(read_shard_report(shard, tmp_path / "out"))
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", max_tries=1)
    assert workshop.used[1].asked == {"text 1": 1}
    assert is_complete(ended.report)


async def test_a_complete_shard_with_failed_rows_is_open_where_these_are_to_be_asked_again() -> None:
    report = Report(read=2, done=1, failed=1)
    assert is_complete(report)
    assert not is_complete(report, retry_failed=True)
    assert not is_complete(None)


class WaitingRuntime(FakeRuntime):
    """A clock that moves where somebody sleeps, and then calls `on_sleep`."""

    def __init__(self, on_sleep: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.on_sleep = on_sleep

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await self.on_sleep()


async def test_a_shard_waits_until_the_worker_that_had_its_ledger_is_gone(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 3)
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()
    held = Ledger.open(tmp_path / "out" / f"{shard.name}.ledger").unwrap()
    workshop = Workshop()
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", lock_patience=0.0)
    assert isinstance(ended.stopped, LedgerFailed)
    assert not workshop.used
    runtime = WaitingRuntime(held.aclose)
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m", lock_patience=5.0, runtime=runtime)
    assert (ended.stopped, ended.report.done) == (None, 3)


async def test_a_recomputed_partition_is_not_sent_again(tmp_path: Path) -> None:
    rows = [{"key": f"k{number}", "prompt": f"text {number}"} for number in range(10)]
    workshop = Workshop(RowProvider(lambda prompt, _: InvalidRequest(message="no") if prompt == "text 3" else prompt))
    first = await run_partition(rows, tmp_path, workshop.make, model="m")
    again = await run_partition(list(rows), tmp_path, workshop.make, make_store=MemoryStore, model="m")
    assert first == again
    assert [record["key"] for record in first] == [row["key"] for row in rows]
    assert (first[3]["status"], first[3]["error"]["message"]) == ("failed", "no")
    assert not workshop.used[1].asked
    other = await run_partition(rows[:5], tmp_path, workshop.make, model="m")
    assert len(other) == 5
    assert sum(workshop.used[2].asked.values()) == 5


async def test_a_partition_whose_job_stops_raises_and_keeps_what_was_answered(tmp_path: Path) -> None:
    rows = [{"key": f"k{number}", "prompt": f"text {number}"} for number in range(10)]
    workshop = Workshop(RowProvider(lambda prompt, _: AuthRejected(message="no") if prompt == "text 9" else prompt))
    with pytest.raises(RuntimeError, match="AuthRejected"):
        await run_partition(rows, tmp_path, workshop.make, model="m", concurrency=1)
    await run_partition(rows, tmp_path, workshop.make, model="m", concurrency=1)
    assert workshop.used[1].asked == {"text 9": 1}


async def test_a_partition_with_another_request_is_asked_anew(tmp_path: Path) -> None:
    rows = [{"key": "k", "prompt": "text"}]
    workshop = Workshop(RowProvider(), RowProvider(lambda prompt, _: f"{prompt}!"))
    (first,) = await run_partition(rows, tmp_path, workshop.make, model="m")
    (other,) = await run_partition(rows, tmp_path, workshop.make, model="m", temperature=0.5)
    assert (first["response"]["content"], other["response"]["content"]) == ("TEXT", "text!")


async def test_a_partition_does_not_return_the_answers_of_another_provider(tmp_path: Path) -> None:
    class Other(RowProvider):
        @property
        def name(self) -> str:
            return "other"

    rows = [{"key": "k", "prompt": "text"}]
    workshop = Workshop(RowProvider(), Other())
    await run_partition(rows, tmp_path, workshop.make, model="m")
    with pytest.raises(RuntimeError, match="without a result: 1"):
        await run_partition(rows, tmp_path, workshop.make, model="m")


async def test_a_partition_with_a_repeated_key_raises(tmp_path: Path) -> None:
    rows = [{"key": "k", "prompt": "one"}, {"key": "k", "prompt": "two"}]
    with pytest.raises(RuntimeError, match=r"without a result: 1.*occurs twice"):
        await run_partition(rows, tmp_path, Workshop().make, model="m")


async def test_a_row_of_a_partition_that_cannot_be_encoded_stops_no_other(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"key": "a", "prompt": "\ud800"},
        {"key": "b", "prompt": "two", "number": 2**70},
        {"key": "c", "prompt": "three"},
    ]
    records = await run_partition(rows, tmp_path, Workshop().make, model="m")
    assert [(record["key"], record["status"]) for record in records] == [("a", "failed"), ("b", "done"), ("c", "done")]
    rows[1]["number"] = 2**71
    workshop = Workshop()
    await run_partition(rows, tmp_path, workshop.make, model="m")
    assert set(workshop.used[0].asked) == {"two", "three"}


async def test_a_shard_says_which_rows_have_no_result(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "k", "prompt": "one"}\n{"id": "k", "prompt": "two"}\n')
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()
    ended = await run_shard(shard, tmp_path / "out", Workshop().make, model="m")
    assert (ended.stopped, ended.report.done, ended.conflicts) == (None, 1, 1)
    assert ended.conflict is not None
    assert "occurs twice" in ended.conflict.message


@pytest.mark.parametrize("damage", ["missing", "shorter"])
async def test_a_shard_whose_output_is_not_whole_is_not_complete(tmp_path: Path, damage: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", 3)
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()
    workshop = Workshop()
    await run_shard(shard, tmp_path / "out", workshop.make, model="m")
    output = tmp_path / "out" / f"{shard.name}.jsonl"
    written = output.read_bytes()
    assert is_complete(read_shard_report(shard, tmp_path / "out"))
    if damage == "missing":
        output.unlink()
    else:
        output.write_bytes(written[:-20])
    assert read_shard_report(shard, tmp_path / "out") is None
    ended = await run_shard(shard, tmp_path / "out", workshop.make, model="m")
    assert (ended.report.done, output.read_bytes()) == (3, written)
    assert is_complete(read_shard_report(shard, tmp_path / "out"))
    assert not workshop.used[1].asked


async def test_results_without_their_plan_are_not_continued(tmp_path: Path) -> None:
    """Shards of another plan have the same names and other rows."""
    source = write_rows(tmp_path / "in.jsonl", 6)
    (shard,) = plan_shards(source, tmp_path / "out", model="m").unwrap()
    await run_shard(shard, tmp_path / "out", Workshop().make, model="m")
    (tmp_path / "out" / "plan.json").unlink()
    refused = plan_shards(source, tmp_path / "out", rows_per_shard=2, model="m").failure()
    assert "plan.json" in refused.message


def test_an_output_in_an_object_store_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local folder of that name would be one for each node."""
    monkeypatch.chdir(tmp_path)
    source = write_rows(tmp_path / "in.jsonl", 3)
    assert "folder" in plan_shards(source, "s3://bucket/out", model="m").failure().message
    assert not (tmp_path / "s3:").exists()


async def test_ledgers_of_partitions_in_an_object_store_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="folder"):
        await run_partition([{"key": "k", "prompt": "text"}], "s3://bucket/out", Workshop().make, model="m")
    assert not (tmp_path / "s3:").exists()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
async def test_a_file_that_became_shorter_since_its_plan_does_not_complete(tmp_path: Path, form: str) -> None:
    def write(count: int) -> Path:
        if form == "jsonl":
            return write_rows(tmp_path / "in.jsonl", count)
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(
            arrow.table({"prompt": [f"text {number}" for number in range(count)]}), tmp_path / "in.parquet"
        )
        return tmp_path / "in.parquet"

    (shard,) = plan_shards(write(6), tmp_path / "out", model="m").unwrap()
    write(4)
    with pytest.raises(ValueError, match="shorter"):
        await run_shard(shard, tmp_path / "out", Workshop().make, model="m")
    assert read_shard_report(shard, tmp_path / "out") is None


@pytest.mark.parametrize("changed", [0, 59_999])
def test_a_file_with_other_content_of_the_same_size_is_rejected(tmp_path: Path, changed: int) -> None:
    source = write_rows(tmp_path / "in.jsonl", 60_000)
    plan_shards(source, tmp_path / "out", model="m").unwrap()
    lines = source.read_text().splitlines(keepends=True)
    lines[changed] = lines[changed].replace("text", "TEXT")
    source.write_text("".join(lines))
    assert "has changed" in plan_shards(source, tmp_path / "out", model="m").failure().message


def test_files_of_the_same_name_in_two_folders_have_different_labels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.jsonl").write_text('{"prompt": "x"}\n')
    first = plan_shards([tmp_path / "a"], tmp_path / "out", model="m").unwrap()
    both = plan_shards([tmp_path / "a", tmp_path / "b"], tmp_path / "out", model="m").unwrap()
    assert both[:1] == first
    again = plan_shards([tmp_path / "b", tmp_path / "a"], tmp_path / "other", model="m").unwrap()
    for shards in (both, again):
        assert len({row.key for row in check_shards(shards)}) == 2
