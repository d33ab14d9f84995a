"""The real llama.cpp server in a process of its own: `serve_llamacpp.py GGUF TEMPLATE KEY`, until stdin ends."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main(model: str, template: str, key: str) -> None:
    xllamacpp = import_module("xllamacpp")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"smollm2"}
    parameters.n_ctx = 4096
    parameters.n_parallel = 4
    parameters.kv_unified = True
    parameters.api_keys = [key]
    parameters.chat_template = Path(template).read_text("utf-8")
    parameters.warmup = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
