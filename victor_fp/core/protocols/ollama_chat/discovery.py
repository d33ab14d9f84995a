"""Model discovery of Ollama: /api/tags for the list, /api/show for one model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import msgspec
from victor_fp_wire.ollama_chat import response as wire
from victor_fp_wire.ollama_chat.operations import ListModels, ShowModel
from victor_fp_wire.ollama_chat.request import ShowRequest

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.json import Undecodable, encode_json
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.ollama_chat.response import drop_unreported
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

LISTS = build_decoder(ListModels.RESPONSE)
MODELS = build_decoder(ShowModel.RESPONSE)
NUM_CTX = re.compile(r"^[ \t]*num_ctx[ \t]+([0-9]{1,15})[ \t\r]*$", re.MULTILINE)
"""Line of /api/show's `parameters` with the context window set in the Modelfile."""


def build_discovery(endpoint: Endpoint) -> Discovery:
    """Return the discovery operations."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels()),
        read_list=read_list,
        model_request=partial(build_model_request, endpoint),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models on the server, without capabilities, which the list does not have."""
    listed = LISTS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    return tuple(
        ModelInfo(id=name, raw=dict(_read_facts(model)))
        for model in listed.models or ()
        if (name := model.model or model.name)
    )


def build_model_request(endpoint: Endpoint, model: str) -> HttpRequest:
    """Build the request for one model."""
    return build_request(endpoint, ShowModel(), body=encode_json(ShowRequest(model=model)))


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model. Its context window is `num_ctx` if the model sets it, else its trained length, in tokens."""
    shown = MODELS.decode(body)
    if isinstance(shown, Undecodable) or shown == wire.ShowResponse():
        return None
    capabilities = None if shown.capabilities is None else frozenset(shown.capabilities)
    return ModelInfo(
        id=model,
        context_window=_find_context_window(shown),
        supports_tools=None if capabilities is None else "tools" in capabilities,
        supports_streaming=None if capabilities is None else "completion" in capabilities,
        supports_images=None if capabilities is None else "vision" in capabilities,
        supports_reasoning=None if capabilities is None else "thinking" in capabilities,
        raw=dict(_read_facts(wire.ShowResponse(capabilities=shown.capabilities, details=shown.details))),
    )


def _read_facts(model: wire.ModelSummary | wire.ShowResponse) -> Mapping[str, object]:
    facts = drop_unreported(msgspec.to_builtins(model))
    return facts if isinstance(facts, dict) else {}


def _find_context_window(shown: wire.ShowResponse) -> int | None:
    if (num_ctx := NUM_CTX.search(shown.parameters or "")) is not None:
        return read_limit(int(num_ctx[1]))
    lengths = (value for name, value in (shown.model_info or {}).items() if name.endswith(".context_length"))
    return next(
        (read_limit(length) for length in lengths if isinstance(length, int) and not isinstance(length, bool)), None
    )
