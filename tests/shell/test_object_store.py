"""Objects of batches in buckets: obstore behind the protocol, its errors as faults, and nothing without it or offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from victor_fp.core.faults import (
    AuthRejected,
    ConnectionFailed,
    Fault,
    InvalidRequest,
    PermissionRefused,
)
from victor_fp.shell.object_store import ObjectStore, ObstoreBuckets


async def read(store: ObjectStore, url: str) -> list[Result[bytes, Fault]]:
    return [piece async for piece in store.read(url)]


async def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    store = ObstoreBuckets()
    for result in (
        await store.write("gs://bucket/a", b"x"),
        await store.list("gs://bucket/"),
        *await read(store, "gs://bucket/a"),
    ):
        fault = result.failure()
        assert isinstance(fault, InvalidRequest)
        assert "victor-fp[object-store]" in fault.message


async def test_objects_are_written_listed_and_read(tmp_path: Path) -> None:
    stores = pytest.importorskip("obstore.store", reason="the extra `object-store` is not installed")
    opened: list[str] = []

    def open_bucket(url: str) -> Any:
        opened.append(url)
        return stores.LocalStore(tmp_path / url.rpartition("/")[2], mkdir=True)

    store = ObstoreBuckets(open_bucket)
    data = b"line\n" * 5_000_000
    assert await store.write("gs://one/jobs/a/in.jsonl", b"first") == Success(None)
    assert await store.write("gs://one/jobs/a/in.jsonl", data) == Success(None)
    assert await store.write("gs://one/jobs/ab", b"") == Success(None)
    assert await store.write("s3://two/b.jsonl", b"b") == Success(None)
    assert await store.list("gs://one/jobs/a/") == Success(("gs://one/jobs/a/in.jsonl",))
    assert await store.list("gs://one/nothing/") == Success(())
    pieces = await read(store, "gs://one/jobs/a/in.jsonl")
    assert len(pieces) > 1
    assert b"".join(piece.unwrap() for piece in pieces) == data
    assert b"".join(piece.unwrap() for piece in await read(store, "gs://one/jobs/ab")) == b""
    assert opened == ["gs://one", "s3://two"]


async def test_an_object_that_is_missing_is_one_fault() -> None:
    stores = pytest.importorskip("obstore.store", reason="the extra `object-store` is not installed")
    (result,) = await read(ObstoreBuckets(lambda _: stores.MemoryStore()), "gs://bucket/missing")
    assert isinstance(result, Failure)
    assert isinstance(result.failure(), InvalidRequest)
    assert "gs://bucket/missing" in result.failure().message


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("UnauthenticatedError", AuthRejected),
        ("PermissionDeniedError", PermissionRefused),
        ("NotFoundError", InvalidRequest),
        ("GenericError", ConnectionFailed),
    ],
)
async def test_errors_are_faults_without_the_request(name: str, fault: type[Fault]) -> None:
    exceptions = pytest.importorskip("obstore.exceptions", reason="the extra `object-store` is not installed")

    class Broken:
        async def put_async(self, path: str, data: bytes) -> None:
            raise getattr(exceptions, name)(f"not {path}\n\nDebug source:\nauthorization: secret-canary")

    found = (await ObstoreBuckets(lambda _: Broken()).write("s3://bucket/a", b"x")).failure()
    assert isinstance(found, fault)
    assert found.message == "s3://bucket/a: not a"


async def test_an_error_in_the_middle_of_an_object_ends_it() -> None:
    exceptions = pytest.importorskip("obstore.exceptions", reason="the extra `object-store` is not installed")

    class Torn:
        async def get_async(self, _: str) -> Torn:
            return self

        async def stream(self) -> Any:
            yield b"a\n"
            raise exceptions.GenericError("connection reset")

    async def get(self: Torn, _: str) -> Any:
        return type("Found", (), {"stream": staticmethod(self.stream)})

    Torn.get_async = get  # type: ignore[method-assign]  # what obstore returns has a stream that is not awaited
    first, second = await read(ObstoreBuckets(lambda _: Torn()), "s3://bucket/a")
    assert first == Success(b"a\n")
    assert isinstance(second.failure(), ConnectionFailed)


async def test_a_bucket_of_s3_is_opened_in_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = pytest.importorskip("obstore.store", reason="the extra `object-store` is not installed")
    opened: list[tuple[str, dict[str, str]]] = []

    def open_bucket(url: str, **options: str) -> Any:
        opened.append((url, options))
        return stores.MemoryStore()

    monkeypatch.setattr(stores, "S3Store", type("S3Store", (), {"from_url": staticmethod(open_bucket)}))
    monkeypatch.setattr(stores, "from_url", open_bucket)
    store = ObstoreBuckets(region="eu-west-1")
    await store.write("s3://bucket/a", b"x")
    await store.write("gs://bucket/a", b"x")
    assert opened == [("s3://bucket", {"region": "eu-west-1"}), ("gs://bucket", {})]


async def test_offline_no_bucket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = pytest.importorskip("obstore.store", reason="the extra `object-store` is not installed")
    monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
    fault = (await ObstoreBuckets().write("s3://bucket/a", b"x")).failure()
    assert "VICTOR_FP_OFFLINE" in fault.message
    assert await ObstoreBuckets(lambda _: stores.MemoryStore()).write("s3://bucket/a", b"x") == Success(None)
