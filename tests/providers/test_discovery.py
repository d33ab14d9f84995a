"""Model data of vendors over HTTP, and the defaults without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.loopback import Received, Script, Talk, serving
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry


def make_provider(name: str, url: str, **options: Any) -> CatalogueProvider:
    made: BaseProvider = ProviderRegistry.create(name, api_key="k", base_url=url, timeout=2, **options)
    assert isinstance(made, CatalogueProvider)
    return made


def route_answers(**answers: object) -> Script:
    """Answers by the path's last word; anything else is 404."""

    async def answer_by_path(talk: Talk, received: Received) -> None:
        word = received.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        found = answers.get(word.replace("-", "_").replace(":", "_"))
        await talk.answer(found if found is not None else {"error": {"message": "no"}}, 200 if found else 404)

    return answer_by_path


LISTS = {
    "groq": {"data": [{"id": "m", "context_window": 131072, "max_completion_tokens": 8192}]},
    "openrouter": {"data": [{"id": "m", "context_length": 200000, "supported_parameters": ["tools"]}]},
    "vllm": {"data": [{"id": "m", "max_model_len": 32768}]},
}
WINDOWS = {"groq": 131072, "openrouter": 200000, "vllm": 32768}


@pytest.mark.parametrize("name", LISTS)
async def test_model_list_has_context_windows(name: str) -> None:
    async with serving(route_answers(models=LISTS[name])) as server, make_provider(name, f"{server.url}/v1") as asked:
        found = await asked.discover_capabilities("m")
    assert (found.provider, found.model, found.source) == (name, "m", "discovered")
    assert found.context_window == WINDOWS[name]
    assert found.raw


async def test_anthropic_describes_a_model() -> None:
    model = {"type": "model", "id": "m", "display_name": "M", "max_input_tokens": 190000, "max_tokens": 64000}
    async with serving(route_answers(m=model)) as server, make_provider("anthropic", server.url) as asked:
        found = await asked.discover_capabilities("m")
    assert (found.context_window, found.max_output_tokens, found.source) == (190000, 64000, "discovered")
    assert server.received[0].headers["x-api-key"] == "k"


async def test_mistral_describes_a_model() -> None:
    model = {"id": "m", "max_context_length": 128000, "capabilities": {"function_calling": False, "vision": True}}
    async with serving(route_answers(m=model)) as server, make_provider("mistral", f"{server.url}/v1") as asked:
        found = await asked.discover_capabilities("m")
    assert (found.context_window, found.supports_tools, found.source) == (128000, False, "discovered")
    assert server.received[0].path == "/v1/models/m"


async def test_gemini_describes_a_model() -> None:
    model = {"name": "models/m", "inputTokenLimit": 1048576, "outputTokenLimit": 65536}
    async with serving(route_answers(m=model)) as server, make_provider("google", f"{server.url}/v1beta") as asked:
        found = await asked.discover_capabilities("m")
    assert (found.context_window, found.max_output_tokens, found.source) == (1048576, 65536, "discovered")


async def test_ollama_reports_context_window_and_tool_support() -> None:
    show = {
        "model_info": {"llama.context_length": 131072},
        "capabilities": ["completion"],
        "parameters": "num_ctx 16384",
    }
    async with serving(route_answers(show=show)) as server, make_provider("ollama", server.url) as asked:
        found = await asked.discover_capabilities("m")
    assert (found.context_window, found.supports_tools, found.source) == (16384, False, "discovered")


@pytest.mark.parametrize("name", ["groq", "anthropic", "google", "ollama"])
async def test_configured_limits_are_used_after_a_failure(name: str) -> None:
    async with serving(route_answers()) as server, make_provider(name, server.url) as asked:
        found = await asked.discover_capabilities("m")
    assert found.source == "config"
    assert found.context_window > 0
    assert found.raw is None


async def test_models_are_listed() -> None:
    async with (
        serving(route_answers(models=LISTS["groq"])) as server,
        make_provider("groq", f"{server.url}/v1") as asked,
    ):
        assert [info.id for info in await asked.list_models()] == ["m"]


async def test_an_unavailable_model_list_is_an_error() -> None:
    async with serving(route_answers()) as server, make_provider("groq", f"{server.url}/v1") as asked:
        with pytest.raises(ProviderError):
            await asked.list_models()


async def test_tokens_are_counted_by_the_vendor_when_a_model_is_named() -> None:
    async with (
        serving(route_answers(count_tokens={"input_tokens": 7})) as server,
        make_provider("anthropic", server.url) as asked,
    ):
        assert await asked.count_tokens("Hello there", model="m") == 7
        assert await asked.count_tokens("Hello there") == 3
    assert len(server.received) == 1


def give_pages(key: str, pages: list[object], found: list[str]) -> Script:
    """Answers page by page; the value of the query's `key` is kept."""

    async def answer_page(talk: Talk, received: Received) -> None:
        found.append(dict(parse_qsl(received.path.partition("?")[2])).get(key, ""))
        await talk.answer(pages[min(len(found), len(pages)) - 1])

    return answer_page


PAGES: dict[str, tuple[str, Callable[[str, bool], object]]] = {
    "anthropic": ("after_id", lambda name, last: {"data": [{"id": name}], "has_more": not last, "last_id": name}),
    "google": (
        "pageToken",
        lambda name, last: {"models": [{"name": name}], **({} if last else {"nextPageToken": name})},
    ),
    "cohere": (
        "page_token",
        lambda name, last: {"models": [{"name": name}], **({} if last else {"next_page_token": name})},
    ),
}


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_of_a_list_is_followed(name: str) -> None:
    key, page = PAGES[name]
    asked: list[str] = []
    script = give_pages(key, [page("a", False), page("b", False), page("c", True)], asked)
    async with serving(script) as server, make_provider(name, server.url) as vendor:
        assert [info.id for info in await vendor.list_models()] == ["a", "b", "c"]
    assert asked == ["", "a", "b"]


@pytest.mark.parametrize("name", PAGES)
async def test_pages_that_repeat_themselves_end(name: str) -> None:
    key, page = PAGES[name]
    asked: list[str] = []
    async with serving(give_pages(key, [page("a", False)], asked)) as server, make_provider(name, server.url) as vendor:
        assert [info.id for info in await vendor.list_models()] == ["a"]
    assert asked == ["", "a"]


async def test_the_pages_that_are_followed_are_bounded() -> None:
    asked: list[str] = []
    pages: list[object] = [{"data": [{"id": str(n)}], "has_more": True, "last_id": str(n)} for n in range(50)]
    async with (
        serving(give_pages("after_id", pages, asked)) as server,
        make_provider("anthropic", server.url) as vendor,
    ):
        assert len(await vendor.list_models()) == len(asked) == 20


WINDOWLESS: dict[str, object] = {
    "vllm": {"data": [{"id": "m"}]},
    "lmstudio": {"data": [{"id": "m", "state": "not-loaded"}]},
    "ollama": {"capabilities": ["completion"], "details": {}},
    "mistral": {"id": "m"},
    "anthropic": {"id": "m"},
    "google": {"name": "models/m"},
    "openrouter": {"data": [{"id": "m", "context_length": -1}]},
    "cohere": {"name": "m", "context_length": -1},
}


@pytest.mark.parametrize("name", WINDOWLESS)
async def test_a_window_that_the_vendor_did_not_name_is_not_discovered(name: str) -> None:
    """A window that is not plausible counts as not reported."""

    async def answer_without_window(talk: Talk, _: Received) -> None:
        await talk.answer(WINDOWLESS[name])

    async with serving(answer_without_window) as server, make_provider(name, server.url) as vendor:
        found = await vendor.discover_capabilities("m")
    assert found.source == "config"


@pytest.mark.parametrize("name", ["llamacpp", "llamacpp-responses", "llamacpp-anthropic"])
@pytest.mark.parametrize("props", [{"default_generation_settings": {"n_ctx": 0}}, None])
async def test_router_is_asked_for_its_model_list(name: str, props: object) -> None:
    listed = {"data": [{"id": "m", "meta": {"n_ctx": 65536}}]}
    async with serving(route_answers(props=props, models=listed)) as server, make_provider(name, server.url) as vendor:
        found = await vendor.discover_capabilities("m")
    assert (found.context_window, found.source) == (65536, "discovered")
    assert [received.path.partition("?")[0] for received in server.received] == ["/props", "/v1/models"]
    assert server.received[0].path == "/props?model=m"
