"""Execution of commands: errors become one line on stderr and an exit code."""

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
    """Hide log records unless VICTOR_FP_DEBUG is set: they may quote vendors and tools."""
    import logging

    if not logging.getLogger().handlers and not os.environ.get("VICTOR_FP_DEBUG"):
        logging.getLogger().addHandler(logging.NullHandler())


def _build_unexpected_error(error: Exception) -> CommandError:
    """Attribute an unexpected exception to the system, a provider package, or a defect of victor_fp."""
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        return CommandError(
            code=ExitCode.FAILED, what="the operating system reported an error", why=error.strerror or why
        )
    if package := _find_plugin(error):
        todo = "Report it to the authors of that package; VICTOR_FP_DEBUG=1 shows where."
        return CommandError(code=ExitCode.FAILED, what=f"the provider package {package} failed", why=why, todo=todo)
    todo = "This is a defect in victor_fp; VICTOR_FP_DEBUG=1 shows where."
    return CommandError(code=ExitCode.BUG, what="unexpected failure", why=why, todo=todo)


def _find_plugin(error: Exception) -> str | None:
    """Return the installed provider package that raised the error or could not be imported."""
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
    """Redirect stdout to the null device, so that flushing at exit does not fail after the pipe was closed."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
