"""The command line of `victor log`: commands, options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from victor_fp.cli.options import EXIT_CODES, run_and_exit

log_app = typer.Typer(
    help="Show earlier conversations. They are stored on this machine only; keys are removed from them.",
    invoke_without_command=True,
)

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="Maximum number.")]


@log_app.callback()
def log(context: typer.Context) -> None:
    """Show earlier conversations. Without a command, list the latest."""
    if context.invoked_subcommand is None:
        list_log()


@log_app.command("list", epilog=EXIT_CODES)
def list_log(limit: Limit = 20) -> None:
    """List the latest conversations, the newest first."""
    from victor_fp.cli.log import list_log as command

    run_and_exit(lambda terminal: command(limit, terminal))


@log_app.command("show", epilog=EXIT_CODES)
def show_log(
    conversation: Annotated[
        int | None, typer.Argument(metavar="ID", help="The number in the list; without it, the last conversation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the messages as one JSON array.")] = False,
) -> None:
    """Show a conversation."""
    from victor_fp.cli.log import show_log as command

    run_and_exit(lambda terminal: command(conversation, terminal, as_json=as_json))


@log_app.command("search", epilog=EXIT_CODES)
def search_log(
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="All must occur, in upper or lower case.")],
    limit: Limit = 20,
) -> None:
    """Find prompts and responses by their words."""
    from victor_fp.cli.log import search_log as command

    run_and_exit(lambda terminal: command(" ".join(words), limit, terminal))


@log_app.command("delete", epilog=EXIT_CODES)
def delete_log(
    conversation: Annotated[int | None, typer.Argument(metavar="ID", help="The number in the list.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete every conversation.")] = False,
) -> None:
    """Delete a conversation, or all of them."""
    from victor_fp.cli.log import delete_log as command

    if (conversation is None) != everything:
        raise typer.BadParameter("pass the id of a conversation, or --all")
    run_and_exit(lambda terminal: command(conversation, terminal))
