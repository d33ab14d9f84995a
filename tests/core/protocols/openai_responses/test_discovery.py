"""URLs of model lists; decoding them is tested with the chat protocol."""

from __future__ import annotations

import json

import pytest

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint


def get_discovery(provider: str, **settings: str) -> Discovery:
    found = codec_for(build_endpoint(CATALOGUE.find(provider).unwrap(), settings=settings).unwrap()).discovery
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("openai-responses", "https://api.openai.com/v1/models"),
        ("azure-responses", "https://unit.openai.azure.com/openai/v1/models"),
        ("xai-responses", "https://api.x.ai/v1/models"),
        ("deepseek-responses", "https://api.deepseek.com/models"),
    ],
)
def test_the_list(provider: str, url: str) -> None:
    settings = {"endpoint": "https://unit.openai.azure.com"} if provider == "azure-responses" else {}
    found = get_discovery(provider, **settings)
    listing = found.list_request()
    assert (listing.method, listing.url, found.model_request) == ("GET", url, None)
    body = json.dumps({"object": "list", "data": [{"id": "m-1"}, {"id": "m-2", "context_length": 8192}]}).encode()
    assert [(model.id, model.context_window) for model in found.read_list(body)] == [("m-1", None), ("m-2", 8192)]


def test_a_local_server_is_asked_for_the_model_that_it_serves() -> None:
    found = get_discovery("llamacpp-responses")
    assert found.model_request is not None
    assert found.read_model is not None
    assert found.model_request("m").url == "http://localhost:8080/props?model=m"
    model = found.read_model("m", b'{"default_generation_settings": {"n_ctx": 4096}}')
    assert model is not None
    assert model.context_window == 4096


def test_each_entry_has_the_key_of_its_vendors_chats_and_a_name_of_its_own() -> None:
    for spec in (entry for entry in CATALOGUE if entry.dialect.protocol == "openai-responses"):
        chat = CATALOGUE.find(spec.name.removesuffix("-responses")).unwrap()
        assert spec.name == f"{chat.name}-responses"
        assert spec.key_name == (chat.key_name or chat.name)
        assert (spec.key_variables, spec.auth, spec.settings, spec.limits) == (
            chat.key_variables,
            chat.auth,
            chat.settings,
            chat.limits,
        )
        assert CATALOGUE.find(spec.name).unwrap() is spec
