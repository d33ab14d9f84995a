"""Azure has two forms of URL; a missing resource is refused by name."""

from __future__ import annotations

from typing import Any

from tests.core.protocols.openai_chat.requests import HI, build_request, get_refusal
from victor_fp.core.requests import HttpRequest


def build_url(**given: Any) -> str | tuple[str, bool]:
    settings = {name: given.pop(name) for name in ("endpoint", "deployment", "api_version") if name in given}
    request = build_request("azure", [HI], model="gpt-4o", settings=settings, **given)
    assert isinstance(request, HttpRequest), request
    assert request.headers["api-key"] == "<secret>"
    body = request.json()
    assert isinstance(body, dict)
    return request.url if "model" in body else (request.url, False)


def test_the_urls_of_azure() -> None:
    root = "https://mine.openai.azure.com"
    old = f"{root}/openai/deployments/mine/chat/completions"
    assert build_url(endpoint=f"{root}/") == f"{root}/openai/v1/chat/completions"
    assert build_url(endpoint=f"{root}/openai/v1/") == f"{root}/openai/v1/chat/completions"
    assert build_url(endpoint=root, api_version="preview") == f"{root}/openai/v1/chat/completions?api-version=preview"
    assert build_url(endpoint=root, deployment="mine", api_version="2025-01-01-preview") == (
        f"{old}?api-version=2025-01-01-preview",
        False,
    )
    assert build_url(endpoint=root, deployment="mine") == (f"{old}?api-version=2024-10-21", False)
    assert build_url(endpoint=root, api_version="2024-10-21") == (
        f"{root}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        False,
    )
    assert (
        build_url(base_url="http://127.0.0.1:9/openai/v1", endpoint=root)
        == "http://127.0.0.1:9/openai/v1/chat/completions"
    )


def test_azure_without_a_resource_reports_the_missing_setting() -> None:
    assert get_refusal("azure", model="gpt-4o")[0] == "InvalidRequest"
