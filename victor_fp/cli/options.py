"""Options shared by several commands, and the execution of a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from victor_fp.cli.terminal import Terminal

EXIT_CODES = "Exit codes: 0 success, 1 server failed, 2 wrong usage, 3 key, 4 not found, 5 limit, 6 no connection, 7 refused, 130 Ctrl-C."

Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        "-p",
        metavar="NAME",
        envvar="VICTOR_FP_PROVIDER",
        help="The provider, or PROVIDER/MODEL; see: victor providers.",
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="MODEL", help="The model, or PROVIDER/MODEL; see: victor models.")
]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="The server, if it is not the vendor's.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0.001, metavar="SECONDS", help="Maximum wait for data.")
]
Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="NAME=VALUE", help="A setting of the provider; repeatable.")
]


def run_and_exit(command: Callable[[Terminal], int]) -> None:
    """Run a command and exit with its code."""
    from victor_fp.cli.reporting import run_command, silence_logging

    silence_logging()
    raise typer.Exit(run_command(command))
