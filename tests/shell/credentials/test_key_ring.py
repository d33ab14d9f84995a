"""The keyring: missing, empty, locked, failing and hanging backends are values, soon."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from returns.result import Success

from victor_fp.shell.credentials.key_ring import KeyringBackend, NotInstalled, SystemKeyRing


class Memory:
    """A backend that works."""

    priority: float = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str, /) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        del self.kept[service, username]


class Empty(Memory):
    priority = 0.0


class Chain(Memory):
    """As the library's chainer: of low priority unless it has several links."""

    priority = -1.0

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.backends = backends


class Failing(Memory):
    def get_password(self, service: str, username: str, /) -> str | None:
        raise SystemExit("sk-canary")

    def set_password(self, service: str, username: str, password: str, /) -> None:
        raise RuntimeError(password)


class Hanging(Memory):
    def __init__(self) -> None:
        super().__init__()
        self.questions = 0
        self.over = Event()

    def get_password(self, service: str, username: str, /) -> str | None:
        self.questions += 1
        self.over.wait(20)
        return None


def make_key_ring(backend: KeyringBackend, **patience: float) -> SystemKeyRing:
    def load() -> Callable[[], KeyringBackend]:
        return lambda: backend

    return SystemKeyRing(load, **patience)


def test_stored_keys_are_read_and_removed() -> None:
    memory = Memory()
    keys = make_key_ring(memory)

    assert keys.read("openai") == Success(None)
    assert keys.store("openai", "one") == Success(None)
    assert memory.kept == {("victor_fp", "openai"): "one"}
    assert keys.read("openai") == Success("one")
    assert keys.remove("openai") == Success(True)
    assert keys.remove("openai") == Success(False)


@pytest.mark.parametrize("backend", [Empty(), Chain()], ids=["none", "chain without links"])
def test_a_backend_without_storage_is_reported(backend: KeyringBackend) -> None:
    keys = make_key_ring(backend)

    assert keys.read("openai").failure().reason == "no backend on this machine"
    assert keys.store("openai", "one").failure().reason == "no backend on this machine"


def test_a_chain_of_one_link_is_used_whatever_its_own_priority() -> None:
    assert make_key_ring(Chain(Memory())).store("openai", "one") == Success(None)


def test_a_failing_backend_is_named_by_class_without_its_message() -> None:
    keys = make_key_ring(Failing())

    assert keys.read("openai").failure().reason == "failed (SystemExit)"
    assert keys.store("openai", "sk-canary").failure().reason == "failed (RuntimeError)"


def test_a_hanging_backend_times_out_once() -> None:
    backend = Hanging()
    keys = make_key_ring(backend, read_timeout=0.1)

    started = time.monotonic()
    first = keys.read("openai").failure()
    again = [keys.read(name).failure() for name in ("groq", "google", "xai")]
    backend.over.set()

    assert time.monotonic() - started < 1
    assert first.reason == "did not respond within 0.1 s"
    assert again == [first] * 3
    assert backend.questions == 1


def test_a_missing_library_is_reported_with_advice() -> None:
    def load() -> Callable[[], KeyringBackend]:
        raise NotInstalled

    unusable = SystemKeyRing(load).read("openai").failure()

    assert (unusable.reason, unusable.remedy) == ("not installed", "pip install 'victor_fp[keyring]'")


def look_up_in_a_process(**environment: str) -> tuple[str, float]:
    pytest.importorskip("keyring")
    program = (
        "import sys, time; from victor_fp.shell.credentials.key_ring import get_system_key_ring\n"
        "assert 'keyring' not in sys.modules\n"
        "t = time.monotonic(); found = get_system_key_ring().read('openai'); print(time.monotonic() - t); print(found)"
    )
    world = {name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "PYTHON_KEYRING"))}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**world, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    seconds, said = ran.stdout.split("\n", 1)
    return said + ran.stderr, float(seconds)


@pytest.mark.parametrize("name", ["fail", "null", "chainer"])
def test_placeholder_backends_of_the_library_are_not_a_keyring(name: str) -> None:
    kind = "ChainerBackend" if name == "chainer" else "Keyring"
    said, _ = look_up_in_a_process(PYTHON_KEYRING_BACKEND=f"keyring.backends.{name}.{kind}")

    assert "no backend on this machine" in said


def test_a_backend_that_does_not_exist_is_a_fault() -> None:
    said, _ = look_up_in_a_process(PYTHON_KEYRING_BACKEND="no.such.Backend")

    assert "failed (ModuleNotFoundError)" in said


def answer_only_greeting(bus: socket.socket) -> None:
    """Authenticate the first caller as a D-Bus daemon would; its first message is never answered."""
    caller, _ = bus.accept()
    with caller:
        while said := caller.recv(4096):
            if b"AUTH" in said:
                caller.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
            elif b"NEGOTIATE" in said:
                caller.sendall(b"AGREE_UNIX_FD\r\n")


@pytest.mark.skipif(sys.platform != "linux", reason="D-Bus and the Secret Service are Linux desktops'")
def test_a_bus_that_accepts_and_never_responds_does_not_block(tmp_path: Path) -> None:
    pytest.importorskip("secretstorage")
    address = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(address)
        bus.listen()
        daemon = Thread(target=answer_only_greeting, args=(bus,), daemon=True)
        daemon.start()
        said, seconds = look_up_in_a_process(
            DBUS_SESSION_BUS_ADDRESS=f"unix:path={address}",
            PYTHON_KEYRING_BACKEND="keyring.backends.SecretService.Keyring",
        )
        daemon.join(5)

    assert "did not respond within 2 s" in said
    assert seconds < 8


@pytest.mark.parametrize("answer", [b"sk-canary", 7, ["sk-canary"]], ids=["bytes", "int", "list"])
def test_an_answer_that_is_not_text_is_reported_without_showing_it(answer: object) -> None:
    class Mistyped(Memory):
        def get_password(self, service: str, username: str, /) -> str | None:
            return answer  # type: ignore[return-value]  # what some backends do

    failure = SystemKeyRing(lambda: Mistyped).read("openai").failure()

    assert failure.reason == f"returned {type(answer).__name__}, expected str"
