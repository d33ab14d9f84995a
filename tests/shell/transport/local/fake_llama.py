"""An engine that is a small HTTP server in a thread, and the bytes of a fake model."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.shell.transport.local.engine_process import Address, EngineProcess, EngineSettings
from victor_fp.shell.transport.local.engine_worker import build_parameters

TINY_BYTES = b"GGUF" + bytes(range(256)) * 40


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def llama(self) -> _Server:
        assert isinstance(self.server, _Server)
        return self.server

    def do_GET(self) -> None:
        self.answer(200, b'{"data": []}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.llama.seen.append((self.path, dict(self.headers), body))
        if self.headers["authorization"] != f"Bearer {self.llama.parameters.api_keys[0]}":
            self.answer(401, b'{"error": {"message": "Invalid API Key"}}')
        elif b"endless" in body:
            self.stream_slowly()
        elif b"mute" in body:
            time.sleep(0.5)
        elif b"wrong" in body:
            self.answer(400, b'{"error": {"code": 400, "message": "no", "type": "invalid_request_error"}}')
        elif b"half" in body:
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            self.answer(200, b'{"path": "%s"}' % self.path.encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream_slowly(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number in range(1000):
                piece = b"data: %d\n\n" % number
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(0.005)
        except OSError:
            self.llama.hung_up.set()

    def log_message(self, format: str, *args: Any) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, parameters: SimpleNamespace) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.parameters = parameters
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.hung_up = threading.Event()


class FakeLlama:
    """Replaces the processes that engines run in: `launch` is that of a pool."""

    def __init__(self) -> None:
        self.started: list[_Server] = []
        self.stopped: list[_Server] = []
        self.refuses = False
        self.llama_pooling_type = SimpleNamespace(LLAMA_POOLING_TYPE_MEAN=1)

    def launch(self, settings: EngineSettings) -> Result[EngineProcess, Fault]:
        return Success(_Process(self, settings))

    @staticmethod
    def CommonParams() -> SimpleNamespace:
        return SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())


class _Process:
    def __init__(self, llama: FakeLlama, settings: EngineSettings) -> None:
        self._llama = llama
        self._settings = settings
        self._http: _Server | None = None

    def wait(self) -> Result[Address, Fault]:
        if self._llama.refuses:
            message = f"llama.cpp cannot load {self._settings.path}: Failed to init server"
            return Failure(InvalidRequest(code="model_load_failed", message=message))
        wanted = {**msgspec.to_builtins(self._settings), "model": self._settings.path, "key": "k" * 43}
        parameters = build_parameters(self._llama, wanted)
        assert isinstance(parameters, SimpleNamespace)
        self._http = _Server(parameters)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self._llama.started.append(self._http)
        return Success(Address(host="127.0.0.1", port=self._http.server_port, key="k" * 43))

    def is_running(self) -> bool:
        return self._http is not None

    def kill(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            http.shutdown()
            self._thread.join()
            http.server_close()
            self._llama.stopped.append(http)

    def disown(self) -> None:
        self._http = None
