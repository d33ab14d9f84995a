"""Properties of every entry of the catalogue."""

from __future__ import annotations

import re
from typing import Any

from tests.acme import HI
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import NOT_KNOWN, ProviderSpec
from victor_fp.core.faults import is_shared_fault
from victor_fp.core.types import ImagePart, Message, TextPart
from victor_fp.testing.conformance import harness_for

SETTINGS = {
    "account": "acme",
    "endpoint": "https://acme.test",
    "gateway": "g",
    "host": "https://acme.cloud.test/",
    "location": "global",
    "project": "p",
    "region": "us-1",
    "resource": "acme",
}
PICTURE = [Message(role="user", content=[TextPart(text="Look:"), ImagePart(url="https://i.test/a.png")])]


def select_settings(entry: ProviderSpec) -> dict[str, Any]:
    return {setting.name: SETTINGS[setting.name] for setting in entry.settings if setting.name in SETTINGS}


def test_every_entry_sends_a_request_for_an_unknown_model() -> None:
    for entry in CATALOGUE.chats:
        for stream in (False, True):
            model = "owner/unheard-of"
            request = replay.request(
                entry.name, HI, model=model, stream=stream, settings=select_settings(entry)
            ).unwrap()
            assert request.url.startswith(
                ("https://", "http://localhost", "http://127.0.0.1", "http://local.invalid")
            ), entry.name
            assert "{" not in request.url, entry.name


def test_a_setting_that_an_address_needs_is_asked_for_by_name() -> None:
    for name, setting in (
        ("databricks", "host"),
        ("cloudflare-workers-ai", "account"),
        ("bedrock-mantle", "region"),
        ("azure-anthropic", "resource"),
        ("snowflake", "account"),
    ):
        fault = replay.request(name, HI, model="m").failure()
        assert f"requires the setting {setting}" in fault.message
        assert is_shared_fault(fault)


def test_a_host_may_be_given_as_an_address() -> None:
    for host in ("acme.cloud.test", "https://acme.cloud.test", "https://acme.cloud.test/"):
        request = replay.request("databricks", HI, model="m", settings={"host": host}).unwrap()
        assert request.url == "https://acme.cloud.test/ai-gateway/mlflow/v1/chat/completions"


def test_every_entry_says_where_its_facts_are_from() -> None:
    for entry in CATALOGUE:
        assert entry.title, entry.name
        assert entry.source, entry.name
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", entry.date), entry.name
        if entry.confidence == "listed":
            assert entry.source.startswith("https://"), entry.name


def test_every_entry_names_a_default_model_with_its_source_or_says_why_there_is_none() -> None:
    for entry in CATALOGUE.chats:
        assert (entry.default_model is None) == bool(entry.no_default), entry.name
        assert entry.default_model != "", entry.name
        assert entry.default_source.startswith("https://") or entry.default_source == "", entry.name
        if entry.default_model is not None and entry.confidence == "listed":
            assert entry.default_source, entry.name


def test_a_call_without_a_model_goes_to_the_default_model() -> None:
    for name, model in (("nebius", "openai/gpt-oss-120b"), ("opencode-anthropic", "claude-sonnet-4-6")):
        assert CATALOGUE.find(name).unwrap().default_model == model


def test_unknown_features_are_sent_and_unsupported_ones_are_rejected() -> None:
    assert CATALOGUE.find("crusoe").unwrap().supports == NOT_KNOWN
    sent = replay.request("crusoe", PICTURE, model="m").unwrap().json()
    assert "https://i.test/a.png" in str(sent)
    assert replay.request("deepseek", PICTURE, model="m").failure().message.startswith("image")


def test_a_key_is_sent_in_a_second_header_if_the_vendor_requires_it() -> None:
    headers = replay.request("sarvam", HI, model="m").unwrap().headers
    assert (headers["authorization"], headers["api-subscription-key"]) == ("Bearer <secret>", "<secret>")
    headers = replay.request("minimax-anthropic", HI, model="m").unwrap().headers
    assert (headers["authorization"], headers["x-api-key"]) == ("Bearer <secret>", "<secret>")
    assert headers["anthropic-version"] == "2023-06-01"
    headers = replay.request("portkey", HI, model="m", settings={"config": "pc-1"}).unwrap().headers
    assert (headers["x-portkey-api-key"], headers["x-portkey-config"]) == ("<secret>", "pc-1")
    assert "authorization" not in headers


def test_second_protocols_share_key_settings_and_address_with_the_first() -> None:
    for name, url in (
        ("vercel-responses", "https://ai-gateway.vercel.sh/v1/responses"),
        ("vercel-anthropic", "https://ai-gateway.vercel.sh/v1/messages"),
        ("deepinfra-anthropic", "https://api.deepinfra.com/anthropic/v1/messages"),
        ("minimax-anthropic", "https://api.minimax.io/anthropic/v1/messages"),
        ("perplexity-responses", "https://api.perplexity.ai/v1/responses"),
        ("perplexity", "https://api.perplexity.ai/chat/completions"),
        ("novita", "https://api.novita.ai/openai/v1/chat/completions"),
        ("ollama-cloud", "https://ollama.com/api/chat"),
        ("qwen-coding-anthropic", "https://coding-intl.dashscope.aliyuncs.com/apps/anthropic/v1/messages"),
        ("opencode-google", "https://opencode.ai/zen/v1/models/m:generateContent"),
        ("zenmux-google", "https://zenmux.ai/api/vertex-ai/v1/publishers/google/models/m:generateContent"),
        ("databricks-google", "https://acme.cloud.test/ai-gateway/gemini/v1beta/models/m:generateContent"),
        ("bedrock-mantle-anthropic", "https://bedrock-mantle.us-1.api.aws/anthropic/v1/messages"),
        ("pydantic-gateway", "https://gateway-us-1.pydantic.dev/proxy/openai/chat/completions"),
        ("pydantic-gateway-bedrock", "https://gateway-us-1.pydantic.dev/proxy/bedrock/model/m/converse"),
    ):
        settings = select_settings(CATALOGUE.find(name).unwrap())
        assert replay.request(name, HI, model="m", settings=settings).unwrap().url == url
    for entry in CATALOGUE:
        first = CATALOGUE.find(entry.name.rpartition("-")[0]).value_or(None)
        if first is not None and entry.key_name and entry.name.endswith(("-responses", "-anthropic")):
            assert entry.key_variables == first.key_variables, entry.name
            assert entry.key_name == (first.key_name or first.name), entry.name


def test_the_conformance_kit_has_a_harness_for_every_entry() -> None:
    for entry in CATALOGUE:
        assert ("protocol" if entry.supports.chat else "no chat") in harness_for(entry.name).has
