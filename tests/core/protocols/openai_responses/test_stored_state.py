"""Responses that the vendor stores: continued by id, and created in the background."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure

from tests.core.protocols.openai_responses.answers import (
    build_custom_call,
    build_message,
    build_text,
    call,
    encode_sse,
    read,
    read_message,
    read_stream,
    response,
)
from tests.core.protocols.openai_responses.requests import (
    HI,
    build_adjusted_body,
    build_body,
    build_items,
    get_unsupported_parameter,
    request,
)
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.types import Message

STATELESS = ["openrouter-responses", "deepseek-responses", "llamacpp-responses"]
AZURE = {"endpoint": "https://unit.openai.azure.com"}
OPTIONS: dict[str, Any] = {"store": True, "previous_response_id": "resp_1", "background": True}


def result(id_: str = "call_1", **more: Any) -> Message:
    return Message(role="tool", tool_call_id=id_, content="ok", **more)


def test_nothing_is_stored_unless_requested() -> None:
    assert build_body()["store"] is False
    assert build_body(store=False)["store"] is False
    assert build_body(store=True)["store"] is True
    assert "background" not in build_body(store=True)


def test_background_responses_are_stored_and_polled() -> None:
    sent = request(background=True)
    assert sent.is_polled
    assert build_body(background=True)["background"] is True
    assert build_body(background=True)["store"] is True
    assert not request().is_polled
    assert request(extra_body={"background": True, "store": True}).is_polled


def test_a_stream_in_the_background_is_read_as_it_comes() -> None:
    assert not request(background=True, stream=True).is_polled
    assert (
        build_body(background=True, stream=True)["background"],
        build_body(background=True, stream=True)["stream"],
    ) == (
        True,
        True,
    )


@pytest.mark.parametrize("options", [{"store": False}, {"extra_body": {"store": False}}])
def test_background_and_no_store_contradict_each_other(options: dict[str, Any]) -> None:
    assert get_unsupported_parameter(background=True, **options) == "background"
    sent, changes = build_adjusted_body(background=True, **options)
    assert ("background" in sent, changes) == (False, [("background", "dropped")])


@pytest.mark.parametrize("provider", STATELESS)
@pytest.mark.parametrize("option", OPTIONS)
def test_endpoints_without_storage_reject_by_name(provider: str, option: str) -> None:
    assert get_unsupported_parameter(provider=provider, **{option: OPTIONS[option]}) == option


@pytest.mark.parametrize("provider", [*STATELESS, "xai-responses", "azure-responses"])
def test_store_false_is_always_accepted(provider: str) -> None:
    settings = AZURE if provider == "azure-responses" else None
    assert build_body(provider=provider, settings=settings, store=False).get("store") in (None, False)


def test_xai_stores_responses_and_does_not_support_background() -> None:
    assert get_unsupported_parameter(provider="xai-responses", background=True) == "background"
    sent = build_body(provider="xai-responses", previous_response_id="r1", store=True)
    assert (sent["previous_response_id"], sent["store"]) == ("r1", True)


def test_a_turn_has_its_response_id_if_the_response_is_stored() -> None:
    kept = read_message(response(build_message("Yes"), store=True))
    assert kept.metadata is not None
    assert kept.metadata["response_id"] == "resp_1"
    for whole in (response(build_message("Yes"), store=False), response(build_message("Yes"))):
        assert "response_id" not in (read_message(whole).metadata or {})


def test_stored_turns_are_not_sent_again() -> None:
    system, later = Message(role="system", content="Be brief."), Message(role="user", content="And now?")
    answer = read_message(response(build_message("Yes"), store=True))
    sent = build_body([system, HI, answer, later], previous_response_id="resp_1", store=True)
    assert [item["content"] for item in sent["input"]] == ["And now?"]
    assert sent["previous_response_id"] == "resp_1"


def test_a_turn_of_another_response_is_sent_with_what_is_new() -> None:
    answer = read_message(response(build_message("Yes"), store=True))
    assert len(build_items(HI, answer, HI, previous_response_id="resp_9")) == 3
    assert len(build_items(HI, answer, HI)) == 3


def test_results_can_be_given_without_their_calls() -> None:
    sent = build_items(result(), previous_response_id="resp_1")
    assert sent == [{"type": "function_call_output", "call_id": "call_1", "output": "ok"}]
    assert name_fault_without_call() == "InvalidRequest"


def name_fault_without_call() -> str:
    built = replay.request("openai-responses", [result()], model="gpt-5.1")
    assert isinstance(built, Failure)
    return type(built.failure()).__name__


def test_results_after_a_stored_turn_keep_the_type_of_their_call() -> None:
    answer = read_message(
        response(build_custom_call("paint", "sky", id="1"), call("weather", "{}", id="2"), store=True)
    )
    sent = build_items(HI, answer, result("call_1"), result("call_2"), previous_response_id="resp_1")
    assert [item["type"] for item in sent] == ["custom_tool_call_output", "function_call_output"]


def test_a_call_that_is_sent_still_needs_its_result() -> None:
    answer = read_message(response(call("weather", "{}")))
    built = replay.request("openai-responses", [result("x"), answer, HI], model="m", previous_response_id="r")
    assert isinstance(built, Failure)
    assert "calls without a result" in built.failure().message


def build_codec(provider: str, **settings: str) -> Any:
    return codec_for(build_endpoint(CATALOGUE.find(provider).unwrap(), settings=settings).unwrap())


@pytest.mark.parametrize(
    ("provider", "settings", "url"),
    [
        ("openai-responses", {}, "https://api.openai.com/v1/responses/resp_1"),
        ("azure-responses", AZURE, "https://unit.openai.azure.com/openai/v1/responses/resp_1"),
        (
            "azure-responses",
            {**AZURE, "api_version": "2025-04-01-preview"},
            "https://unit.openai.azure.com/openai/responses/resp_1",
        ),
    ],
)
def test_a_response_is_found_below_the_address_where_it_was_made(
    provider: str, settings: dict[str, str], url: str
) -> None:
    background = build_codec(provider, **settings).background
    got, cancelled = background.retrieve("resp_1"), background.cancel("resp_1")
    path, _, query = got.url.partition("?")
    assert (got.method, path) == ("GET", url)
    assert (cancelled.method, cancelled.url.partition("?")[0]) == ("POST", f"{url}/cancel")
    assert query == (f"api-version={settings['api_version']}" if "api_version" in settings else "")
    assert "authorization" in got.headers or "api-key" in got.headers


@pytest.mark.parametrize("provider", [*STATELESS, "xai-responses"])
def test_endpoints_without_background_cannot_retrieve_responses(provider: str) -> None:
    assert build_codec(provider).background is None


def test_an_id_from_outside_stays_one_segment_of_the_path() -> None:
    assert build_codec("openai-responses").background.retrieve("../a/b?c").url.endswith("/responses/..%2Fa%2Fb%3Fc")


@pytest.mark.parametrize(
    ("status", "progress"), [("queued", "running"), ("in_progress", "running"), ("failed", "ended")]
)
def test_a_body_says_whether_its_response_still_runs(status: str, progress: str) -> None:
    seen = build_codec("openai-responses").background.read_status
    whole = f'{{"id": "resp_1", "status": "{status}"}}'.encode()
    assert (seen(whole).id, seen(whole).progress) == ("resp_1", progress)
    assert seen(b"{}").progress == seen(b"<html>").progress == "unknown"


def test_a_cancelled_response_is_a_fault() -> None:
    cancelled = {**response(build_message(build_text("Hal"))), "status": "cancelled"}
    assert read(cancelled)["fault"] == "Cancelled"
    assert read_stream(encode_sse([{"type": "response.completed", "response": cancelled}]))["fault"] == "Cancelled"


def test_the_final_event_has_precedence_over_an_earlier_status() -> None:
    whole = {**response(build_message(build_text("Hal"))), "status": "in_progress"}
    read_last = read_stream(encode_sse([{"type": "response.completed", "response": whole}]))
    assert (read_last["content"], read_last["stop_reason"]) == ("Hal", "stop")
