"""Which models there are (/api/tags), and what one of them can (/api/show)."""

from __future__ import annotations

import re
from functools import partial

import msgspec
from victor_fp_wire.ollama_chat import response as wire
from victor_fp_wire.ollama_chat.operations import ListModels, ShowModel
from victor_fp_wire.ollama_chat.request import ShowRequest

from victor_fp.core.json import encode_json
from victor_fp.core.protocols import Discovery, ModelInfo
from victor_fp.core.protocols.ollama_chat.response import drop_unreported
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.wire_decoding import Undecodable

LISTS = build_decoder(ListModels.RESPONSE)
MODELS = build_decoder(ShowModel.RESPONSE)
NUM_CTX = re.compile(r"^\s*num_ctx\s+(\d+)\s*$", re.MULTILINE)
"""A line of /api/show's `parameters`: what the model is run with, where its file says so."""


def build_discovery(endpoint: Endpoint) -> Discovery:
    """How to ask this server for models."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels()),
        read_list=read_list,
        model_request=partial(build_model_request, endpoint),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models on the server; it does not tell here what they can."""
    listed = LISTS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    return tuple(
        ModelInfo(id=name, raw=_read_facts(model))
        for model in listed.models or ()
        if (name := model.model or model.name)
    )


def build_model_request(endpoint: Endpoint, model: str) -> HttpRequest:
    """Build the request for the facts of one model."""
    return build_request(endpoint, ShowModel(), body=encode_json(ShowRequest(model=model)))


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Context window: `num_ctx` where the model sets it, else the length that the file was made for, in tokens."""
    shown = MODELS.decode(body)
    if isinstance(shown, Undecodable) or shown == wire.ShowResponse():
        return None
    able = None if shown.capabilities is None else frozenset(shown.capabilities)
    return ModelInfo(
        id=model,
        context_window=_find_context_window(shown),
        supports_tools=None if able is None else "tools" in able,
        supports_streaming=None if able is None else "completion" in able,
        supports_images=None if able is None else "vision" in able,
        supports_reasoning=None if able is None else "thinking" in able,
        raw=_read_facts(wire.ShowResponse(capabilities=shown.capabilities, details=shown.details)),
    )


def _read_facts(model: wire.ModelSummary | wire.ShowResponse) -> dict[str, object]:
    facts = drop_unreported(msgspec.to_builtins(model))
    return dict(facts) if isinstance(facts, dict) else {}


def _find_context_window(shown: wire.ShowResponse) -> int | None:
    if (given := NUM_CTX.search(shown.parameters or "")) is not None:
        return int(given[1])
    lengths = (value for name, value in (shown.model_info or {}).items() if name.endswith(".context_length"))
    return next((length for length in lengths if isinstance(length, int) and not isinstance(length, bool)), None)
