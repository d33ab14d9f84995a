"""The head of GGUF files: well-formed, cut and hostile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.shell.transport.local.gguf import read_trained_context


def encode_text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def encode_head(*entries: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)


def encode_string(key: bytes, value: bytes) -> bytes:
    return encode_text(key) + struct.pack("<I", 8) + encode_text(value)


def encode_number(key: bytes, value: int) -> bytes:
    return encode_text(key) + struct.pack("<II", 4, value)


ARCHITECTURE = encode_string(b"general.architecture", b"llama")
TAGS = encode_text(b"general.tags") + struct.pack("<IIQ", 9, 8, 2) + encode_text(b"a") + encode_text(b"bc")


@pytest.mark.parametrize(
    ("content", "context"),
    [
        (
            encode_head(
                ARCHITECTURE,
                TAGS,
                encode_number(b"llama.block_count", 30),
                encode_number(b"llama.context_length", 8192),
            ),
            8192,
        ),
        (encode_head(ARCHITECTURE, encode_number(b"qwen2.context_length", 8192)), None),
        (encode_head(ARCHITECTURE), None),
        (encode_head(ARCHITECTURE, encode_number(b"llama.context_length", 0)), None),
        (encode_head(encode_number(b"llama.context_length", 8192)), None),
        (encode_head(encode_text(b"x") + struct.pack("<I", 77)), None),
        (encode_head(encode_text(b"x") + struct.pack("<IIQ", 9, 9, 2**60)), None),
        (encode_head(struct.pack("<Q", 2**63)), None),
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
    path.write_bytes(encode_head(ARCHITECTURE, TAGS, encode_number(b"llama.context_length", 8192))[:cut] + noise)
    read_trained_context(path)
