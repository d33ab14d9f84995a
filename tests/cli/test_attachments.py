"""Attachments: what they are by their bytes or names, what is sent, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from returns.result import Success
from typer.testing import CliRunner

from tests.cli.conftest import answer_hello, build_options
from tests.loopback import Serve
from victor_fp.cli.app import app
from victor_fp.cli.attachments import describe_part, detect_media_type, read_attachment
from victor_fp.core.types import AudioPart, FilePart, ImagePart

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
MP4 = b"\x00\x00\x00\x20ftyp"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        (WAV, "audio/wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"fLaC\x00", "audio/flac"),
        (b"OggS\x00", "audio/ogg"),
        (MP4 + b"M4A ", "audio/mp4"),
        (MP4 + b"isom", None),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_media_type_is_detected_from_content(data: bytes, kind: str | None) -> None:
    assert detect_media_type(data) == kind


def test_files_and_addresses_become_parts(tmp_path: Path) -> None:
    (tmp_path / "speech.txt").write_bytes(WAV)
    (tmp_path / "raw.mp3").write_bytes(b"no header")
    (tmp_path / "letter").write_bytes(b"%PDF-1.7")

    assert read_attachment(str(tmp_path / "speech.txt")) == Success(AudioPart(data=WAV, media_type="audio/wav"))
    assert read_attachment(str(tmp_path / "raw.mp3")) == Success(AudioPart(data=b"no header", media_type="audio/mpeg"))
    letter = FilePart(data=b"%PDF-1.7", media_type="application/pdf", filename="letter")
    assert read_attachment(str(tmp_path / "letter")) == Success(letter)
    assert describe_part(letter) == "file letter (application/pdf, 0.0 kB)"
    url = "https://example.com/a.jpg?size=big.txt"
    assert read_attachment(url) == Success(ImagePart(url=url, media_type="image/jpeg"))
    data = "data:application/pdf;base64,JVBERg=="
    assert read_attachment(data) == Success(FilePart(url=data, media_type="application/pdf"))


def test_attachments_are_sent_before_the_text(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "speech.wav").write_bytes(WAV)
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    server = serve(answer_hello)

    files = ["-a", str(tmp_path / "speech.wav"), "--attach", str(tmp_path / "letter.pdf")]
    done = CliRunner().invoke(app, ["chat", "Compare", *files, *build_options(server)], env=keyed, input="")

    assert (done.exit_code, done.stderr) == (0, "")
    sent: Any = server.received[0].json()["messages"]
    audio, document, text = sent[0]["content"]
    assert audio["input_audio"] == {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    assert document["file"]["filename"] == "letter.pdf"
    assert text["text"] == "Compare"


@pytest.mark.parametrize("name", ["notes.txt", "film.mp4", "nothing"])
def test_other_kinds_are_a_typed_fault(serve: Serve, keyed: dict[str, str], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    server = serve(answer_hello)

    done = CliRunner().invoke(
        app, ["chat", "Hi", "-a", str(tmp_path / name), "--json", *build_options(server)], env=keyed
    )

    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["type"] == "InvalidRequest"
    assert "images, PDF and audio" in done.stderr
    assert server.received == []


def test_missing_file_and_unknown_type_are_errors(keyed: dict[str, str], tmp_path: Path) -> None:
    for location, words in (
        (str(tmp_path / "none.png"), "cannot be read"),
        ("https://example.com/x", "is not recognised"),
    ):
        done = CliRunner().invoke(app, ["chat", "Hi", "-a", location, "-p", "openai"], env=keyed)
        assert (done.exit_code, words in done.stderr) == (2, True)
