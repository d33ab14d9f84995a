"""Which vendor's document each provider's requests are checked against; `VICTOR_FP_SPECS` names the folder that has them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.conformance.schema_checking import Mismatch, find_mismatches
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.requests import HttpRequest

FOLDER = Path(os.environ.get("VICTOR_FP_SPECS") or "specs")


class Documented(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of a vendor's document."""

    document: str
    path: str = ""
    """Of the operation, whose method is POST; empty where the document is the body's schema itself."""
    stream_path: str = ""
    """Where streams have an operation of their own."""


OF_PROVIDER: Mapping[
    str, Documented
] = {  # those by the vendors' own hands; what others wrote about them decides nothing
    "openai": Documented(document="openai.yaml", path="/chat/completions"),
    "openai-responses": Documented(document="openai.yaml", path="/responses"),
    "azure": Documented(document="azure-openai-v1.json", path="/chat/completions"),
    "azure-responses": Documented(document="azure-openai-v1.json", path="/responses"),
    "anthropic": Documented(document="anthropic.yaml", path="/v1/messages"),
    "google": Documented(document="gemini.json", path="/models/{modelsId}:generateContent"),
    "vertex": Documented(document="vertex.json", path="/v1/{model}:generateContent"),
    "bedrock": Documented(
        document="bedrock-converse.json",
        path="/model/{modelId}/converse",
        stream_path="/model/{modelId}/converse-stream",
    ),
    "mistral": Documented(document="mistral-public-doc.yaml", path="/v1/chat/completions"),
    "cohere": Documented(document="cohere.yaml", path="/v2/chat"),
    "ollama": Documented(document="ollama.yaml", path="/api/chat"),
    "groq": Documented(document="groq.yaml", path="/openai/v1/chat/completions"),
    "moonshot": Documented(document="moonshot.json", path="/v1/chat/completions"),
    "moonshot-china": Documented(document="moonshot.json", path="/v1/chat/completions"),
    "together": Documented(document="together.yaml", path="/chat/completions"),
    "openrouter": Documented(document="openrouter.yaml", path="/chat/completions"),
    "openrouter-responses": Documented(document="openrouter.yaml", path="/responses"),
    "fireworks": Documented(document="fireworks.yaml", path="/v1/chat/completions"),
    "cerebras": Documented(document="cerebras-sdk-derived.json", path="/v1/chat/completions"),
    "huggingface": Documented(document="huggingface-chat-input.schema.json"),
    "replicate": Documented(document="replicate.json", path="/models/{model_owner}/{model_name}/predictions"),
}


def find_document(spec: ProviderSpec) -> Documented | None:
    """The document for a provider's requests, where there is one in the folder."""
    found = OF_PROVIDER.get(spec.name)
    return found if found is not None and (FOLDER / found.document).is_file() else None


def find_problems(held: Documented, request: HttpRequest, *, stream: bool) -> list[Mismatch]:
    """What is wrong with a request by a document; keys that the document does not have are wrong."""
    root = _read(held.document)
    path = held.stream_path if stream and held.stream_path else held.path
    schema = _get_body_schema(root, path) if path else root
    return find_mismatches(request.json(), schema, root=root, closed=True)


@cache
def _read(document: str) -> dict[str, Any]:
    data = (FOLDER / document).read_bytes()
    if document.endswith(".json"):
        found: dict[str, Any] = json.loads(data)
        return found
    import yaml

    loaded: dict[str, Any] = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def _get_body_schema(root: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    body: Any = root["paths"][path]["post"]["requestBody"]
    if "$ref" in body:
        body = root["components"]["requestBodies"][body["$ref"].rsplit("/", 1)[-1]]
    (content,) = [media for kind, media in body["content"].items() if "json" in kind][:1]
    found: Mapping[str, Any] = content["schema"]
    return found
