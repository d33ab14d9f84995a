"""Decoded Gemini responses, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.gemini.answers import (
    answer,
    build_argument_piece,
    build_text,
    build_thought,
    call,
    describe_fault,
    dump_stream,
    encode_sse,
    read_completion,
    read_response,
    read_stream_fault,
    to_dict,
)

ROME, OSLO = {"city": "Rome"}, {"city": "Oslo"}
USAGE = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 34,
    "toolUsePromptTokenCount": 2,
    "cachedContentTokenCount": 16,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "serviceTier": "standard",
}
WEB = {"web": {"uri": "https://rome.example", "title": "Rome"}}

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "text": [answer(build_text("Hel"), finish=None), answer(build_text("lo"), usage={"promptTokenCount": 3})],
    "tools": [answer(call("weather", ROME))],
    "tools with the vendor's ids": [answer(build_text("Both: "), call("weather", ROME, id="fc_1", signature="U0lH"))],
    "parallel tools": [answer(call("weather", ROME), finish=None), answer(call("weather", OSLO), call("now"))],
    "thinking": [
        answer(build_thought("Let me "), finish=None),
        answer(build_thought("see."), finish=None),
        answer(build_text("Yes", thoughtSignature="U0lH")),
    ],
    "length": [answer(build_text("Once upon a"), finish="MAX_TOKENS")],
    "empty": [answer()],
    "no content at all": [{"candidates": [{"finishReason": "STOP"}]}],
    "safety": [answer(build_text("Well, "), finish="SAFETY", safetyRatings=[{"category": "HARM", "blocked": True}])],
    "recitation": [answer(finish="RECITATION", finishMessage="too close to a source")],
    "a call that nobody offered": [answer(call("list_files", {}), finish="UNEXPECTED_TOOL_CALL")],
    "malformed call": [answer(finish="MALFORMED_FUNCTION_CALL")],
    "a reason nobody knows": [answer(build_text("Hm"), finish="BORED")],
    "usage with cache": [answer(build_text("Hi"), usage=USAGE)],
    "server-side code": [
        answer(
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
            build_text("It prints 1."),
        )
    ],
    "a picture": [
        answer(
            build_text("Here: "),
            {},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "U0k="},
        )
    ],
    "grounding and citations": [
        answer(
            build_text("Rome."),
            groundingMetadata={"webSearchQueries": ["rome"], "groundingChunks": [WEB]},
            citationMetadata={"citationSources": [{"startIndex": 0, "endIndex": 4, "uri": "https://rome.example"}]},
            urlContextMetadata={"urlMetadata": [{"retrievedUrl": "https://rome.example"}]},
        )
    ],
    "logprobs": [
        answer(
            build_text("Hi"),
            avgLogprobs=-0.25,
            logprobsResult={
                "chosenCandidates": [{"token": "H", "logProbability": -0.1}, {"token": "i", "logProbability": -0.4}],
                "topCandidates": [{"candidates": [{"token": "H", "logProbability": -0.1}]}],
            },
        )
    ],
    "a second candidate": [
        {
            "candidates": [
                {"index": 1, "content": {"parts": [build_text("other")]}, "finishReason": "SAFETY"},
                {"index": 0, "content": {"parts": [build_text("one")]}, "finishReason": "STOP"},
            ]
        }
    ],
}

BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "not this"},
    "modelVersion": "gemini-2.5-flash",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_normalised(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == dump_stream(encode_sse(ANSWERS[name]))


@pytest.mark.parametrize("name", [name for name, pieces in ANSWERS.items() if len(pieces) == 1])
def test_a_body_gives_the_same_response_as_its_stream(name: str) -> None:
    assert to_dict(read_completion(ANSWERS[name][0])) == dump_stream(encode_sse(ANSWERS[name]))


def test_a_blocked_prompt_is_refused_content(snapshot: SnapshotAssertion) -> None:
    assert snapshot == {
        "whole": describe_fault(read_response(BLOCKED).failure()),  # type: ignore[union-attr]  # a response has no failure
        "streamed": describe_fault(read_stream_fault(encode_sse([BLOCKED]))),
    }


def test_a_truncated_stream_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    pieces = [
        answer(build_thought("Hm"), finish=None),
        answer(build_text("Hel"), call("weather", ROME), finish=None, usage={"promptTokenCount": 3}),
    ]
    assert snapshot == describe_fault(read_stream_fault(encode_sse(pieces)))


def test_an_error_in_the_middle_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    assert snapshot == describe_fault(read_stream_fault(encode_sse([answer(build_text("Hel"), finish=None), error])))


def test_arguments_arrive_value_by_value(snapshot: SnapshotAssertion) -> None:
    head = {"functionCall": {"name": "cook", "willContinue": True}, "thoughtSignature": "U0lH"}
    pieces = [
        answer(head, finish=None),
        answer(build_argument_piece("$.recipe.name", stringValue="Lasa"), finish=None),
        answer(build_argument_piece("$.recipe.name", more=False, stringValue="gne"), finish=None),
        answer(build_argument_piece("$.recipe.steps[0].minutes", more=False, numberValue=3), finish=None),
        answer(build_argument_piece("$.recipe.steps[1]['with \\'salt\\'']", more=False, boolValue=True), finish=None),
        answer(build_argument_piece("$.recipe.steps[1].ratio", more=False, numberValue=0.5), finish=None),
        answer(build_argument_piece("$.recipe.note", more=False, nullValue="NULL_VALUE"), finish=None),
        answer({"functionCall": {}}, finish=None),
        answer({"functionCall": {"name": "serve", "willContinue": True}}, finish=None),
        answer({"functionCall": {}}),
    ]
    assert snapshot == dump_stream(encode_sse(pieces))


@pytest.mark.parametrize("path", ["recipe", "$", "$..name", "$.steps[*]", "$.a[?(@.b)]"])
def test_a_path_that_is_not_unique_is_an_invalid_response(path: str) -> None:
    pieces = [answer(call("cook"), build_argument_piece(path, stringValue="x"))]
    assert type(read_stream_fault(encode_sse(pieces))).__name__ == "InvalidResponse"


def test_arguments_without_a_call_are_an_invalid_response() -> None:
    fault = read_stream_fault(encode_sse([answer(build_argument_piece("$.a", stringValue="x"))]))
    assert type(fault).__name__ == "InvalidResponse"


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, {"candidates": [], "promptFeedback": {}}, [], {"usageMetadata": {}}, "text"]
)
def test_a_body_without_a_candidate_is_an_invalid_response(body: object) -> None:
    assert type(read_response(body).failure()).__name__ == "InvalidResponse"  # type: ignore[union-attr]  # it is a failure


def test_unknown_fields_parts_and_wrong_types_are_ignored() -> None:
    body = answer({"hologram": {"depth": 3}}, build_text("Hi"), {"text": 5}, avgLogprobs="low", mood="good")
    body["usageMetadata"] = {"promptTokenCount": 3.0, "candidatesTokenCount": "4", "unheardOf": {}}
    response = read_completion(body)
    assert response.content.startswith("Hi")
    assert response.usage == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_an_error_in_a_200_body_is_a_fault() -> None:
    error = {"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}
    for body in (error, [error]):
        assert type(read_response(body).failure()).__name__ == "RateLimited"  # type: ignore[union-attr]  # it is a failure
