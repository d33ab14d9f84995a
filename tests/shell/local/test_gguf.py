"""The head of GGUF files: well-formed, cut and hostile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.shell.local.gguf import read_trained_context


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def head(*entries: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)


def string(key: bytes, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def number(key: bytes, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


ARCHITECTURE = string(b"general.architecture", b"llama")
TAGS = text(b"general.tags") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"bc")


@pytest.mark.parametrize(
    ("content", "context"),
    [
        (head(ARCHITECTURE, TAGS, number(b"llama.block_count", 30), number(b"llama.context_length", 8192)), 8192),
        (head(ARCHITECTURE, number(b"qwen2.context_length", 8192)), None),
        (head(ARCHITECTURE), None),
        (head(ARCHITECTURE, number(b"llama.context_length", 0)), None),
        (head(number(b"llama.context_length", 8192)), None),
        (head(text(b"x") + struct.pack("<I", 77)), None),
        (head(text(b"x") + struct.pack("<IIQ", 9, 9, 2**60)), None),
        (head(struct.pack("<Q", 2**63)), None),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1), None),
        (b"GGUF", None),
        (b"", None),
        (b"text", None),
    ],
)
def test_the_trained_context_is_read_from_the_head(content: bytes, context: int | None, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    assert read_trained_context(path) == context


def test_a_file_that_cannot_be_opened_has_no_context_length(tmp_path: Path) -> None:
    assert read_trained_context(tmp_path) is None


@given(cut=st.integers(0, 120), noise=st.binary(max_size=40))
def test_no_header_raises(tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("gguf") / "a.gguf"
    path.write_bytes(head(ARCHITECTURE, TAGS, number(b"llama.context_length", 8192))[:cut] + noise)
    read_trained_context(path)
