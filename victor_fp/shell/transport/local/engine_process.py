"""llama.cpp in a child process: started on first use, shared by all providers of the same model, stopped with the last.

xllamacpp holds the GIL while it loads a model, cannot be interrupted meanwhile, and aborts its process on some inputs.
In a child process a load can be cancelled, the event loop is not blocked, an abort becomes a fault, and this process can
be forked.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.result import outcome

_WORKER = Path(__file__).with_name("engine_worker.py")
_PIECE = 4096
_MISSING = "provider 'local' requires the extra: pip install 'victor-fp[local]'"


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of an engine; equal settings share one engine."""

    path: str
    name: str
    """Model name in responses."""
    context: int = 8192
    """Context window in tokens, shared by concurrent requests."""
    parallel: int = 4
    """Maximum number of concurrent requests; others wait."""
    chat_template: str = ""
    """Jinja template; the template of the model if empty."""
    threads: int | None = None
    gpu_layers: int | None = None
    embeddings: bool = False
    """Whether the model is loaded for embeddings; llama.cpp loads a model for either embeddings or chat."""
    mean_pooling: bool = False
    """Whether vectors are the mean over tokens; otherwise the pooling of the model file, which chat models do not set."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Address and secret API key of an engine."""

    host: str
    port: int
    key: str


class EngineProcess(Protocol):
    """A process that loads and serves one model."""

    def wait(self) -> Result[Address, Fault]:
        """Return the address when the model is loaded. Blocks; another thread may call `kill` meanwhile."""
        ...

    def is_running(self) -> bool:
        """Whether it has not ended."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def disown(self) -> None:
        """Release the process without ending it, in a fork of the process that started it."""
        ...


Launch: TypeAlias = "Callable[[EngineSettings], Result[EngineProcess, Fault]]"


class WorkerProcess:
    """`engine_worker.py` in a child process, isolated from the current directory and from PYTHON variables."""

    def __init__(
        self, process: subprocess.Popen[bytes], pipes: tuple[int, ...], settings: EngineSettings, key: str
    ) -> None:
        """`pipes` are descriptors: the process's standard input to write to, and its standard output to read from."""
        self._process = process
        self._pipes = pipes
        self._reading = threading.Lock()
        self._settings = settings
        self._key = key

    def wait(self) -> Result[Address, Fault]:
        """Return the address that the worker writes, or the fault."""
        with self._reading:
            line = self._read_line()
        try:
            answer = json.loads(line)
        except ValueError:
            self.kill()
            return Failure(
                self._build_fault("model_load_failed", f"it ended with {_describe(self._process.returncode)}")
            )
        if "error" in answer:
            self.kill()
            return Failure(self._build_fault(answer["code"], answer["error"]))
        parts = urlsplit(answer["address"])
        return Success(Address(host=parts.hostname or "127.0.0.1", port=parts.port or 80, key=self._key))

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process immediately. Blocks until it has ended."""
        self._process.kill()
        self._process.wait()
        with self._reading:
            self._close_pipes()

    def disown(self) -> None:
        """Close this side's copies of the pipes, so that the worker ends with the process that started it."""
        self._process.returncode = 0  # not a child of this process, so there is nothing to wait for
        self._close_pipes()

    def _close_pipes(self) -> None:
        pipes, self._pipes = self._pipes, ()
        for pipe in pipes:
            os.close(pipe)

    def _read_line(self) -> bytes:
        if not self._pipes:
            return b""
        line = b""
        while not line.endswith(b"\n") and (piece := os.read(self._pipes[1], _PIECE)):
            line += piece
        return line

    def _build_fault(self, code: str, reason: str) -> Fault:
        loads = f"llama.cpp cannot load {self._settings.path}: {reason}"
        message = f"{_MISSING} ({reason})" if code == "extra_missing" else loads
        return InvalidRequest(provider="local", model=self._settings.name, code=code, message=message)


def launch_worker(settings: EngineSettings) -> Result[EngineProcess, Fault]:
    """Start the process that will load the model."""
    found = find_spec("xllamacpp")
    if found is None or found.origin is None:
        message = f"{_MISSING} (xllamacpp is not installed)"
        return Failure(InvalidRequest(provider="local", model=settings.name, code="extra_missing", message=message))
    key = secrets.token_urlsafe(32)
    wanted = {
        "package": str(Path(found.origin).resolve()),
        "model": settings.path,
        "key": key,
        **{name: getattr(settings, name) for name in settings.__struct_fields__ if name != "path"},
    }
    try:
        return Success(_spawn(settings, key, json.dumps(wanted).encode() + b"\n"))
    except OSError as error:
        message = f"the process for the model cannot be started: {error.strerror or error}"
        return Failure(
            InvalidRequest(provider="local", model=settings.name, code="engine_start_failed", message=message)
        )


def _spawn(settings: EngineSettings, key: str, order: bytes) -> EngineProcess:
    # Descriptors instead of file objects, whose locks may be held by another thread when this process forks.
    its_input, ours_out = os.pipe()
    ours_in, its_output = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  a fixed command without a shell
            (sys.executable, "-I", str(_WORKER)),
            stdin=its_input,
            stdout=its_output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl-C reaches only this process
        )
    except OSError:
        os.close(ours_out)
        os.close(ours_in)
        raise
    finally:
        os.close(its_input)
        os.close(its_output)
    os.write(ours_out, order)
    return WorkerProcess(process, (ours_out, ours_in), settings, key)


def _describe(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"


class Engine:
    """A model that is loaded on first use. All methods are thread-safe."""

    def __init__(self, settings: EngineSettings, launch: Launch) -> None:
        self._settings = settings
        self._launch = launch
        self._sockets: set[socket.socket] = set()
        self._reset()

    def _reset(self) -> None:
        self._loading = threading.Lock()
        self._process: EngineProcess | None = None
        self._address: Address | None = None
        self._stopped = False

    def start(self) -> Result[Address, Fault]:
        """Load the model if it is not loaded. Blocks while it loads; `stop` interrupts that."""
        with self._loading:
            if (address := self.address) is not None:
                return Success(address)
            self._end()
            match outcome(self._launch(self._settings)):
                case Failure(fault):
                    return Failure(fault)
                case Success(process):
                    self._process = process
            if self._stopped:
                self._end()
                return Failure(self._build_closed_fault())
            atexit.register(self.stop)
            loaded = process.wait()
            match outcome(loaded):
                case Success(address):
                    self._address = address
                case Failure():
                    self._process = None
            return self._check_stopped(loaded)

    def stop(self) -> None:
        """End the process in any state. The engine cannot be started again."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()
        with self._loading:
            self._end()
        atexit.unregister(self.stop)

    def forget(self) -> None:
        """Reset to the state before the first use, in a fork of the process that started the engine."""
        if self._process is not None:
            self._process.disown()
            atexit.unregister(self.stop)
        self._sockets.clear()
        self._reset()

    @property
    def address(self) -> Address | None:
        """The address while the model is loaded and its process is running; otherwise None."""
        address, process = self._address, self._process
        return address if address is not None and process is not None and process.is_running() else None

    def add_connection(self, connection: socket.socket) -> None:
        """Register a connection to shut down when the engine stops; immediately if it has stopped."""
        self._sockets.add(connection)
        if self._stopped:
            _shut(connection)

    def remove_connection(self, connection: socket.socket) -> None:
        """Remove a closed connection."""
        self._sockets.discard(connection)

    def _end(self) -> None:
        self._address = None
        while self._sockets:
            _shut(self._sockets.pop())
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _check_stopped(self, loaded: Result[Address, Fault]) -> Result[Address, Fault]:
        return Failure(self._build_closed_fault()) if self._stopped else loaded

    def _build_closed_fault(self) -> Fault:
        message = "the provider was closed while the model loaded"
        return InvalidRequest(provider="local", model=self._settings.name, code="closed", message=message)


def _shut(connection: socket.socket) -> None:
    """Shut down a connection in both directions, so that a pending read ends."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class EnginePool:
    """The engines of this process, each with the number of its holders."""

    def __init__(self, launch: Launch = launch_worker) -> None:
        self.launch = launch
        self._lock = threading.Lock()
        self._held: dict[EngineSettings, tuple[Engine, int]] = {}

    def take(self, settings: EngineSettings) -> Engine:
        """Return the engine for these settings, and add a holder."""
        with self._lock:
            engine, holders = self._held.get(settings) or (Engine(settings, self.launch), 0)
            self._held[settings] = (engine, holders + 1)
            return engine

    def give_back(self, settings: EngineSettings) -> None:
        """Remove a holder; the last one stops the engine. Blocks for a fraction of a second."""
        with self._lock:
            engine, holders = self._held[settings]
            if holders > 1:
                self._held[settings] = (engine, holders - 1)
                return
            del self._held[settings]
        engine.stop()

    def forget(self) -> None:
        """Reset all engines to the state before the first use, in a forked process."""
        self._lock = threading.Lock()
        for engine, _ in self._held.values():
            engine.forget()


POOL = EnginePool()
"""The engines of this process, one per model and settings."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
