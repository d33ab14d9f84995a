"""Lookup of GGUF files: a path, or the small model, which is fetched once and kept in a cache directory.

The hash of the small model is checked at every lookup, because other users may be able to write to the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, ModelNotFound
from victor_fp.core.result import outcome
from victor_fp.shell.transport.local.gguf import MAGIC
from victor_fp.shell.transport.local.package_fetch import Fetched, Progress, fetch_package
from victor_fp.shell.transport.local.small_model import SMALL_MODEL, PackagedModel

Fetch: TypeAlias = Callable[[PackagedModel, Path, Mapping[str, str], Progress], Result[Fetched, Fault]]

PROVIDER = "local"
_PIECE = 1 << 20


def ignore_progress(_done: int, _total: int) -> None:
    """Show no progress."""


def find_cache_directory(environment: Mapping[str, str]) -> Path:
    """Return `VICTOR_FP_CACHE`, otherwise `victor_fp` in the platform's cache directory."""
    if chosen := environment.get("VICTOR_FP_CACHE"):
        return Path(chosen).expanduser()
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen) / "victor_fp"
    if sys.platform == "win32":
        base = environment.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "victor_fp" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "victor_fp"
    return Path.home() / ".cache" / "victor_fp"


def is_cached(environment: Mapping[str, str], model: PackagedModel = SMALL_MODEL) -> bool:
    """Return whether `model` is available without network access."""
    try:
        return _find(model, environment) is not None
    except (OSError, RuntimeError, ValueError):
        return False


def resolve(
    model: str | None,
    environment: Mapping[str, str],
    *,
    progress: Progress = ignore_progress,
    small: PackagedModel = SMALL_MODEL,
    fetch: Fetch = fetch_package,
) -> Result[Path, Fault]:
    """Return the GGUF file for `model`: a path, or the small model if it is None, empty or the name of that model.

    Blocks while the small model is fetched; `progress` is called with the bytes done and the total bytes. Faults:
    ModelNotFound (no such file, or not available from the registry), InvalidRequest (not a GGUF file, unreadable, or the
    cache is full or not writable), InvalidResponse (the checksum differs).
    """
    if not model or model == small.name:
        try:
            found = _find(small, environment)
            return Success(found) if found is not None else _fetch(small, environment, progress, fetch)
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: there is no home directory
            return Failure(_build_cache_fault(small, error))
    try:
        return _check_path(model, small)
    except (OSError, RuntimeError, ValueError) as error:
        message = f"the model's file cannot be read: {_describe_error(error)}"
        return Failure(InvalidRequest(provider=PROVIDER, model=model, code="unreadable", message=message))


def _check_path(model: str, small: PackagedModel) -> Result[Path, Fault]:
    path = Path(model).expanduser()
    if not path.is_file():
        return Failure(
            ModelNotFound(
                provider=PROVIDER,
                model=model,
                message=f"no such GGUF file; give a path, or {small.name!r} for the small model that is fetched once",
            )
        )
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return Failure(InvalidRequest(provider=PROVIDER, model=model, code="not_gguf", message="not a GGUF file"))
    return Success(path)


def _find(model: PackagedModel, environment: Mapping[str, str]) -> Path | None:
    """Find the file in the cache or in an installed package, with the expected size and hash."""
    cached = find_cache_directory(environment) / "models" / model.file
    spec = find_spec(model.module)
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    for path in (cached, *(folder / model.file for folder in folders)):
        if path.is_file() and path.stat().st_size == model.size:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == model.sha256:
                    return path
    return None


def _fetch(
    model: PackagedModel, environment: Mapping[str, str], progress: Progress, fetch: Fetch
) -> Result[Path, Fault]:
    folder = find_cache_directory(environment) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if (found := _find(model, environment)) is not None:  # another process was faster
            return Success(found)
        _sweep(folder)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as work:
            match outcome(fetch(model, Path(work), environment, progress)):
                case Failure(fault):
                    return Failure(fault)
                case Success(fetched):
                    return _keep(model, fetched, Path(work) / "unpacked.gguf", folder / model.file)


def _describe_error(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _build_cache_fault(model: PackagedModel, error: Exception) -> Fault:
    return InvalidRequest(
        provider=PROVIDER,
        model=model.name,
        code="cache_unusable",
        message=f"the cache directory cannot be used ({_describe_error(error)}); set VICTOR_FP_CACHE to another",
    )


def _keep(model: PackagedModel, fetched: Fetched, unpacked: Path, target: Path) -> Result[Path, Fault]:
    """Move the file to `target` atomically, after checking its hash."""
    with fetched.open() as source:
        digest = _copy(cast("BinaryIO", _Bounded(source, model.size + 1)), unpacked)
    if digest != model.sha256:
        return Failure(_build_mismatch_fault(model, digest))
    unpacked.replace(target)
    return Success(target)


class _Bounded:
    """A file that is truncated after a number of bytes, because a member of an archive may unpack to any size."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int) -> bytes:
        """Return the next bytes, up to the limit."""
        piece = self._source.read(min(size, self._left))
        self._left -= len(piece)
        return piece


def _copy(source: BinaryIO, target: Path) -> str:
    """Copy a file and return its SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _build_mismatch_fault(model: PackagedModel, digest: str) -> Fault:
    return InvalidResponse(
        provider=PROVIDER,
        model=model.name,
        code="checksum_mismatch",
        message=f"{model.distribution} {model.version} contains an unexpected file (sha256 {digest}); it was discarded",
    )


_UNFINISHED = ".fetching-"


def _sweep(folder: Path) -> None:
    """Remove files left by a killed process. The lock is held, so that no other process uses them."""
    for left in folder.glob(_UNFINISHED + "*"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the lock under which one process at a time fetches into `folder`. It is released when the process ends."""
    with (folder / ".lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
