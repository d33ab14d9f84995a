"""The command line without keys, and without servers other than those of the test."""

from __future__ import annotations

import codecs
import errno
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.loopback import Loopback, Received, Serve, Talk, serve_in_thread
from tests.openai_shapes import build_body, build_chunks
from victor_fp.core.catalogue import CATALOGUE

KEY = "sk-canary-0123456789"
ROOT = Path(__file__).parents[2]
RUN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from victor_fp.cli import main; main()"
"""Ctrl-C works even where the tests themselves run in the background and a shell had SIGINT ignored."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without keys, servers or colours, with a configuration directory of its own."""
    strange = {name for spec in CATALOGUE for name in (*spec.key_variables, *spec.base_url_variables)}
    strange |= {name for name in os.environ if name.startswith(("VICTOR_FP_", "OLLAMA_", "PYTHON_KEYRING"))}
    for name in strange:
        monkeypatch.delenv(name, raising=False)
    return dict(os.environ) | {
        "VICTOR_FP_CONFIG_DIR": str(tmp_path / "config"),
        "VICTOR_FP_STATE_DIR": str(tmp_path / "state"),
        "TERM": "xterm-256color",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }


@pytest.fixture
def keyed(world: dict[str, str]) -> dict[str, str]:
    """The same with a key for openai."""
    return world | {"OPENAI_API_KEY": KEY}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers on loopback that run during the test."""
    with serve_in_thread() as start:
        yield start


async def answer_hello(talk: Talk, received: Received) -> None:
    """Answers in OpenAI's format: "Hello there!", streamed or whole, and one model."""
    if received.method == "GET":
        await talk.answer(
            {"object": "list", "data": [{"id": "m-1", "object": "model"}, {"id": "m-2", "object": "model"}]}
        )
    elif received.json().get("stream"):
        await talk.send_events(*build_chunks("Hello", " there", "!"))
    else:
        await talk.answer(build_body("Hello there!"))


def build_options(server: Loopback) -> list[str]:
    """Options that lead to the server."""
    return ["--provider", "openai", "--model", "m-1", "--base-url", f"{server.url}/v1"]


def victor(*arguments: str, env: dict[str, str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env=env,
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


_BACK_AND_FORWARD = re.compile(r"\x08\x1b\[(\d+)C")
_FORWARD = re.compile(r"\x1b\[(\d+)C")
_ESCAPE = re.compile(r"\x1b\[[?>]?[0-9;]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")
_UNFINISHED = re.compile(r"(?:\x08?\x1b(?:\[[?>0-9;]*)?|\x08)\Z")


class Tty:
    """Our end of a terminal: types, and reads what is shown without losing what comes after.

    What is shown is text: the escape sequences of a line editor are removed, and its jumps over blanks are blanks.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unread = ""
        self._shown = ""
        self.raw = ""
        """Everything that was written to the terminal."""

    def send_keys(self, keys: bytes) -> None:
        """Type; what is shown meanwhile is read, so that neither end waits for the other."""
        while keys:
            keys = keys[os.write(self.descriptor, keys[:1024]) :]
            while select.select([self.descriptor], [], [], 0)[0] and self._read_more(0):
                pass

    def send_paste(self, text: str) -> None:
        """Paste with the markers of bracketed paste mode."""
        assert self.raw.rfind("\x1b[?2004h") > self.raw.rfind("\x1b[?2004l"), "pasted text would not be marked"
        self.send_keys(b"\x1b[200~" + text.encode().replace(b"\n", b"\r") + b"\x1b[201~")

    def read_until(self, text: str, seconds: float = 60) -> str:
        """What is shown up to and with `text`."""
        deadline = time.monotonic() + seconds
        while text not in self._shown and time.monotonic() < deadline and self._read_more(0.1):
            pass
        assert text in self._shown, self._shown
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def rest(self) -> str:
        """What is shown up to the end."""
        while self._read_more(0.2):
            pass
        return self._shown

    def _read_more(self, seconds: float) -> bool:
        """Read what there is; whether more can come."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.descriptor, 4096)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        text = self._decoder.decode(piece)
        self.raw += text
        self._unread += text
        end = len(self._unread) if (cut := _UNFINISHED.search(self._unread)) is None else cut.start()
        ready, self._unread = self._unread[:end], self._unread[end:]
        ready = _BACK_AND_FORWARD.sub(lambda found: " " * (int(found[1]) - 1), ready)
        self._shown += _ESCAPE.sub("", _FORWARD.sub(lambda found: " " * int(found[1]), ready))
        return bool(piece)


@contextmanager
def open_terminal(
    *arguments: str, env: dict[str, str], columns: int = 120, program: str = RUN
) -> Iterator[tuple[subprocess.Popen[bytes], Tty]]:
    """The command on a terminal of its own, and the other end of it."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = env | {"COLUMNS": str(columns)}
    own = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + program
    command = [sys.executable, "-c", own, *arguments]
    with subprocess.Popen(
        command, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield process, Tty(ours)
        finally:
            process.kill()
            os.close(ours)
