"""Model data of /api/tags and /api/show."""

from __future__ import annotations

import json

import pytest
from syrupy.assertion import SnapshotAssertion

from victor_fp.core.catalogue.entries.local import OLLAMA
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.json import Json
from victor_fp.core.protocols.ollama_chat.discovery import build_discovery, build_model_request, read_list, read_model
from victor_fp.core.requests import Endpoint

ENDPOINT = Endpoint(spec=OLLAMA, base_url="http://localhost:11434", keyed=False)


def encode_fields(**fields: Json) -> bytes:
    return json.dumps(fields).encode()


def test_the_requests() -> None:
    listing, one = build_discovery(ENDPOINT).list_request(), build_model_request(ENDPOINT, "qwen3:4b")
    assert (listing.method, listing.url, listing.body) == ("GET", "http://localhost:11434/api/tags", b"")
    assert (one.method, one.url, one.json()) == ("POST", "http://localhost:11434/api/show", {"model": "qwen3:4b"})


def test_the_list(snapshot: SnapshotAssertion) -> None:
    details = {"family": "qwen3", "parameter_size": "4.0B"}
    body = encode_fields(
        models=[{"name": "qwen3:4b", "model": "qwen3:4b", "size": 7, "details": details}, {"name": "old"}, {}]
    )
    assert snapshot == [(model.id, model.raw) for model in read_list(body)]


def test_a_model(snapshot: SnapshotAssertion) -> None:
    body = encode_fields(
        capabilities=["completion", "tools", "thinking"],
        model_info={"general.architecture": "qwen3", "qwen3.context_length": 40960, "qwen3.rope.context_length": "?"},
        details={"family": "qwen3"},
    )
    model = read_model("qwen3:4b", body)
    assert model is not None
    assert snapshot == {name: getattr(model, name) for name in model.__struct_fields__}


@pytest.mark.parametrize(
    ("parameters", "window"),
    [
        ('num_ctx                        8192\nstop  "x"', 8192),
        ("temperature 1\n  num_ctx 16", 16),
        ("my_num_ctx 3", 40960),
        ("num_ctx 0", None),
        ("num_ctx " + "9" * 5000, 40960),
    ],
)
def test_the_configured_context_overrides_the_trained_one(parameters: str, window: int | None) -> None:
    model = read_model("m", encode_fields(parameters=parameters, model_info={"qwen3.context_length": 40960}))
    assert model is not None
    assert model.context_window == window


def test_fields_missing_in_an_older_version_are_unknown() -> None:
    assert read_model("m", encode_fields(template="{{ .Prompt }}")) == ModelInfo(id="m")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error": "model not found"}'])
def test_an_unreadable_body_yields_nothing(body: bytes) -> None:
    assert read_list(body) == ()
    assert read_model("m", body) is None
