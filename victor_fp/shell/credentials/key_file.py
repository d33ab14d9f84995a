"""Keys in one JSON file that only its owner can read: `{"openai": "..."}`, replaced as a whole, never changed in place."""

from __future__ import annotations

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

from victor_fp.core.json import NotJson, decode_json_object
from victor_fp.core.result import outcome

FILE_NAME = "keys.json"
MOST_BYTES = 1_000_000
"""No file of keys is larger; what is, is something else."""
PATIENCE = 2.0
"""Seconds that a change waits for another process's change."""


class StoreUnusable(msgspec.Struct, frozen=True, kw_only=True):
    """A place for keys that cannot be used now, and why."""

    store: Literal["keyring", "file"]
    place: str
    reason: str
    remedy: str = ""
    """What to do about it, as an order."""


def config_directory(environment: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> Path | None:
    """Where settings live: VICTOR_FP_CONFIG_DIR, else `victor_fp` in the user's configuration directory.

    None where the environment names no home. A relative XDG_CONFIG_HOME counts as unset (XDG Base Directory
    Specification).
    """
    if own := environment.get("VICTOR_FP_CONFIG_DIR"):
        return Path(own).absolute()
    shared = environment.get("APPDATA" if windows else "XDG_CONFIG_HOME", "")
    if shared and Path(shared).is_absolute():
        return Path(shared) / "victor_fp"
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(home) / ".config" / "victor_fp" if home and Path(home).is_absolute() else None


class KeyFile(msgspec.Struct, frozen=True):
    """The file of keys at `path`; None where no home is known."""

    path: Path | None

    @property
    def place(self) -> str:
        """The path for people."""
        return str(self.path) if self.path else "no configuration directory"

    def read(self) -> Result[dict[str, str], StoreUnusable]:
        """Keys by name; empty where there is no file. A file that others can read is refused."""
        if self.path is None:
            return Success({})
        try:
            # Without O_NONBLOCK a named pipe in the file's place would hold the caller for ever.
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        except (FileNotFoundError, NotADirectoryError):
            return Success({})
        except OSError as error:
            return self._refused(f"cannot be opened ({error.strerror})")
        if refused := self._objection(os.fstat(descriptor)):
            os.close(descriptor)
            return Failure(refused)
        with os.fdopen(descriptor, "rb") as file:
            try:
                return self._keys(file.read(MOST_BYTES + 1))
            except OSError as error:
                return self._refused(f"cannot be read ({error.strerror})")

    def store(self, name: str, secret: str) -> Result[None, StoreUnusable]:
        """Put a key under `name`, in place of what stood there."""
        return self._change(lambda keys: {**keys, name: secret}).map(lambda _: None)

    def remove(self, name: str) -> Result[bool, StoreUnusable]:
        """Take the key under `name` away; False where there was none."""

        def without(keys: dict[str, str]) -> dict[str, str]:
            return {key: value for key, value in keys.items() if key != name}

        return self._change(without).map(lambda before: name in before)

    def _change(self, change: Callable[[dict[str, str]], dict[str, str]]) -> Result[dict[str, str], StoreUnusable]:
        """Read, change and replace under a lock; the keys as they were before."""
        if self.path is None:
            return self._refused("has no place", "set HOME or VICTOR_FP_CONFIG_DIR")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _alone(self.path.with_suffix(".lock")) as alone:
                if not alone:
                    return self._refused("is being changed by another process", "try again")
                match outcome(self.read()):
                    case Success(before):
                        after = change(before)
                        if after != before:
                            _replace(self.path, after)
                        return Success(before)
                    case Failure(refused):
                        return Failure(refused)
        except OSError as error:
            return self._refused(f"cannot be written ({error.strerror})")

    def _objection(self, found: os.stat_result) -> StoreUnusable | None:
        if not stat.S_ISREG(found.st_mode):
            return self._unusable("is no regular file")
        if os.name != "posix":
            return None
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            return self._unusable(f"can be read by others (mode {mode:04o})", f"chmod 600 {self.place}")
        if os.geteuid() not in (0, found.st_uid):
            return self._unusable("belongs to another user")
        return None

    def _keys(self, content: bytes) -> Result[dict[str, str], StoreUnusable]:
        if len(content) > MOST_BYTES:
            return self._refused("is too large to be a file of keys")
        match decode_json_object(content) if content.strip() else {}:
            case NotJson():
                # The reason may quote the content, which is secret.
                return self._refused("is not a JSON object", "mend it or delete it")
            case keys:
                return Success({name: value for name, value in keys.items() if isinstance(value, str)})

    def _refused(self, reason: str, remedy: str = "") -> Failure[StoreUnusable]:
        return Failure(self._unusable(reason, remedy))

    def _unusable(self, reason: str, remedy: str = "") -> StoreUnusable:
        return StoreUnusable(store="file", place=self.place, reason=reason, remedy=remedy)


def key_file(environment: Mapping[str, str]) -> KeyFile:
    """The user's file of keys."""
    directory = config_directory(environment)
    return KeyFile(directory / FILE_NAME if directory else None)


def _replace(path: Path, keys: Mapping[str, str]) -> None:
    """Write beside and rename over: a reader sees the old file or the new one, whole. A link stays a link."""
    target = Path(os.path.realpath(path))
    descriptor, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(dict(keys)), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Hold the lock file; False where another process holds it for too long. Without fcntl nobody waits."""
    try:
        import fcntl
    except ImportError:
        yield True
        return
    with open(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as file:
        until = monotonic() + PATIENCE
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
