"""A fake xllamacpp for the process of an engine; the name of the model file selects its behaviour."""

from __future__ import annotations

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.headers["authorization"] != f"Bearer {self.server.parameters.api_keys[0]}":  # type: ignore[attr-defined]
            os._exit(3)
        body = f"{os.getpid()} {os.getcwd()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


class Server:
    def __init__(self, parameters: SimpleNamespace) -> None:
        name = os.path.basename(parameters.model.path)
        if name.startswith("slow"):
            time.sleep(60)
        if name.startswith("abort"):
            os.abort()
        if name.startswith("noise"):
            print("not JSON", flush=True)
        http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        http.parameters = parameters  # type: ignore[attr-defined]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{http.server_port}"


def CommonParams() -> SimpleNamespace:
    return SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())
