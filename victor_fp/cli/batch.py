"""The commands of `victor batch`: run a job over a file of rows, and manage its ledger."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.batch_progress import Tally, create_progress, watch_waiting
from victor_fp.cli.commands import TargetOptions, choose_provider, run_with_provider
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.inputs import is_stream, read_schema
from victor_fp.cli.provider_selection import Selection, find_server_address, select_model
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal
from victor_fp.core.faults import Fault
from victor_fp.core.jobs.rows import list_template_fields
from victor_fp.core.json import Json, encode_json
from victor_fp.core.result import outcome
from victor_fp.core.usage.cost import Price
from victor_fp.jobs import (
    Budget,
    JobRun,
    cancel_run,
    export,
    format_report,
    read_handles,
    read_report,
    read_rows,
    reopen_rows,
    run,
)
from victor_fp.jobs.export import export_lines, is_companion, is_same_file
from victor_fp.jobs.sources import count_records
from victor_fp.providers.base import BaseProvider

Order = Literal["input", "completion"]
FailedStatus = Literal["failed", "retryable"]


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `victor batch run`, without provider and model."""

    source: Path
    out: Path
    ledger: Path | None = None
    prompt: str | None = None
    key: str | None = None
    system: str | None = None
    schema: Path | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    concurrency: int = 32
    budget_usd: float | None = None
    budget_tokens: int | None = None
    budget_requests: int | None = None
    resume: bool = False
    route: Literal["live", "batch", "auto"] = "live"
    retry_failed: bool = False

    @property
    def ledger_path(self) -> Path:
        """The path of the ledger, by default next to the output."""
        return self.ledger or self.out.with_name(f"{self.out.name}.ledger")


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a run: the schema and the number of rows."""

    schema: Mapping[str, Json] | None
    total: int


def run_batch(target: TargetOptions, options: RunOptions, stdin: TextIO | None, terminal: Terminal) -> int:
    """Process every row of a file, or of standard input, and write the results to a file or standard output.

    The command line is validated before anything is sent.
    """
    if not is_stream(options.source):
        return _run_file(target, options, terminal)
    if stdin is None or stdin.closed:
        return report_error(terminal, build_usage_error("the rows cannot be read", "standard input is closed"))
    with tempfile.TemporaryDirectory(prefix="victor-fp-") as folder:
        source = Path(folder) / "stdin.jsonl"  # a file, so that a slow writer does not delay calls in flight
        with source.open("wb") as file:
            shutil.copyfileobj(stdin.buffer, file)
        return _run_file(target, msgspec.structs.replace(options, source=source), terminal)


def _run_file(target: TargetOptions, options: RunOptions, terminal: Terminal) -> int:
    match outcome(_plan_run(options)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(plan):
            pass

    async def begin() -> int:
        selection = await choose_provider(target, terminal)

        async def use(provider: BaseProvider) -> int:
            match outcome(await select_model(provider, selection.model)):
                case Failure(error):
                    return report_error(terminal, error)
                case Success(model):
                    return await _run_rows(provider, model, options, plan, terminal)

        return await run_with_provider(selection, target, terminal, use)

    try:
        return asyncio.run(begin())
    except KeyboardInterrupt:
        terminal.note(f"victor: stopped; finished rows are kept in {options.ledger_path}. Continue with --resume.")
        return ExitCode.INTERRUPTED


def _plan_run(options: RunOptions) -> Result[RunPlan, CommandError]:
    """Check files and options that need no provider."""
    ledger = options.ledger_path
    if (error := _find_file_problem(options)) is not None:
        return Failure(error)
    if options.prompt is not None and not list_template_fields(options.prompt):
        return Failure(build_usage_error("--prompt has no column", todo='Write it in braces: "Summarise: {text}".'))
    if ledger.exists() and not options.resume and not _is_unused(ledger):
        what = f"there is a ledger from an earlier run: {ledger}"
        return Failure(build_usage_error(what, todo="Continue it with --resume, or name another with --ledger."))
    schema: Mapping[str, Json] | None = None
    if options.schema is not None:
        match outcome(read_schema(options.schema)):
            case Failure(error):
                return Failure(error)
            case Success(schema):
                pass
    try:
        read_rows(options.source)  # refuses a suffix that it does not know
        total = count_records(options.source)
    except ImportError as error:
        return Failure(build_usage_error(f"{options.source} cannot be read", str(error)))
    except (OSError, ValueError) as error:
        return Failure(_build_source_error(options.source, error))
    return Success(RunPlan(schema=schema, total=total))


def _is_unused(ledger: Path) -> bool:
    """Return whether a ledger has no results and no batches: its run stopped before it sent anything, such as without a key."""
    report = read_report(ledger).value_or(None)
    return report is not None and not (report.done or report.failed or report.retryable or report.in_batches)


def _find_file_problem(options: RunOptions) -> CommandError | None:
    """Return the error for an output or ledger that would replace another file or cannot be written; None if there is none."""
    source, out, ledger = options.source, options.out, options.ledger_path
    unwritable = f"{out} cannot be written"
    if is_stream(out):
        if options.ledger is None:
            return build_usage_error("--out - requires a ledger", todo="Name its file: --ledger FILE")
        return _find_ledger_problem(ledger, ((source, "input"),))
    if not os.path.isdir(out.parent):
        return build_usage_error(unwritable, "its directory does not exist")
    if os.path.exists(out) and not os.path.isfile(out):
        return build_usage_error(unwritable, "it is not a regular file")
    if not os.access(out.parent, os.W_OK):
        return build_usage_error(unwritable, "its directory is read-only")
    if is_same_file(source, out):
        return build_usage_error(unwritable, "it is the input")
    if is_companion(ledger, out):
        return build_usage_error(unwritable, "it is a file of the ledger")
    return _find_ledger_problem(ledger, ((source, "input"), (out, "output")))


def _find_ledger_problem(ledger: Path, others: Sequence[tuple[Path, str]]) -> CommandError | None:
    """Return the error for a ledger that would replace another file, one of these by their roles; None if there is none."""
    for file, role in others:
        if is_same_file(file, ledger):
            return build_usage_error(f"{ledger} cannot be the ledger", f"it is the {role}")
    if os.path.exists(ledger) and not os.path.isfile(ledger):
        return build_usage_error(f"{ledger} cannot be the ledger", "it is not a regular file")
    return None


def _build_source_error(path: Path, error: Exception) -> CommandError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return build_usage_error(f"{path} cannot be read", reason)


def _find_price(provider: BaseProvider) -> Price | None:
    """Return the table of the extra `prices`, if installed."""
    from importlib.util import find_spec

    if find_spec("genai_prices") is None or provider.base_url is None:
        return None
    from victor_fp.shell.prices import price_at

    return price_at(provider.base_url)


async def _run_rows(provider: BaseProvider, model: str, options: RunOptions, plan: RunPlan, terminal: Terminal) -> int:
    price = _find_price(provider)
    if options.budget_usd is not None and price is None:
        todo = "pip install 'victor_fp[prices]', or use --budget-tokens or --budget-requests."
        return report_error(
            terminal, build_usage_error("--budget-usd requires prices", "none are known for this provider", todo)
        )
    has_budget = (options.budget_usd, options.budget_tokens, options.budget_requests) != (None, None, None)
    budget = Budget(usd=options.budget_usd, tokens=options.budget_tokens, requests=options.budget_requests)
    chosen: dict[str, Any] = {"temperature": options.temperature, "max_tokens": options.max_tokens}
    job: JobRun[Any] = run(
        read_rows(options.source, template=options.prompt, key=options.key, system=options.system),
        provider,
        ledger=options.ledger_path,
        model=model,
        schema=plan.schema,
        concurrency=options.concurrency,
        budget=budget if has_budget else None,
        price=price,
        retry_failed=options.retry_failed,
        route=options.route,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    tally = Tally()
    try:
        async with job:
            with create_progress(terminal, plan.total) as progress:
                watching = asyncio.create_task(watch_waiting(job, progress))
                try:
                    async for done in job:
                        if done.key:
                            tally.add(done)
                            progress.show(tally)
                finally:
                    watching.cancel()
    except (OSError, ValueError) as error:
        return report_error(terminal, _build_source_error(options.source, error))
    return await _end_run(job, options, tally, terminal, find_server_address(provider))


async def _end_run(job: JobRun[Any], options: RunOptions, tally: Tally, terminal: Terminal, address: str | None) -> int:
    """Write the results and report the outcome of the rows. A run that sent nothing does not replace the output."""
    if job.stopped is not None and await asyncio.to_thread(_is_unused, options.ledger_path):
        return report_error(terminal, error_from_fault(job.stopped, address))
    written = await asyncio.to_thread(_write_results, options.ledger_path, options.out, "input", terminal)
    match outcome(written):
        case Failure(fault):
            return report_error(terminal, error_from_fault(job.stopped or fault, address))
        case Success(count):
            terminal.write_hint(f"victor: {count} rows in {_name_output(options.out)}; {tally.describe()}")
    if job.stopped is not None:
        return report_error(terminal, error_from_fault(job.stopped, address))
    if tally.failed:
        what = f"{tally.failed} of {tally.finished} rows failed"
        why = "" if tally.first_fault is None else tally.first_fault.message
        todo = f"See: victor batch status {options.ledger_path}"
        return report_error(terminal, CommandError(code=ExitCode.FAILED, what=what, why=why, todo=todo))
    return ExitCode.OK


def show_status(ledger: Path, terminal: Terminal, *, as_json: bool) -> int:
    """Show the statistics of a ledger, also during a run."""
    match outcome(read_report(ledger)):
        case Failure(fault):
            return _report_ledger_error(ledger, fault, terminal)
        case Success(report):
            fields = msgspec.to_builtins(report)
            terminal.write_line(encode_json(fields).decode() if as_json else format_report(report))
            return ExitCode.OK


def export_results(ledger: Path, out: Path, order: Order, terminal: Terminal) -> int:
    """Write the finished rows of a ledger as JSONL."""
    match outcome(_write_results(ledger, out, order, terminal)):
        case Failure(fault):
            return _report_ledger_error(ledger, fault, terminal)
        case Success(count):
            terminal.write_hint(f"victor: {count} rows in {_name_output(out)}")
            return ExitCode.OK


def _write_results(ledger: Path, out: Path, order: Order, terminal: Terminal) -> Result[int, Fault]:
    """Write the finished rows to a file, or to standard output; return their number."""
    if not is_stream(out):
        return export(ledger, out, order=order)
    return export_lines(ledger, lambda line: terminal.write(line.decode()), order=order)


def _name_output(out: Path) -> str:
    return "standard output" if is_stream(out) else str(out)


def retry_rows(ledger: Path, statuses: Sequence[FailedStatus], terminal: Terminal) -> int:
    """Delete the results of failed rows, so that the next run retries them."""
    match outcome(reopen_rows(ledger, statuses)):
        case Failure(fault):
            return _report_ledger_error(ledger, fault, terminal)
        case Success(count):
            terminal.write_line(f"{count} rows are unfinished again; retry them with: victor batch run ... --resume")
            return ExitCode.OK


def cancel_batch(ledger: Path, target: TargetOptions, terminal: Terminal) -> int:
    """Stop the run that has the ledger open, and cancel the ledger's batches at the vendor."""
    match outcome(cancel_run(ledger)):
        case Failure(fault):
            return _report_ledger_error(ledger, fault, terminal)
        case Success(is_running):
            pass
    match outcome(read_handles(ledger)):
        case Failure(fault):
            return _report_ledger_error(ledger, fault, terminal)
        case Success(handles):
            pass
    if is_running:
        terminal.write_line("the run stops after the next row in flight has finished")
    if not handles:
        if not is_running:
            terminal.write_line(f"no run has {ledger} open; nothing to cancel")
        return ExitCode.OK

    async def cancel(provider: BaseProvider) -> int:
        code: int = ExitCode.OK
        for handle in handles:
            match outcome(await provider.cancel_batch_result(handle)):
                case Failure(fault):
                    code = report_error(terminal, error_from_fault(fault, find_server_address(provider)))
                case Success(status):
                    terminal.write_line(f"batch {handle.id} is {status.state}")
        terminal.write_hint("victor: collect the available results with: victor batch run ... --resume --route batch")
        return code

    return asyncio.run(run_with_provider(Selection(provider=handles[0].provider), target, terminal, cancel))


def _report_ledger_error(ledger: Path, fault: Fault, terminal: Terminal) -> int:
    if not os.path.exists(ledger):
        todo = "The ledger of a run is next to its output: OUT.jsonl.ledger"
        return report_error(
            terminal, CommandError(code=ExitCode.NOT_FOUND, what=f"ledger {ledger} not found", todo=todo)
        )
    return report_error(terminal, error_from_fault(fault))
