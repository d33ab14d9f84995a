"""`victor keys`: list, set, delete and migrate. A key is read from a hidden prompt or standard input, never from the command line."""

from __future__ import annotations

import os
import sys
from getpass import getpass

from returns.result import Failure, Success

from victor_fp.cli.commands import ended
from victor_fp.cli.exit_codes import Ending, ExitCode, fault_ending, store_ending, wrong_usage
from victor_fp.cli.terminal import Terminal
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import StoreUnusable
from victor_fp.shell.credentials.key_ring import system_key_ring


def show(terminal: Terminal, *, keyring: bool) -> int:
    """Which names have a key, and where; with `keyring` only what that holds."""
    from victor_fp.cli.tables import key_rows

    if keyring and isinstance(unusable := system_key_ring().read(""), Failure):
        return ended(terminal, store_ending(unusable.failure()))
    rows = key_rows(os.environ, system_key_ring(), only_ring=keyring)
    if not rows:
        terminal.hint("victor: no keys; give one with: victor keys set NAME")
    terminal.table(("name", "found in"), rows)
    return ExitCode.OK


def put(name: str, terminal: Terminal, *, keyring: bool) -> int:
    """Store a key."""
    from victor_fp.cli.tables import is_known
    from victor_fp.config.api_keys import find_api_key, store_api_key

    secret = _secret(name)
    if not secret.strip():
        return ended(terminal, wrong_usage("no key was given", todo=f"echo KEY | victor keys set {name}"))
    match outcome(store_api_key(name, secret, keyring=keyring)):
        case Failure(problem):
            return ended(terminal, _ending(problem))
        case Success(place):
            terminal.note(f"victor: stored the key for {name} in {place}")
    if not is_known(name):
        terminal.note(f"victor: {name} is not a built-in provider; your own finds the key with get_api_key({name!r})")
    found = find_api_key(name).value_or(None)
    if found is not None and found.secret.get_secret_value() != secret.strip():
        terminal.note(f"victor: another key comes first and will be used: {found.source} {found.place}")
    return ExitCode.OK


def remove(name: str, terminal: Terminal, *, keyring: bool) -> int:
    """Delete a stored key."""
    from victor_fp.config.api_keys import delete_api_key

    where = "keyring" if keyring else "file"
    match outcome(delete_api_key(name, keyring=keyring)):
        case Failure(unusable):
            return ended(terminal, store_ending(unusable))
        case Success(True):
            terminal.note(f"victor: deleted the key for {name} from the {where}")
            return ExitCode.OK
        case Success(_):
            what = f"the {where} holds no key for {name}"
            return ended(terminal, Ending(code=ExitCode.NOT_FOUND, what=what, todo="See: victor keys list"))


def migrate(terminal: Terminal, *, keyring: bool) -> int:
    """Move keys from the file into the keyring, or back."""
    from victor_fp.config.api_keys import migrate_api_keys

    match outcome(migrate_api_keys(to_keyring=keyring)):
        case Failure(unusable):
            return ended(terminal, store_ending(unusable))
        case Success(names):
            target = "keyring" if keyring else "file"
            terminal.note(f"victor: moved to the {target}: {', '.join(names)}" if names else "victor: nothing to move")
            return ExitCode.OK


def no_secrets_here(terminal: Terminal) -> int:
    """Refuse a key given as an argument, without repeating it."""
    what = "keys are not taken from the command line"
    why = "they would stay in the shell's history and show in the list of processes"
    return ended(terminal, wrong_usage(what, why, "Leave it out and type it when asked, or pipe it in."))


def _secret(name: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass(f"key for {name} (not shown): ")
    return sys.stdin.readline() if sys.stdin is not None else ""


def _ending(problem: Fault | StoreUnusable) -> Ending:
    return store_ending(problem) if isinstance(problem, StoreUnusable) else fault_ending(problem)
