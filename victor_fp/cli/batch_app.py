"""The command line of `victor batch`: commands, options and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from victor_fp.cli.options import EXIT_CODES, BaseUrl, Model, Provider, Setting, Timeout, run_and_exit

batch_app = typer.Typer(help="Process many rows, each once, with a persistent ledger.", no_args_is_help=True)

Ledger = Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger of a run: OUT.jsonl.ledger.")]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="OUT.jsonl", help="The file for the results; -: standard output.")
]


class RouteOption(StrEnum):
    """How rows are processed."""

    LIVE = "live"
    BATCH = "batch"
    AUTO = "auto"


@batch_app.command("run", epilog=EXIT_CODES)
def run(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Rows: a .jsonl, .csv or .parquet file; -: JSONL from standard input.")
    ],
    out: Out,
    provider: Provider = None,
    model: Model = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help='Prompt template with columns: "Summarise: {text}".')
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that identifies a row.")] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions.")] = None,
    schema: Annotated[Path | None, typer.Option(metavar="FILE", help="Request JSON that matches this schema.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Sampling temperature.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Maximum length of a response in tokens.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Maximum rows in flight.")] = 32,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop before this many US dollars are spent.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(min=0, help="Stop before this many tokens are used.")] = None,
    budget_requests: Annotated[
        int | None,
        typer.Option(
            min=0, help="Stop after this many calls, not counting retries in a call and failures without a cost."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an earlier run; finished rows are kept.")] = False,
    route: Annotated[
        RouteOption,
        typer.Option(help="One call per row, the vendor's batch API, or both: live calls for the remaining rows."),
    ] = RouteOption.LIVE,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry rows that failed permanently.")] = False,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The ledger, if not OUT.jsonl.ledger; required with --out -.")
    ] = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Process every row of a file once and write the results. Ctrl-C stops; --resume continues."""
    import sys

    from victor_fp.cli.batch import RunOptions, run_batch
    from victor_fp.cli.commands import TargetOptions

    target = TargetOptions(
        provider=provider, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ())
    )
    options = RunOptions(
        source=source,
        out=out,
        ledger=ledger,
        prompt=prompt,
        key=key,
        system=system,
        schema=schema,
        temperature=temperature,
        max_tokens=max_tokens,
        concurrency=concurrency,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
        budget_requests=budget_requests,
        resume=resume,
        route=route.value,
        retry_failed=retry_failed,
    )
    run_and_exit(lambda terminal: run_batch(target, options, sys.stdin, terminal))


@batch_app.command("status")
def status(
    ledger: Ledger,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show counts, faults, tokens, cost and throughput, also during a run."""
    from victor_fp.cli.batch import show_status

    run_and_exit(lambda terminal: show_status(ledger, terminal, as_json=as_json))


@batch_app.command("export")
def export(
    ledger: Ledger,
    out: Out,
    by_completion: Annotated[
        bool, typer.Option("--by-completion", help="In order of completion instead of input order.")
    ] = False,
) -> None:
    """Write the finished rows as JSONL."""
    from victor_fp.cli.batch import export_results

    run_and_exit(lambda terminal: export_results(ledger, out, "completion" if by_completion else "input", terminal))


@batch_app.command("retry")
def retry(ledger: Ledger) -> None:
    """Open failed rows again; the next run with --resume retries them."""
    from victor_fp.cli.batch import retry_rows

    run_and_exit(lambda terminal: retry_rows(ledger, ("failed", "retryable"), terminal))


@batch_app.command("cancel")
def cancel(
    ledger: Ledger,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Stop the run that has the ledger open, and cancel its batches at the vendor; finished rows are kept."""
    from victor_fp.cli.batch import cancel_batch
    from victor_fp.cli.commands import TargetOptions

    target = TargetOptions(base_url=base_url, timeout=timeout, settings=tuple(setting or ()))
    run_and_exit(lambda terminal: cancel_batch(ledger, target, terminal))
