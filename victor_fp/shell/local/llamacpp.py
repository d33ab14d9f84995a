"""One llama.cpp in this process: loaded on first use, shared by all who name the same model, gone with the last of them.

xllamacpp's server listens from its constructor on and stops in its destructor; nothing else starts or stops it. The
constructor loads the model and holds the interpreter's lock meanwhile. The destructor waits for every request whose
connection is still open, so the connections are shut first.
"""

from __future__ import annotations

import atexit
import secrets
import socket
import threading
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest

EMBEDDING_BATCH = 2048
"""Tokens that a text may have to be embedded."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is loaded with; two that are equal share one engine."""

    path: str
    name: str
    """What answers call the model."""
    context: int = 8192
    """Tokens of context, shared by the requests that run side by side; capped at what the model was trained for."""
    parallel: int = 4
    """Requests that are answered side by side; more wait."""
    chat_template: str = ""
    """Jinja; the model's own where empty."""
    threads: int | None = None
    gpu_layers: int | None = None
    embeddings: bool = False
    """Embeds texts and answers no chats: llama.cpp loads a model for one or the other."""
    mean_pooling: bool = False
    """A vector is the mean of those of its tokens; else as the model's file says, which chat models do not."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an engine listens, and the key it was given, which nobody else knows."""

    host: str
    port: int
    key: str


class Engine:
    """A loaded model. All methods may be called from any thread."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._server: object | None = None
        self._address: Address | None = None
        self._sockets: set[socket.socket] = set()

    def start(self) -> Result[Address, Fault]:
        """Load the model unless it is loaded. Blocks, and other threads of this process with it, while it loads."""
        with self._lock:
            if self._address is not None:
                return Success(self._address)
            try:
                xllamacpp = import_module("xllamacpp")  # by name: it has no type stubs
            except ImportError as error:
                return Failure(
                    InvalidRequest(
                        provider="local",
                        model=self._settings.name,
                        code="extra_missing",
                        message=f"provider 'local' needs its extra: pip install 'victor-fp[local]' ({error})",
                    )
                )
            key = secrets.token_urlsafe(32)
            try:
                server = xllamacpp.Server(_parameters(xllamacpp, self._settings, key))
            except (RuntimeError, ValueError, OSError) as error:
                return Failure(
                    InvalidRequest(  # another try would load the same file
                        provider="local",
                        model=self._settings.name,
                        code="model_load_failed",
                        message=f"llama.cpp cannot load {self._settings.path}: {error}",
                    )
                )
            place = urlsplit(server.listening_address)
            self._server = server
            self._address = Address(host=place.hostname or "127.0.0.1", port=place.port or 80, key=key)
            atexit.register(self.stop)
            return Success(self._address)

    def stop(self) -> None:
        """Break off what is being answered and unload the model. Blocks for a fraction of a second."""
        with self._lock:
            self._address = None
            while self._sockets:
                _shut(self._sockets.pop())
            self._server = None  # the destructor runs here
        atexit.unregister(self.stop)

    @property
    def address(self) -> Address | None:
        """Where it listens, once the model is loaded."""
        return self._address

    def connected(self, connection: socket.socket) -> None:
        """Know a connection, to shut it before the engine stops; at once where it has stopped."""
        self._sockets.add(connection)
        if self._address is None:
            _shut(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Forget a connection that is closed."""
        self._sockets.discard(connection)


def _shut(connection: socket.socket) -> None:
    """End a connection both ways at once; whoever reads from it sees its end."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _parameters(xllamacpp: Any, settings: EngineSettings, key: str) -> object:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings.path
    parameters.model_alias = {settings.name}
    parameters.n_ctx = settings.context
    parameters.n_parallel = settings.parallel
    parameters.kv_unified = True  # else each of the parallel slots gets a part of the context only
    parameters.cache_ram_mib = 256  # the default keeps up to 8 GiB of old prompts
    parameters.api_keys = [key]
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.offline = True
    parameters.warmup = False
    parameters.verbosity = -1  # llama.cpp writes its log to the terminal otherwise
    if settings.embeddings:
        parameters.embedding = True
        if settings.mean_pooling:
            parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # A text is embedded in one batch, whose memory is taken at the start.
        parameters.n_batch = parameters.n_ubatch = min(settings.context, EMBEDDING_BATCH)
    if settings.chat_template:
        parameters.chat_template = settings.chat_template
    if settings.threads is not None:
        parameters.cpuparams.n_threads = settings.threads
        parameters.cpuparams_batch.n_threads = settings.threads
    if settings.gpu_layers is not None:
        parameters.n_gpu_layers = settings.gpu_layers
    return parameters


class _Pool:
    """The engines of this process, each with the number of its holders."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[EngineSettings, tuple[Engine, int]] = {}

    def take(self, settings: EngineSettings) -> Engine:
        with self._lock:
            engine, holders = self._held.get(settings) or (Engine(settings), 0)
            self._held[settings] = (engine, holders + 1)
            return engine

    def give_back(self, settings: EngineSettings) -> None:
        with self._lock:
            engine, holders = self._held[settings]
            if holders > 1:
                self._held[settings] = (engine, holders - 1)
                return
            del self._held[settings]
        engine.stop()


POOL = _Pool()
"""One engine per model and settings, however many providers use it."""
