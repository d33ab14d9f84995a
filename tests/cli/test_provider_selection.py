"""The default provider: a key first, then a local server, then the embedded model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import answer_hello
from tests.loopback import Received, Serve, Talk
from victor_fp.cli.local_servers import find_running_server
from victor_fp.cli.provider_selection import select_provider
from victor_fp.config.api_keys import store_api_key
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import NO_AUTH, ProviderSpec, Setting
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.shell.credentials.key_ring import NoKeyRing


def build_hosted(name: str, **more: object) -> ProviderSpec:
    fields = {
        "title": name,
        "dialect": ChatDialect(),
        "base_url": "https://x.invalid",
        "key_variables": (f"{name.upper()}_KEY",),
        "default_model": "m",
    }
    return ProviderSpec(name=name, **{**fields, **more})  # type: ignore[arg-type]  # fields of any type


def build_local(name: str, url: str) -> ProviderSpec:
    return ProviderSpec(name=name, title=name, dialect=ChatDialect(), base_url=f"{url}/v1", auth=NO_AUTH, local=True)


SPECS = (
    build_hosted("first"),
    build_hosted("placed", settings=(Setting(name="endpoint", variables=("PLACED_ENDPOINT",), required=True),)),
    build_hosted("second"),
    build_hosted("optional", key_optional=True),
)


def choose(environment: Mapping[str, str], *specs: ProviderSpec, **asked: str) -> tuple[str, str | None, str]:
    made = asyncio.run(
        select_provider(
            asked.get("provider"), asked.get("model"), environment, specs=specs or SPECS, key_ring=NoKeyRing()
        )
    )
    return made.provider, made.model, made.reason


def test_an_explicit_choice_is_used() -> None:
    assert choose({"FIRST_KEY": "k"}, provider="second", model="m") == ("second", "m", "")


@pytest.mark.parametrize("asked", [{"provider": "openai/gpt-5-mini"}, {"model": "openai/gpt-5-mini"}])
def test_one_name_holds_provider_and_model(asked: dict[str, str]) -> None:
    assert choose({"FIRST_KEY": "k"}, **asked) == ("openai", "gpt-5-mini", "")


def test_model_with_a_slash_is_split_only_at_a_provider() -> None:
    assert choose({"FIRST_KEY": "k"}, model="meta-llama/llama-4") == (
        "first",
        "meta-llama/llama-4",
        "key from environment FIRST_KEY",
    )
    assert choose({}, provider="openrouter", model="openai/gpt-5") == ("openrouter", "openai/gpt-5", "")


def test_the_first_provider_with_a_key_is_selected() -> None:
    assert choose({"SECOND_KEY": "k"})[0] == "second"
    assert choose({"SECOND_KEY": "k", "FIRST_KEY": "k"}) == ("first", None, "key from environment FIRST_KEY")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    world = {"VICTOR_FP_CONFIG_DIR": str(tmp_path)}
    store_api_key("first", "k", environment=world)

    assert choose(world)[0] == "first"
    assert choose({**world, "SECOND_KEY": "k"})[0] == "second"


def test_a_key_without_a_required_endpoint_does_not_select_a_provider() -> None:
    assert choose({"PLACED_KEY": "k"})[0] == "local"
    assert choose({"PLACED_KEY": "k", "PLACED_ENDPOINT": "https://p.invalid"})[0] == "placed"


def test_optional_key_does_not_select_a_provider() -> None:
    assert choose({"OPTIONAL_KEY": "k"})[0] == "local"


def test_token_for_another_purpose_does_not_select_a_provider() -> None:
    assert choose({"GENERAL_KEY": "k"}, build_hosted("general", default_model=None))[0] == "local"
    found = choose({"GITHUB_TOKEN": "t", "DIGITALOCEAN_ACCESS_TOKEN": "t", "WANDB_API_KEY": "k"}, *CATALOGUE)
    assert found[0] == "local"
    assert choose({"NEBIUS_API_KEY": "k"}, *CATALOGUE)[0] == "nebius"


def test_a_running_server_is_found_with_its_model(serve: Serve) -> None:
    server = serve(answer_hello)
    silent = build_local("silent", "http://127.0.0.1:9")

    name, model, reason = choose({}, silent, build_local("runs", server.url))

    assert (name, model) == ("runs", "m-1")
    assert reason == f"running at {server.url}/v1"
    assert server.received[0].path == "/v1/models"


def test_only_servers_on_this_machine_are_probed() -> None:
    far = build_local("far", "http://192.0.2.1:8080")

    started = time.monotonic()
    assert asyncio.run(find_running_server([far], {})) is None
    assert time.monotonic() - started < 0.25


@pytest.mark.parametrize("kind", ["silent", "drip", "html", "404", "empty list", "rude", "no models"])
def test_other_servers_are_skipped_in_time(serve: Serve, kind: str) -> None:
    async def answer_strangely(talk: Talk, received: Received) -> None:
        match kind:
            case "silent":
                await talk.wait_for_close(5)
            case "drip":
                await talk.send_head(content_length="1000")
                await talk.wait_for_close(5)
            case "html":
                await talk.answer("<html>hello</html>", content_type="text/html")
            case "404":
                await talk.answer({"data": [{"id": "m"}]}, status=404)
            case "empty list":
                await talk.answer({"data": []})
            case "no models":
                await talk.answer({"status": "ok"})
            case _:
                await talk.reset()

    server = serve(answer_strangely)
    asyncio.run(find_running_server([], {}))

    started = time.monotonic()
    assert asyncio.run(find_running_server([build_local("odd", server.url)], {}, timeout=0.3)) is None
    assert time.monotonic() - started < 1
