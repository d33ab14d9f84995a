"""`victor batch`: a job over a file, its ledger, and Ctrl-C on a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.vendor import Job
from tests.cli.conftest import RUN, build_options, open_terminal, victor
from tests.loopback import Loopback, Received, Serve, Talk
from tests.openai_shapes import build_body, build_error
from victor_fp.cli.app import app
from victor_fp.core.batching.types import BatchHandle, encode_handle
from victor_fp.shell.ledger.batches import SubmittedRow, add_batch, set_handle
from victor_fp.shell.ledger.sqlite import Ledger

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals as POSIX has them")


def prompt_of(received: Received) -> str:
    messages: Any = received.json()["messages"]
    return str(messages[-1]["content"])


async def answer_in_capitals(talk: Talk, received: Received) -> None:
    """Answers with the prompt in capitals; refuses one that says so."""
    prompt = prompt_of(received)
    if "refuse" in prompt:
        await talk.answer(build_error("not this one", "invalid_prompt", "invalid_request_error"), 400)
    else:
        await talk.answer(build_body(prompt.upper()))


def write_rows(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": f"r{n}", "text": text}) + "\n" for n, text in enumerate(texts)))
    return path


def build_command(source: Path, out: Path, server: Loopback, *options: str, prompt: str = "{text}") -> list[str]:
    """The command that runs the rows of `source` against the server."""
    return ["batch", "run", str(source), "--out", str(out), "--prompt", prompt, *options, *build_options(server)]


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    return {line["key"]: line for line in map(json.loads, path.read_text().splitlines())}


def test_a_template_makes_prompts_and_results_come_in_input_order(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server = serve(answer_in_capitals)
    source = write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(20)])
    out = tmp_path / "out.jsonl"
    command = build_command(source, out, server, "--system", "Be brief", prompt="Summarise: {text}")
    ran = victor(*command, env=keyed)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"r{number}" for number in range(20)]
    assert lines[3]["response"]["content"] == "SUMMARISE: TEXT 3"
    assert server.received[0].json()["messages"][0] == {"role": "system", "content": "Be brief"}  # type: ignore[index]


@pytest.mark.slow
def test_a_failed_row_ends_with_exit_code_1_and_can_be_retried(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server, out = serve(answer_in_capitals), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", ["one", "refuse this", "three"])
    command = build_command(source, out, server)
    ran = victor(*command, env=keyed)
    assert ran.returncode == 1
    assert "1 of 3 rows failed" in ran.stderr
    results = read_results(out)
    assert results["r1"]["error"]["type"] == "InvalidRequest"
    assert results["r2"]["response"]["content"] == "THREE"

    refused = victor(*command, env=keyed)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    assert len(server.received) == 3

    ledger = f"{out}.ledger"
    status = json.loads(victor("batch", "status", ledger, "--json", env=keyed).stdout)
    assert (status["read"], status["done"], status["failed"], status["left"]) == (3, 2, 1, 0)
    assert status["faults"] == {"InvalidRequest": 1}
    assert "1 rows are unfinished again" in victor("batch", "retry", ledger, env=keyed).stdout
    assert json.loads(victor("batch", "status", ledger, "--json", env=keyed).stdout)["left"] == 1
    victor(*command, "--resume", env=keyed)
    assert [prompt_of(one) for one in server.received[3:]] == ["refuse this"]

    other = tmp_path / "other.jsonl"
    assert victor("batch", "export", ledger, "--out", str(other), "--by-completion", env=keyed).returncode == 0
    assert [json.loads(line)["key"] for line in other.read_text().splitlines()][-1] == "r1"


@pytest.mark.slow
def test_a_schema_asks_for_json_and_a_mismatch_is_a_failure(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    async def answer_city(talk: Talk, received: Received) -> None:
        await talk.answer(build_body('{"city": "Oslo"}' if "Oslo" in prompt_of(received) else '{"town": 1}'))

    server, out, schema = serve(answer_city), tmp_path / "out.jsonl", tmp_path / "schema.json"
    form = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    schema.write_text(json.dumps(form))
    source = write_rows(tmp_path / "in.jsonl", ["Oslo", "Rome"])
    ran = victor(*build_command(source, out, server, "--schema", str(schema)), env=keyed)
    assert ran.returncode == 1
    assert "response_format" in server.received[0].json()
    assert "1 of 2 rows failed" in ran.stderr
    status = json.loads(victor("batch", "status", f"{out}.ledger", "--json", env=keyed).stdout)
    assert (status["done"], status["failed"], status["faults"]) == (1, 1, {"InvalidResponse": 1})
    mismatch = read_results(out)["r1"]
    assert (mismatch["status"], mismatch["error"]["type"]) == ("failed", "InvalidResponse")
    assert mismatch["response"]["content"] == '{"town": 1}'
    assert "1 rows are unfinished again" in victor("batch", "retry", f"{out}.ledger", env=keyed).stdout


@pytest.mark.slow
def test_a_budget_in_requests_stops_the_run_and_the_rest_resumes(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server, out = serve(answer_in_capitals), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(10)])
    command = build_command(source, out, server)
    ran = victor(*command, "--budget-requests", "4", env=keyed)
    assert ran.returncode == 5
    assert "the budget is exhausted" in ran.stderr
    assert (len(server.received), len(read_results(out))) == (4, 4)
    assert victor(*command, "--resume", env=keyed).returncode == 0
    assert (len(server.received), len(read_results(out))) == (10, 10)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.jsonl", None, "No such file"),
        ("in.txt", "a", "rows are read from .jsonl"),
        ("in.parquet", "not parquet", "in.parquet cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_anything_is_sent(
    serve: Serve, keyed: dict[str, str], tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    server, source = serve(answer_in_capitals), tmp_path / name
    if content is not None:
        source.write_text(content)
    ran = CliRunner().invoke(app, build_command(source, tmp_path / "out.jsonl", server), env=keyed)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert server.received == []
    assert not (tmp_path / "out.jsonl.ledger").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "in.jsonl"], "in.jsonl cannot be written: it is the input"),
        (["--out", "sub/../in.jsonl"], "in.jsonl cannot be written: it is the input"),
        (["--out", "sub"], "sub cannot be written: it is not a regular file"),
        (["--out", "none/out.jsonl"], "none/out.jsonl cannot be written: its directory does not exist"),
        (["--out", "out.jsonl", "--ledger", "out.jsonl"], "out.jsonl cannot be the ledger: it is the output"),
        (["--out", "out.jsonl", "--ledger", "in.jsonl", "--resume"], "in.jsonl cannot be the ledger: it is the input"),
        (["--out", "l-lock", "--ledger", "l"], "l-lock cannot be written: it is a file of the ledger"),
        (["--out", "l-wal", "--ledger", "l"], "l-wal cannot be written: it is a file of the ledger"),
        (["--out", "out.jsonl", "--ledger", "sub", "--resume"], "sub cannot be the ledger: it is not a regular file"),
        (["--out", "-"], "--out - requires a ledger. Name its file: --ledger FILE"),
        (["--out", "-", "--ledger", "in.jsonl"], "in.jsonl cannot be the ledger: it is the input"),
        (["--out", "out.jsonl", "--prompt", "Summarise"], "--prompt has no column"),
        (["--out", "out.jsonl", "--prompt", "{{text}}"], "--prompt has no column"),
    ],
)
def test_files_in_each_others_place_are_refused_before_anything_is_sent(
    serve: Serve,
    keyed: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    server, source = serve(answer_in_capitals), write_rows(tmp_path / "in.jsonl", ["one", "two"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    before = source.read_bytes()
    prompt = [] if "--prompt" in options else ["--prompt", "{text}"]
    ran = CliRunner().invoke(app, ["batch", "run", "in.jsonl", *prompt, *options, *build_options(server)], env=keyed)
    assert (ran.exit_code, ran.stderr.count("\n")) == (2, 1)
    assert said in ran.stderr
    assert server.received == []
    assert source.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"in.jsonl", "sub", "config", "state"}


def test_other_settings_under_the_same_keys_are_named(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, out = serve(answer_in_capitals), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", ["one", "two"])
    assert CliRunner().invoke(app, build_command(source, out, server), env=keyed).exit_code == 0
    ran = CliRunner().invoke(app, build_command(source, out, server, "--resume", prompt="Now {text}"), env=keyed)
    assert ran.exit_code == 1
    assert "2 of 2 rows failed: the row under key 'r0' has changed since an earlier run" in ran.stderr
    assert len(server.received) == 2
    assert read_results(out)["r0"]["response"]["content"] == "ONE"


def test_a_failed_row_may_be_corrected(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, out = serve(answer_in_capitals), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", ["one", "refuse this"])
    command = build_command(source, out, server)
    assert CliRunner().invoke(app, command, env=keyed).exit_code == 1
    write_rows(source, ["one", "two"])
    assert "has changed since it failed" in CliRunner().invoke(app, [*command, "--resume"], env=keyed).stderr
    CliRunner().invoke(app, ["batch", "retry", f"{out}.ledger"], env=keyed)
    assert CliRunner().invoke(app, [*command, "--resume"], env=keyed).exit_code == 0
    assert read_results(out)["r1"]["response"]["content"] == "TWO"
    assert len(server.received) == 3


def test_the_reason_of_the_first_failure_is_shown(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, source = serve(answer_in_capitals), write_rows(tmp_path / "in.jsonl", ["one", "two"])
    ran = CliRunner().invoke(app, build_command(source, tmp_path / "out.jsonl", server, prompt="{tex}"), env=keyed)
    assert ran.exit_code == 1
    assert "2 of 2 rows failed: the template requires column 'tex'; the row has: id, text" in ran.stderr
    assert server.received == []


@pytest.mark.slow
def test_rows_that_cannot_be_read_fail_by_themselves(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, out, source = serve(answer_in_capitals), tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    lines = [
        '{"id": "a", "text": "one"}',
        "{broken",
        '{"id": "b"}',
        '{"id": "a", "text": "two"}',
        '{"id": "c", "text": "x"}',
    ]
    source.write_text("\ufeff" + "\n\n".join(lines))
    ran = victor(*build_command(source, out, server), env=keyed)
    assert ran.returncode == 1
    assert "3 of 5 rows failed" in ran.stderr
    results = read_results(out)
    assert results["a"]["response"]["content"] == "ONE"
    assert "not a JSON object" in results["(row 1)"]["error"]["message"]
    assert "the template requires column 'text'" in results["b"]["error"]["message"]
    assert results["c"]["response"]["content"] == "X"


def test_a_ledger_that_does_not_exist_is_not_found(keyed: dict[str, str], tmp_path: Path) -> None:
    for command in (["status"], ["retry"], ["cancel"], ["export", "--out", str(tmp_path / "out.jsonl")]):
        ran = CliRunner().invoke(app, ["batch", command[0], str(tmp_path / "none.ledger"), *command[1:]], env=keyed)
        assert ran.exit_code == 4, command
        assert "not found" in ran.stderr
    assert list(tmp_path.iterdir()) == []


class Held:
    """Answers some rows at once and holds the others until the test lets go."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.is_held = Event()
        self.is_open = False

    async def __call__(self, talk: Talk, received: Received) -> None:
        self.at_once -= 1
        while self.at_once < 0 and not self.is_open:
            self.is_held.set()
            await asyncio.sleep(0.01)
        await answer_in_capitals(talk, received)


@posix
def test_ctrl_c_on_a_terminal_stops_and_the_run_resumes(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    held = Held(at_once=12)
    server, out = serve(held), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(40)])
    command = build_command(source, out, server, "--concurrency", "4")
    with open_terminal(*command, env=keyed) as (process, tty):
        assert held.is_held.wait(20)
        tty.read_until("12/40")
        tty.send_keys(b"\x03")
        assert process.wait(20) == 130
        shown = tty.rest()
    assert "stopped; finished rows are kept" in shown
    assert "Traceback" not in shown
    assert not out.exists()

    held.is_open = True
    sent = len(server.received)
    assert sent <= 12 + 4
    with open_terminal(*command, "--resume", env=keyed) as (process, tty):
        shown = tty.rest()
        assert process.wait(20) == 0
    assert "40 rows in" in shown
    assert set(read_results(out)) == {f"r{number}" for number in range(40)}
    assert len(server.received) == sent + 28  # what was finished is not asked again


@pytest.mark.slow
@posix
def test_cancel_stops_a_run_and_status_reads_it_meanwhile(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    held = Held(at_once=6)
    server, out = serve(held), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(40)])
    command = build_command(source, out, server, "--concurrency", "2")
    with open_terminal(*command, env=keyed) as (process, tty):
        tty.read_until("6/40")
        status = json.loads(victor("batch", "status", f"{out}.ledger", "--json", env=keyed).stdout)
        assert status["done"] == 6
        again = victor(*command, "--resume", env=keyed)
        assert "locked by another run" in again.stderr
        assert "after the next row in flight" in victor("batch", "cancel", f"{out}.ledger", env=keyed).stdout
        held.is_open = True
        assert process.wait(20) == 130
    assert len(server.received) <= 6 + 2 * 2
    assert "nothing to cancel" in victor("batch", "cancel", f"{out}.ledger", env=keyed).stdout
    assert victor(*command, "--resume", env=keyed).returncode == 0
    assert len(read_results(out)) == 40


@pytest.mark.slow
@posix
def test_a_terminated_run_loses_nothing(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    held = Held(at_once=5)
    server, out = serve(held), tmp_path / "out.jsonl"
    source = write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(15)])
    command = build_command(source, out, server, "--concurrency", "1")
    with open_terminal(*command, env=keyed) as (process, tty):
        tty.read_until("5/15")
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    held.is_open = True
    assert victor(*command, "--resume", env=keyed).returncode == 0
    assert len(read_results(out)) == 15
    assert len(server.received) <= 15 + 1


class QuickVendor(OpenAIVendor):
    """Has every batch answered as soon as it is looked at, unless it is held."""

    is_held = False

    def show(self, job: Job) -> dict[str, Any]:
        if job.state == "pending" and job.results == [] and not self.is_held and self.received[-1].method == "GET":
            self.run(job)
            job.state = "completed"
        if job.state == "cancelling":
            self.run(job, 2)
            job.state = "cancelled"
        return super().show(job)


@posix
@pytest.mark.slow
def test_a_dash_is_standard_input_and_output(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, ledger = serve(answer_in_capitals), tmp_path / "l"
    command = ["batch", "run", "-", "--out", "-", "--ledger", str(ledger), "--prompt", "{text}", *build_options(server)]
    rows = "".join(json.dumps({"id": number, "text": f"text {number}"}) + "\n" for number in range(3))
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *command],
        input=rows,
        env=keyed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(line["key"], line["response"]["content"]) for line in lines] == [
        (str(number), f"TEXT {number}") for number in range(3)
    ]
    exported = subprocess.run(
        [sys.executable, "-c", RUN, "batch", "export", "l", "--out", "-"],
        env=keyed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (exported.returncode, exported.stdout) == (0, ran.stdout)
    assert not (tmp_path / "-").exists()
    missing = victor("batch", "export", str(tmp_path / "none"), "--out", "-", env=keyed)
    assert (missing.returncode, missing.stdout) == (4, "")


async def test_a_batch_that_cannot_be_cancelled_does_not_keep_the_others(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    vendor = QuickVendor()
    server, path = serve(vendor), tmp_path / "l"
    ledger = Ledger.open(path).unwrap()
    for identifier in ("batch_1", "batch_2", "batch_3"):
        vendor.jobs[identifier] = Job(
            identifier, {f"r-{identifier}": {"messages": [{"content": "Hi"}]}}, state="pending"
        )
        vendor.jobs[identifier].input_file = "file-1"
        row = SubmittedRow(f"r-{identifier}", 0, b"", 0, b"")
        number = (await ledger.call(add_batch, identifier, 1.0, [row])).unwrap()
        handle = encode_handle(BatchHandle(provider="openai", id=identifier))
        (await ledger.call(set_handle, number, handle, None)).unwrap()
    await ledger.aclose()
    vendor.is_held = True
    del vendor.jobs["batch_2"]
    command = ["batch", "cancel", str(path), "--base-url", f"{server.url}/v1"]
    ran = await asyncio.to_thread(CliRunner().invoke, app, command, env=keyed)
    assert [job.state for job in vendor.jobs.values()] == ["cancelled", "cancelled"]
    assert (ran.exit_code, ran.stdout) == (4, "batch batch_1 is cancelled\nbatch batch_3 is cancelled\n")
    assert "nothing at GET /batches/batch_2" in ran.stderr


@pytest.mark.slow
def test_the_batch_route_submits_and_collects(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    vendor = QuickVendor()
    out, source = tmp_path / "out.jsonl", write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(5)])
    ran = victor(*build_command(source, out, serve(vendor), "--route", "batch"), env=keyed)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {key: line["response"]["content"] for key, line in read_results(out).items()} == {
        f"r{number}": f"TEXT {number}" for number in range(5)
    }
    assert len(vendor.jobs) == 1


@pytest.mark.slow
@posix
def test_a_batch_is_cancelled_from_outside_and_what_was_answered_is_collected(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    vendor = QuickVendor()
    vendor.is_held = True
    server = serve(vendor)
    out, source = tmp_path / "out.jsonl", write_rows(tmp_path / "in.jsonl", [f"text {number}" for number in range(5)])
    command = build_command(source, out, server, "--route", "batch")
    with open_terminal(*command, env=keyed) as (process, tty):
        deadline = time.monotonic() + 20
        while not any(one.method == "GET" for one in vendor.received) and time.monotonic() < deadline:
            time.sleep(0.05)
        status = json.loads(victor("batch", "status", f"{out}.ledger", "--json", env=keyed).stdout)
        assert (status["in_batches"], status["batches"]) == (5, 1)
        cancelled = victor("batch", "cancel", f"{out}.ledger", "--base-url", f"{server.url}/v1", env=keyed)
        assert "batch batch_1 is cancelled" in cancelled.stdout
        assert process.wait(30) == 130
        shown = tty.rest()
    assert "was cancelled" in shown
    assert len(read_results(out)) == 2
    vendor.is_held = False
    assert victor(*command, "--resume", env=keyed).returncode == 0
    assert len(read_results(out)) == 5
    assert [len(job.requests) for job in vendor.jobs.values()] == [5, 3]


def test_a_run_that_sends_nothing_replaces_no_output_and_may_be_repeated(
    serve: Serve, keyed: dict[str, str], world: dict[str, str], tmp_path: Path
) -> None:
    server, source, out = serve(answer_in_capitals), write_rows(tmp_path / "in.jsonl", ["one"]), tmp_path / "out.jsonl"
    out.write_text("results of an earlier job")
    command = ["batch", "run", str(source), "--out", str(out), "--prompt", "{text}", *build_options(server)]
    runner = CliRunner()
    assert runner.invoke(app, command, env=world).exit_code == 3
    assert runner.invoke(app, [*command, "--budget-requests", "0"], env=keyed).exit_code == 5
    assert out.read_text() == "results of an earlier job"
    assert runner.invoke(app, command, env=keyed).exit_code == 0
    assert read_results(out)["r0"]["response"]["content"] == "ONE"
    assert runner.invoke(app, command, env=keyed).exit_code == 2


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_may_be_closed(serve: Serve, keyed: dict[str, str], tmp_path: Path, closed: str) -> None:
    out, source = tmp_path / "out.jsonl", write_rows(tmp_path / "in.jsonl", ["one", "two"])
    command = ["batch", "run", str(source), "--out", str(out), "--prompt", "{text}"]
    line = shlex.join([sys.executable, "-c", RUN, *command, *build_options(serve(answer_in_capitals))])
    ran = subprocess.run(f"{line} {closed}", shell=True, env=keyed, capture_output=True, timeout=90, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert [line["response"]["content"] for line in read_results(out).values()] == ["ONE", "TWO"]
