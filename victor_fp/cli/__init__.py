"""The `victor` command. Modules are imported lazily, to keep the startup fast."""

from __future__ import annotations

import os
import sys

USAGE = 2
INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code."""
    code = INTERRUPTED
    open_closed_streams()
    try:
        try:
            code = run(sys.argv[1:])
        finally:
            handle_late_interrupt()
    except KeyboardInterrupt:
        pass
    sys.exit(code)


def open_closed_streams() -> None:
    """Discard output to stdout or stderr if it is closed, as by `2>&-` and some services.

    A file that is opened later, such as a ledger, could otherwise get the descriptor that libraries write their messages to.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  open until the exit
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def handle_late_interrupt() -> None:
    """Make Ctrl-C exit at once with 130 while the interpreter still waits for threads, and do nothing once it has ended them.

    Python resets the signal near its end, so that an impatient Ctrl-C would otherwise kill the process: that is seen as
    another exit code, or as a traceback.
    """
    import atexit
    import signal

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # after every thread has ended
        signal.signal(signal.SIGINT, _end_process)


def _end_process(_signal: int, _frame: object) -> None:
    from contextlib import suppress

    with suppress(Exception):
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    if arguments in (["--version"], ["-V"]):
        from victor_fp import __version__

        sys.stdout.write(f"victor {__version__}\n")
        return 0
    try:
        match arguments:
            case ["providers"]:
                return run_providers()
            case ["providers", "--search" | "-s", text]:
                return run_providers(text)
            case _:
                pass
        try:
            from victor_fp.cli.app import app
        except ImportError as error:
            if (error.name or "").partition(".")[0] not in ("typer", "rich", "click", "shellingham"):
                raise
            sys.stderr.write(
                f"victor: the command requires {error.name}, which is not installed: pip install 'victor_fp[cli]'\n"
            )
            return USAGE
        app(arguments, prog_name="victor")
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def run_providers(search: str = "") -> int:
    """Run `victor providers` without the option parser, whose import takes longer than the command."""
    from victor_fp.cli.providers import list_providers
    from victor_fp.cli.reporting import run_command

    return run_command(lambda terminal: list_providers(terminal, search))
