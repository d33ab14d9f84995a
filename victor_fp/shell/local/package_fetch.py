"""Fetching one wheel from the package registry that this environment is set up for, by its own clients: pip or uv.

They run in a folder of their own and isolated (`python -I`), so that nothing in the current directory is executed or read,
and check the wheel's hash before they unpack anything.
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
from victor_fp.shell.local.small_model import PackagedModel
from victor_fp.shell.transport.interception import VARIABLE, is_offline

Progress: TypeAlias = Callable[[int, int], None]
"""Told bytes done and bytes in all."""

_GLANCE = 0.1
"""Seconds between two looks at how much has come."""
_ROOM = 64 << 20
"""Bytes that may come beside the wheel and what is in it."""


_REQUIREMENT = "requirement.txt"


class Fetched(Protocol):
    """A file that has come, wherever it lies."""

    def open(self) -> BinaryIO:
        """Its bytes, to be closed by the caller."""
        ...


class PlainFile(msgspec.Struct, frozen=True):
    """A file in a folder."""

    path: Path

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.path.open("rb")


class WheelMember(msgspec.Struct, frozen=True):
    """A file in a wheel, unpacked while it is read."""

    wheel: Path
    member: str

    def open(self) -> BinaryIO:
        """Its bytes."""
        with zipfile.ZipFile(self.wheel) as archive:  # the archive stays open until the member is closed
            return cast("BinaryIO", archive.open(self.member))


class Client(msgspec.Struct, frozen=True):
    """One way to fetch: a command, and the variables that point it at the index."""

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
    return Failure(_fetch_failed(model, "; ".join(reasons) or "neither pip nor uv is there to fetch it"))


def list_clients(model: PackagedModel, folder: Path, environment: Mapping[str, str]) -> list[Client]:
    """The ways to fetch, in the order in which they are tried: environments made by uv have no pip of their own.

    An index that is set for one client by a variable holds for the other too.
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
    """pip here, in the interpreter that this environment was made from, and the one that Python brings along."""
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
    """uv, which names itself to what it runs, or is on the path; not one in the current directory."""
    found = environment.get("UV") or shutil.which("uv", path=environment.get("PATH"))
    return found if found is not None and Path(found).is_absolute() else None


def _run(
    client: Client, folder: Path, environment: Mapping[str, str], model: PackagedModel, progress: Progress
) -> tuple[int, str]:
    """Run to the end; how far it is shows in the bytes under `folder`, which is its temporary directory too."""
    variables = {**environment, **client.variables, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    log = folder / "client.log"
    come = 0
    limit = 2 * (model.wheel_size + model.size) + _ROOM
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
                    return 1, f"error: more than {limit} bytes came"
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
    """Its exit code, or None if it still runs a little later."""
    try:
        return process.wait(_GLANCE)
    except subprocess.TimeoutExpired:
        return None


def _count_bytes(folder: Path) -> int:
    """The bytes of all files in a folder; those that are moved or deleted meanwhile do not count."""
    total = 0
    for directory, _, names in os.walk(
        folder
    ):  # unlike Path.rglob, it passes over directories that are deleted meanwhile
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
                    message=f"the wheel of {model.distribution} {model.version} is another than expected",
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
            message=f"{model.distribution} {model.version} came, but {member} is not in it",
        )
    )  # fmt: skip


def find_error_line(text: str) -> str:
    """The line of a client's output that names the error, without passwords of an index."""
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
        message=f"{model.distribution} {model.version} could not be fetched ({reason}); a path to any GGUF file works without",
    )
