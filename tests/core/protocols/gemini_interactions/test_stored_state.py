"""Interactions that the server stores: continued by id, and created in the background."""

from __future__ import annotations

from typing import Any

from tests.core.protocols.gemini_interactions.interactions import (
    HI,
    PROVIDER,
    build_body,
    build_interaction,
    build_output,
    build_request,
    call,
    get_fault,
    read_completion,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.types import Message

SYSTEM = Message(role="system", content="Be brief.")


def test_nothing_is_stored_unless_requested() -> None:
    assert build_body()["store"] is False
    assert build_body(store=True)["store"] is True
    sent = build_body(background=True)
    assert (sent["store"], sent["background"]) == (True, True)
    assert build_request(background=True).is_polled
    assert not build_request().is_polled


def test_background_and_no_store_contradict_each_other() -> None:
    assert get_fault(background=True, store=False).parameter == "background"
    assert "background" not in build_body(background=True, store=False, on_unsupported="adjust")


def test_stored_turns_are_not_sent_again_but_instructions_are() -> None:
    answer = read_completion(build_interaction(build_output("Yes")))
    assert answer.response_id == "v1_a"
    sent = build_body([SYSTEM, *HI, answer.to_message(), *HI], previous_response_id="v1_a")
    assert sent["system_instruction"] == "Be brief."
    assert [step["type"] for step in sent["input"]] == ["user_input"]
    assert sent["previous_interaction_id"] == "v1_a"


def test_results_after_a_stored_turn_name_their_call() -> None:
    answer = read_completion(build_interaction(call("weather", {}), status="requires_action")).to_message()
    result = Message(role="tool", tool_call_id="fc_1", content="ok")
    for messages in ([*HI, answer, result], [result.model_copy(update={"name": "weather"})]):
        assert build_body(messages, previous_response_id="v1_a")["input"] == [
            {"type": "function_result", "call_id": "fc_1", "name": "weather", "result": "ok"}
        ]


def test_responses_that_are_not_stored_cannot_be_continued() -> None:
    stateless: dict[str, Any] = {**build_interaction(build_output("Yes")), "id": ""}
    assert read_completion(stateless).response_id is None


def test_an_interaction_is_found_by_its_id() -> None:
    background = codec_for(build_endpoint(CATALOGUE.find(PROVIDER).unwrap()).unwrap()).background
    assert background is not None
    got, cancelled = background.retrieve("v1_a"), background.cancel("v1_a")
    assert (got.method, got.url.rpartition("/v1beta")[2]) == ("GET", "/interactions/v1_a")
    assert (cancelled.method, cancelled.url.rpartition("/v1beta")[2]) == ("POST", "/interactions/v1_a/cancel")
    assert background.read_status(b'{"id": "v1_a", "status": "in_progress"}').progress == "running"
    assert background.read_status(b'{"id": "v1_a", "status": "completed"}').progress == "ended"
    assert background.read_status(b"[]").progress == "unknown"
