"""The key file: JSON `{"openai": "..."}`, readable by its owner only, and always replaced as a whole."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.json import decode_json
from victor_fp.core.result import outcome

FILE_NAME = "keys.json"
MAX_BYTES = 1_000_000
"""Larger files are not key files."""
LOCK_TIMEOUT = 2.0
"""Seconds that a change waits for the change of another process."""


class KeyStoreFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A keyring or key file that cannot be used, and why."""

    store: Literal["keyring", "file"]
    location: str
    reason: str
    remedy: str = ""
    """What to do about it, in the imperative."""


def find_config_directory(environment: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> Path | None:
    """Return VICTOR_FP_CONFIG_DIR, otherwise `victor_fp` in the user's configuration directory.

    None if the environment has no home directory. A relative XDG_CONFIG_HOME is ignored, as the XDG Base Directory
    Specification requires.
    """
    if own := environment.get("VICTOR_FP_CONFIG_DIR"):
        return Path(own).absolute()
    shared = environment.get("APPDATA" if windows else "XDG_CONFIG_HOME", "")
    if shared and Path(shared).is_absolute():
        return Path(shared) / "victor_fp"
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(home) / ".config" / "victor_fp" if home and Path(home).is_absolute() else None


class KeyFile(msgspec.Struct, frozen=True):
    """The key file at `path`; None if there is no home directory."""

    path: Path | None

    @property
    def location(self) -> str:
        """The path, for messages."""
        return str(self.path) if self.path else "no configuration directory"

    def read(self) -> Result[dict[str, str], KeyStoreFailure]:
        """Return the keys by name; empty if there is no file. A file that others can read is rejected.

        Entries that are not text are ignored.
        """
        return self._read_entries().map(_select_keys)

    def _read_entries(self) -> Result[dict[str, msgspec.Raw], KeyStoreFailure]:
        if self.path is None:
            return Success({})
        try:
            # Without O_NONBLOCK, opening a named pipe would block forever.
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        except (FileNotFoundError, NotADirectoryError):
            return Success({})
        except OSError as error:
            return self._refuse(f"cannot be opened ({error.strerror})")
        if refused := self._check_permissions(os.fstat(descriptor)):
            os.close(descriptor)
            return Failure(refused)
        with os.fdopen(descriptor, "rb") as file:
            try:
                return self._decode_entries(file.read(MAX_BYTES + 1))
            except OSError as error:
                return self._refuse(f"cannot be read ({error.strerror})")

    def store(self, name: str, secret: str) -> Result[None, KeyStoreFailure]:
        """Store a key under `name`, replacing an existing one.

        A name or key that the file cannot represent is rejected before anything is written.
        """
        given: object = secret
        if not isinstance(given, str):
            return self._refuse(f"cannot hold the key: it is {type(given).__name__}, not str", "pass the key as a str")
        try:
            name.encode()
            value = msgspec.Raw(msgspec.json.encode(secret))
        except (UnicodeEncodeError, AttributeError, TypeError):
            return self._refuse("cannot hold the key: it is not valid text", "pass another key")
        return self._change(lambda entries: {**entries, name: value}).map(lambda _: None)

    def remove(self, name: str) -> Result[bool, KeyStoreFailure]:
        """Remove the key under `name`; False if there is none."""

        def without(entries: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
            return {key: value for key, value in entries.items() if key != name}

        return self._change(without).map(lambda before: name in before)

    def _change(
        self, change: Callable[[dict[str, msgspec.Raw]], dict[str, msgspec.Raw]]
    ) -> Result[dict[str, msgspec.Raw], KeyStoreFailure]:
        """Read, change and replace the entries under a lock; return them as they were before."""
        if self.path is None:
            return self._refuse("has no location", "set HOME or VICTOR_FP_CONFIG_DIR")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _lock(self.path.with_suffix(".lock")) as locked:
                if not locked:
                    return self._refuse("is being changed by another process", "try again")
                match outcome(self._read_entries()):
                    case Success(before):
                        after = change(before)
                        content = _join_entries(after)
                        if len(content) > MAX_BYTES:
                            return self._refuse(f"cannot hold the key: it would exceed {MAX_BYTES} bytes")
                        if after != before:
                            _replace(self.path, content)
                        return Success(before)
                    case Failure(refused):
                        return Failure(refused)
        except OSError as error:
            return self._refuse(f"cannot be written ({error.strerror})")

    def _check_permissions(self, found: os.stat_result) -> KeyStoreFailure | None:
        if not stat.S_ISREG(found.st_mode):
            return self._build_failure("is not a regular file")
        if os.name != "posix":
            return None
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            return self._build_failure(f"can be read by others (mode {mode:04o})", f"chmod 600 {self.location}")
        if os.geteuid() not in (0, found.st_uid):
            return self._build_failure("belongs to another user")
        return None

    def _decode_entries(self, content: bytes) -> Result[dict[str, msgspec.Raw], KeyStoreFailure]:
        """Split the object into its entries without decoding them, so that a bad one does not affect the others."""
        if len(content) > MAX_BYTES:
            return self._refuse("is too large for a key file")
        if not content.strip():
            return Success({})
        try:
            return Success(_split_entries(content))
        except (TypeError, RecursionError, ValueError):
            # The exception is dropped: its message may quote the content, which is secret.
            return self._refuse("is not a JSON object", "fix it or delete it")

    def _refuse(self, reason: str, remedy: str = "") -> Failure[KeyStoreFailure]:
        return Failure(self._build_failure(reason, remedy))

    def _build_failure(self, reason: str, remedy: str = "") -> KeyStoreFailure:
        return KeyStoreFailure(store="file", location=self.location, reason=reason, remedy=remedy)


def open_key_file(environment: Mapping[str, str]) -> KeyFile:
    """Return the user's key file."""
    directory = find_config_directory(environment)
    return KeyFile(directory / FILE_NAME if directory else None)


def _split_entries(content: bytes) -> dict[str, msgspec.Raw]:
    """Split an object into its entries. Raises ValueError, TypeError or RecursionError if it is not an object.

    msgspec rejects the whole text for one lone surrogate or NaN; the standard library accepts them, so that the other
    entries remain usable. An integer beyond Python's limit of digits becomes Infinity: such an entry is not a key.
    """
    try:
        return msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    entries: object = json.loads(content, parse_int=float)
    if not isinstance(entries, dict):
        raise TypeError("not an object")
    valid = {
        name: value
        for name, value in entries.items()
        if name.isascii() or name.encode("utf-8", "replace").decode() == name
    }
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in valid.items()}


def _join_entries(entries: Mapping[str, msgspec.Raw]) -> bytes:
    """Return the object of these entries, one per line; values are written unchanged, valid or not."""
    lines = (b"  " + msgspec.json.encode(name) + b": " + bytes(raw) for name, raw in entries.items())
    return b"{\n" + b",\n".join(lines) + b"\n}\n" if entries else b"{}\n"


def _select_keys(entries: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """Return the entries that are text."""
    values = ((name, decode_json(bytes(raw))) for name, raw in entries.items())
    return {name: value for name, value in values if isinstance(value, str)}


def _replace(path: Path, content: bytes) -> None:
    """Write a temporary file and rename it, so that readers see the old or the new file. A symbolic link is kept."""
    target = Path(os.path.realpath(path))
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


@contextmanager
def _lock(lock: Path) -> Iterator[bool]:
    """Hold the lock file; False if another process holds it for too long. Without fcntl there is no lock."""
    try:
        import fcntl
    except ImportError:
        yield True
        return
    with open(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as file:
        until = monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() >= until:
                    yield False
                    return
                sleep(0.02)
            else:
                yield True
                return
