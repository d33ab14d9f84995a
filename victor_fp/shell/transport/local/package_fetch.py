"""Downloads a wheel from the configured package registry with pip or uv.

They run isolated (`python -I`) in a temporary directory, so that nothing in the current directory is executed or read,
and check the hash of the wheel before unpacking.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, cast

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse, ModelNotFound
from victor_fp.shell.transport.interception import VARIABLE, is_offline
from victor_fp.shell.transport.local.small_model import PackagedModel

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes done and the total bytes."""

_POLL_INTERVAL = 0.1
"""Seconds between two checks of the progress."""
_EXTRA_BYTES = 64 << 20
"""Bytes allowed in addition to the wheel and its contents."""


_REQUIREMENT = "requirement.txt"


class Fetched(Protocol):
    """A downloaded file."""

    def open(self) -> BinaryIO:
        """Open the file; the caller closes it."""
        ...


class PlainFile(msgspec.Struct, frozen=True):
    """A file in a directory."""

    path: Path

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.path.open("rb")


class WheelMember(msgspec.Struct, frozen=True):
    """A file in a wheel, decompressed while it is read."""

    wheel: Path
    member: str

    def open(self) -> BinaryIO:
        """Its bytes."""
        with zipfile.ZipFile(self.wheel) as archive:  # the archive stays open until the member is closed
            return cast("BinaryIO", archive.open(self.member))


class Client(msgspec.Struct, frozen=True):
    """A command that downloads the wheel, and the environment variables that configure its index."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]


def fetch_package(
    model: PackagedModel, folder: Path, environment: Mapping[str, str], progress: Progress
) -> Result[Fetched, Fault]:
    """Fetch the wheel that holds `model` into `folder`, without its dependencies. Blocks; ModelNotFound on failure."""
    if is_offline():
        return Failure(_fetch_failed(model, f"{VARIABLE} is set"))
    reasons: list[str] = []
    if model.wheel_sha256:
        line = f"{model.distribution}=={model.version} --hash=sha256:{model.wheel_sha256}\n"
        (folder / _REQUIREMENT).write_text(line, "utf-8")
    for client in list_clients(model, folder, environment):
        code, text = _run(client, folder, environment, model, progress)
        if code == 0:
            return _locate(model, folder)
        if "No module named pip" not in text:
            reasons.append(f"{client.name}: {find_error_line(text)}")
    return Failure(_fetch_failed(model, "; ".join(reasons) or "neither pip nor uv is installed"))


def list_clients(model: PackagedModel, folder: Path, environment: Mapping[str, str]) -> list[Client]:
    """Return the clients in the order in which they are tried. Environments created by uv do not include pip.

    An index that is configured for one client by a variable is also used for the other.
    """
    wanted: tuple[str, ...] = (f"{model.distribution}=={model.version}",)
    if model.wheel_sha256:
        wanted = ("--require-hashes", "--requirement", str(folder / _REQUIREMENT))
    of_uv = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    of_pip = environment.get("PIP_INDEX_URL")
    for_pip = {"PIP_INDEX_URL": of_uv} if of_uv and not of_pip else {}
    for_uv = {"UV_DEFAULT_INDEX": of_pip} if of_pip and not of_uv else {}
    download = (
        "download", "--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-cache-dir",
        "--no-deps", "--only-binary", ":all:", "--dest", str(folder), *wanted,
    )  # fmt: skip
    install = (
        "pip", "install", "--quiet", "--no-cache", "--no-deps", "--only-binary", ":all:",
        "--python", sys.executable, "--target", str(folder), *wanted,
    )  # fmt: skip
    ways = [Client("pip", (*pip, *download), for_pip) for pip in _list_pips()]
    if (uv := _find_uv(environment)) is not None:
        ways.insert(1 if find_spec("pip") is not None else 0, Client("uv", (uv, *install), for_uv))
    return ways


def _list_pips() -> list[tuple[str, ...]]:
    """Return the commands for pip in this environment, in its base interpreter, and bundled with Python (ensurepip)."""
    found: list[tuple[str, ...]] = []
    if find_spec("pip") is not None:
        found.append((sys.executable, "-I", "-m", "pip"))
    base = Path(sys.base_prefix) / ("python.exe" if sys.platform == "win32" else "bin/python3")
    if sys.base_prefix != sys.prefix and base.is_file():
        found.append((str(base), "-I", "-m", "pip"))
    brought = find_spec("ensurepip")
    for place in () if brought is None else brought.submodule_search_locations or ():
        found.extend((sys.executable, "-I", str(wheel / "pip")) for wheel in Path(place).glob("_bundled/pip-*.whl"))
    return found


def _find_uv(environment: Mapping[str, str]) -> str | None:
    """Return the path of uv, from its environment variable or PATH; never one in the current directory."""
    found = environment.get("UV") or shutil.which("uv", path=environment.get("PATH"))
    return found if found is not None and Path(found).is_absolute() else None


def _run(
    client: Client, folder: Path, environment: Mapping[str, str], model: PackagedModel, progress: Progress
) -> tuple[int, str]:
    """Run a client to its end. The progress is the number of bytes in `folder`, which is also its temporary directory."""
    variables = {**environment, **client.variables, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    log = folder / "client.log"
    come = 0
    limit = 2 * (model.wheel_size + model.size) + _EXTRA_BYTES
    progress(come, model.wheel_size)
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(  # noqa: S603  a fixed command without a shell
                client.command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        except OSError as error:
            return 1, f"error: {error.strerror or error}"
        try:
            while (code := _wait_a_little(process)) is None:
                size = _count_bytes(folder)
                if size > limit:
                    return 1, f"error: more than {limit} bytes were downloaded"
                come = max(come, min(size, model.wheel_size - 1))
                progress(come, model.wheel_size)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code == 0:
        progress(model.wheel_size, model.wheel_size)
    return code, log.read_text("utf-8", "replace")


def _wait_a_little(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a poll interval; return the exit code, or None if the process is still running."""
    try:
        return process.wait(_POLL_INTERVAL)
    except subprocess.TimeoutExpired:
        return None


def _count_bytes(folder: Path) -> int:
    """Return the total size of all files in a directory; files that are moved or deleted meanwhile do not count."""
    total = 0
    for directory, _, names in os.walk(folder):  # unlike Path.rglob, it ignores directories that are deleted meanwhile
        for name in names:
            with suppress(OSError):
                total += Path(directory, name).stat().st_size
    return total


def _locate(model: PackagedModel, folder: Path) -> Result[Fetched, Fault]:
    member = f"{model.module}/{model.file}"
    if (plain := folder / model.module / model.file).is_file():
        return Success(PlainFile(plain))
    for wheel in folder.glob("*.whl"):
        if model.wheel_sha256 and _hash_file(wheel) != model.wheel_sha256:
            return Failure(
                InvalidResponse(
                    provider="local", model=model.name, code="checksum_mismatch",
                    message=f"the wheel of {model.distribution} {model.version} does not have the expected hash",
                )
            )  # fmt: skip
        try:
            with zipfile.ZipFile(wheel) as archive:
                if member in archive.namelist():
                    return Success(WheelMember(wheel, member))
        except zipfile.BadZipFile:
            continue
    return Failure(
        InvalidResponse(
            provider="local", model=model.name, code="model_not_in_package",
            message=f"{model.distribution} {model.version} does not contain {member}",
        )
    )  # fmt: skip


def find_error_line(text: str) -> str:
    """Return the line with the error in a client's output, without passwords of an index."""
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "\u00d7", "\u2570"))] or lines
    found = errors[-1] if errors else "it failed without output"
    return re.sub(r"//[^/@\s]+@", "//", found)[:300]


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_failed(model: PackagedModel, reason: str) -> Fault:
    return ModelNotFound(
        provider="local",
        model=model.name,
        code="model_fetch_failed",
        message=f"{model.distribution} {model.version} could not be downloaded ({reason}); alternatively pass the path of a GGUF file",
    )
