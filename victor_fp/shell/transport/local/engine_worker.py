"""The script of an engine's child process: loads one model, writes its address, and waits.

xllamacpp holds the GIL while it loads a model and aborts the process on some inputs, so it runs in a separate process.
The first line of standard input is JSON: `package` (the path of xllamacpp's `__init__.py`), `key`, and the settings of
the model. The response is one line of JSON: `address`, or `error` with a `code`. The process ends at the end of its
standard input.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any


def load_model(settings: dict[str, Any]) -> dict[str, str]:
    """Load the model and start its server, which ends with the process."""
    try:
        xllamacpp = import_package(settings["package"])
    except ImportError as error:
        return {"error": str(error), "code": "extra_missing"}
    try:
        server = xllamacpp.Server(build_parameters(xllamacpp, settings))
    except Exception as error:  # any error is reported to the parent process
        return {"error": str(error) or type(error).__name__, "code": "model_load_failed"}
    _SERVERS.append(server)
    return {"address": server.listening_address}


_SERVERS: list[object] = []


def import_package(path: str) -> Any:
    """Import xllamacpp from the path that the parent process would use."""
    locations = [os.path.dirname(path)] if os.path.basename(path) == "__init__.py" else None
    spec = spec_from_file_location("xllamacpp", path, submodule_search_locations=locations)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a module")
    module = sys.modules["xllamacpp"] = module_from_spec(spec)
    sys.path.append(os.path.dirname(os.path.dirname(path) if locations else path))  # for its dependencies
    spec.loader.exec_module(module)
    return module


EMBEDDING_BATCH = 2048
"""Maximum tokens of a text to embed."""


def build_parameters(xllamacpp: Any, settings: dict[str, Any]) -> object:
    """Build the parameters of xllamacpp."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["model"]
    parameters.model_alias = {settings["name"]}
    parameters.n_ctx = settings["context"]
    parameters.n_parallel = settings["parallel"]
    parameters.kv_unified = True  # otherwise each parallel slot has only a part of the context
    parameters.cache_ram_mib = 256  # the default caches up to 8 GiB of prompts
    parameters.api_keys = [settings["key"]]
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.offline = True
    parameters.warmup = False
    parameters.verbosity = -1  # llama.cpp writes its log to the terminal otherwise
    if settings["embeddings"]:
        parameters.embedding = True
        if settings["mean_pooling"]:
            parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # A text is embedded in one batch, whose memory is allocated at the start.
        parameters.n_batch = parameters.n_ubatch = min(settings["context"], EMBEDDING_BATCH)
    if settings["chat_template"]:
        parameters.chat_template = settings["chat_template"]
    if settings["threads"] is not None:
        parameters.cpuparams.n_threads = settings["threads"]
        parameters.cpuparams_batch.n_threads = settings["threads"]
    if settings["gpu_layers"] is not None:
        parameters.n_gpu_layers = settings["gpu_layers"]
    return parameters


def main() -> None:
    """Serve one model until standard input ends."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    settings = json.loads(sys.stdin.readline())
    os.write(answers, json.dumps(load_model(settings)).encode() + b"\n")
    sys.stdin.read()
    os._exit(0)  # the server's destructor would wait for open connections


if __name__ == "__main__":
    main()
