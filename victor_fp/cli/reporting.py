"""How a command runs: its errors become one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from traceback import walk_tb

from victor_fp.cli.exit_codes import CommandError, ExitCode, encode_error
from victor_fp.cli.terminal import Terminal


class JsonTerminal(Terminal):
    """A terminal for one JSON object: the response or the error."""


def run_command(command: Callable[[Terminal], int]) -> int:
    """Run a command and return its exit code; errors are reported as one line."""
    terminal = Terminal()
    try:
        return command(terminal)
    except KeyboardInterrupt:
        if terminal.watched:
            terminal.note("")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.PIPE_CLOSED
    except Exception as error:
        if os.environ.get("VICTOR_FP_DEBUG"):
            raise
        return report_error(terminal, _build_unexpected_error(error))


def silence_logging() -> None:
    """Keep log records off the terminal unless VICTOR_FP_DEBUG is set: they may quote vendors and tools word for word."""
    import logging

    if not logging.getLogger().handlers and not os.environ.get("VICTOR_FP_DEBUG"):
        logging.getLogger().addHandler(logging.NullHandler())


def _build_unexpected_error(error: Exception) -> CommandError:
    """Say where an unexpected exception comes from: the system, a provider package, or a defect here."""
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        return CommandError(code=ExitCode.FAILED, what="the operating system refused", why=error.strerror or why)
    if package := _find_plugin(error):
        todo = "Report it to the authors of that package; VICTOR_FP_DEBUG=1 shows where."
        return CommandError(code=ExitCode.FAILED, what=f"the provider package {package} failed", why=why, todo=todo)
    todo = "This is a defect in victor_fp; VICTOR_FP_DEBUG=1 shows where."
    return CommandError(code=ExitCode.BUG, what="unexpected failure", why=why, todo=todo)


def _find_plugin(error: Exception) -> str | None:
    """Return the installed provider package whose code raised the error, or could not be loaded."""
    from importlib.metadata import entry_points

    from victor_fp.providers.installed import ENTRY_POINTS

    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    missing = error.name or "" if isinstance(error, ImportError) else ""
    for point in entry_points(group=ENTRY_POINTS):
        package = point.module.partition(".")[0]
        if any(name.partition(".")[0] == package for name in (*raised_in, missing)):
            return package
    return None


def report_error(terminal: Terminal, error: CommandError) -> int:
    """Report an error and return its exit code."""
    if isinstance(terminal, JsonTerminal):
        terminal.write_line(encode_error(error))
    terminal.note(error.line)
    return error.code


def _silence_stdout() -> None:
    """Redirect stdout to nowhere, so that flushing it at exit does not fail again after the reader has closed the pipe."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
