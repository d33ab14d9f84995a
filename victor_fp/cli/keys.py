"""`victor keys`: list, set, delete and migrate keys; a key is read from a hidden prompt or standard input only."""

from __future__ import annotations

import os
import sys
from getpass import getpass

from returns.result import Failure, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault, error_from_store
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal, to_one_line
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import KeyStoreFailure
from victor_fp.shell.credentials.key_ring import get_system_key_ring


def list_keys(terminal: Terminal, *, keyring: bool) -> int:
    """List the names with a key and its location; with `keyring`, those in the keyring."""
    from victor_fp.cli.tables import build_key_rows

    if keyring and isinstance(failure := get_system_key_ring().read(""), Failure):
        return report_error(terminal, error_from_store(failure.failure()))
    rows = build_key_rows(os.environ, get_system_key_ring(), only_ring=keyring)
    if not rows:
        terminal.write_hint("victor: no keys; store one with: victor keys set NAME")
    terminal.write_table(("name", "found in"), rows)
    return ExitCode.OK


def store_key(name: str, terminal: Terminal, *, keyring: bool) -> int:
    """Read a key and store it."""
    from victor_fp.cli.tables import is_known_provider
    from victor_fp.config.api_keys import find_api_key, store_api_key

    secret = _read_key(name)
    if not secret.strip():
        return report_error(terminal, build_usage_error("no key given", todo=f"echo KEY | victor keys set {name}"))
    match outcome(store_api_key(name, secret, keyring=keyring)):
        case Failure(problem):
            return report_error(terminal, _error_from(problem))
        case Success(location):
            terminal.note(f"victor: stored the key for {name} in {location}")
    if not is_known_provider(name):
        terminal.note(
            f"victor: {name} is not a built-in provider; a custom provider reads the key with get_api_key({name!r})"
        )
    found = find_api_key(name).value_or(None)
    if found is not None and found.secret.get_secret_value() != secret.strip():
        terminal.note(f"victor: another key takes precedence: {found.source} {found.location}")
    return ExitCode.OK


def delete_key(name: str, terminal: Terminal, *, keyring: bool) -> int:
    """Delete a stored key."""
    from victor_fp.config.api_keys import delete_api_key

    where = "keyring" if keyring else "file"
    match outcome(delete_api_key(name, keyring=keyring)):
        case Failure(failure):
            return report_error(terminal, error_from_store(failure))
        case Success(True):
            terminal.note(f"victor: deleted the key for {name} from the {where}")
            return ExitCode.OK
        case Success(_):
            what = f"the {where} has no key for {name}"
            return report_error(
                terminal, CommandError(code=ExitCode.NOT_FOUND, what=what, todo="See: victor keys list")
            )


def migrate_keys(terminal: Terminal, *, keyring: bool) -> int:
    """Move keys from the file to the keyring, or back."""
    from victor_fp.config.api_keys import migrate_api_keys

    match outcome(migrate_api_keys(to_keyring=keyring)):
        case Failure(failure):
            return report_error(terminal, error_from_store(failure))
        case Success(names):
            target = "keyring" if keyring else "file"
            terminal.note(f"victor: moved to the {target}: {', '.join(names)}" if names else "victor: nothing to move")
            return ExitCode.OK


def refuse_key_argument(terminal: Terminal) -> int:
    """Reject a key given as an argument, without repeating it."""
    what = "keys are not accepted on the command line"
    why = "they would remain in the shell history and appear in the process list"
    return report_error(terminal, build_usage_error(what, why, "Omit it and type it when prompted, or pipe it in."))


def _read_key(name: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass(f"key for {to_one_line(name)} (not shown): ")
    return sys.stdin.readline() if sys.stdin is not None else ""


def _error_from(problem: Fault | KeyStoreFailure) -> CommandError:
    return error_from_store(problem) if isinstance(problem, KeyStoreFailure) else error_from_fault(problem)
