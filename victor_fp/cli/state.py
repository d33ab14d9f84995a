"""The user's state directory: the log of conversations and the history of prompts, readable only by the owner."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

from victor_fp.core.security.redaction import hide_secrets, is_secret_name, redact_text
from victor_fp.shell.credentials.key_file import open_key_file

CleanText: TypeAlias = Callable[[str], str]
"""Returns a text without secrets."""


def find_state_directory(environment: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> Path | None:
    """Return VICTOR_FP_STATE_DIR, else `victor_fp` in the user's state directory; None without a home directory.

    A relative XDG_STATE_HOME is ignored, as required by the XDG Base Directory Specification.
    """
    if own := environment.get("VICTOR_FP_STATE_DIR"):
        return Path(own).absolute()
    shared = environment.get("LOCALAPPDATA" if windows else "XDG_STATE_HOME", "")
    if shared and Path(shared).is_absolute():
        return Path(shared) / "victor_fp"
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(home) / ".local" / "state" / "victor_fp" if home and Path(home).is_absolute() else None


def make_private_file(path: Path) -> Path:
    """Create a file and its directory, accessible only by the owner; existing content is kept. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    return path


def make_cleaner(environment: Mapping[str, str]) -> CleanText:
    """Return a function that removes secrets of the environment and the key file, and other credentials, from a text.

    The key file is read at the first call.
    """

    @cache
    def list_secrets() -> tuple[str, ...]:
        named = (value.strip() for name, value in environment.items() if is_secret_name(name))
        return (*named, *open_key_file(environment).read().value_or({}).values())

    return lambda text: redact_text(hide_secrets(text, list_secrets()), names=True)
