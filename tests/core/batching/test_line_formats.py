"""Every family's requests and results, in the forms that the vendors' documents show, without any exchange."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from returns.result import Result, Success

from tests.avro_files import RECORD, write_avro
from tests.openai_shapes import build_body, build_error
from victor_fp.core.batching.matching import ResultMatching
from victor_fp.core.batching.splitting import ENVELOPE, Splitter
from victor_fp.core.batching.types import BatchCounts, BatchHandle, BatchItem, BatchState
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.batches import BATCHES
from victor_fp.core.dialects.batches import XAIBatches
from victor_fp.core.faults import Fault, InvalidRequest, RateLimited, ServerFailed, UnsupportedParameter
from victor_fp.core.jobs.rows import CheckedRow, Row, check_row
from victor_fp.core.protocols.batches import build_batch_codec
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultStep, StoreWrite, SubmitStep
from victor_fp.core.protocols.batches.encoding import encode_row
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.batches import decode_item
from victor_fp.core.types import CompletionResponse

KEYS = ("a", "b", "c", "d")
SETTINGS = {
    "fireworks": {"account_id": "acct"},
    "vertex": {"batch_location": "gs://bucket/jobs"},
    "bedrock": {"batch_location": "s3://bucket/jobs", "batch_role": "arn:aws:iam::123456789012:role/batches"},
}


def build_codec(name: str) -> tuple[Endpoint, BatchCodec]:
    spec = CATALOGUE.find(name).unwrap()
    settings = SETTINGS.get(BATCHES[name].dialect.family)
    endpoint = build_endpoint(spec, base_url="https://example.invalid/openai/v1", settings=settings).unwrap()
    return endpoint, build_batch_codec(endpoint).unwrap()


def encode_text(name: str, key: str, model: str = "m-1", **options: Any) -> Result[BatchItem, Fault]:
    row = check_row(Row(key, f"text {key}"), 0, provider=name, model=model, options={"max_tokens": 32, **options})
    assert isinstance(row, CheckedRow)
    endpoint, batch = build_codec(name)
    return encode_row(batch, endpoint, row)


def encode(name: str, key: str, model: str = "m-1") -> BatchItem:
    return encode_text(name, key, model).unwrap()


def chat(text: str) -> Any:
    return build_body(text)


def build_message(text: str) -> Any:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def build_candidates(text: str) -> Any:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "modelVersion": "m-1",
    }


def build_cohere_chat(text: str) -> Any:
    return {
        "id": "c-1",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
        "usage": {"tokens": {"input_tokens": 5, "output_tokens": 2}},
    }


def encode_lines(*found: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in found)


def build_answer_line(key: str, answer: Any, **more: Any) -> Any:
    response = {"status_code": 200, "request_id": f"req-{key}", "body": answer}
    return {"id": f"batch_req_{key}", "custom_id": key, "response": response, **more}


OPENAI_BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "errors": None,
    "input_file_id": "file-in",
    "completion_window": "24h",
    "status": "expired",
    "output_file_id": "file-out",
    "error_file_id": "file-err",
    "created_at": 1_700_000_000,
    "expires_at": 1_700_086_400,
    "request_counts": {"total": 4, "completed": 1, "failed": 3},
    "metadata": {"nightly": "yes"},
}
OPENAI_RESULTS = (
    encode_lines(build_answer_line("a", chat("A"), error=None)),
    encode_lines(
        {
            "id": "batch_req_b",
            "custom_id": "b",
            "response": {
                "status_code": 400,
                "request_id": "r",
                "body": build_error("not this one", "invalid_value", "x"),
            },
            "error": None,
        },
        {
            "id": "batch_req_c",
            "custom_id": "c",
            "response": None,
            "error": {"code": "batch_expired", "message": "The window of this batch closed before this request began."},
        },
    ),
)
ANTHROPIC_BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 2},
    "created_at": "2023-11-14T22:13:20Z",
    "ended_at": "2023-11-15T22:13:20Z",
    "expires_at": "2023-11-15T22:13:20Z",
    "archived_at": None,
    "cancel_initiated_at": None,
    "results_url": "https://example.invalid/v1/messages/batches/msgbatch_1/results",
}
ANTHROPIC_ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "not this one"}}
ANTHROPIC_RESULTS = (
    encode_lines(
        {"custom_id": "b", "result": {"type": "errored", "error": ANTHROPIC_ERROR}},
        {"custom_id": "a", "result": {"type": "succeeded", "message": build_message("A")}},
        {"custom_id": "c", "result": {"type": "expired"}},
    ),
)
GEMINI_BATCH = {
    "name": "batches/1",
    "done": True,
    "metadata": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/m-1",
        "displayName": "nightly",
        "createTime": "2023-11-14T22:13:20Z",
        "batchStats": {"requestCount": "4", "successfulRequestCount": "1", "failedRequestCount": "3"},
        "state": "BATCH_STATE_SUCCEEDED",
        "name": "batches/1",
    },
    "response": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatchOutput",
        "inlinedResponses": {
            "inlinedResponses": [
                {"response": build_candidates("A"), "metadata": {"key": "a"}},
                {"error": {"code": 3, "message": "not this one"}, "metadata": {"key": "b"}},
                {"error": {"code": 1, "message": "stopped"}, "metadata": {"key": "c"}},
            ]
        },
    },
}
MISTRAL_JOB = {
    "id": "job-1",
    "object": "batch",
    "input_files": ["file-in"],
    "metadata": {"nightly": "yes"},
    "endpoint": "/v1/chat/completions",
    "model": "m-1",
    "output_file": "file-out",
    "error_file": "file-err",
    "errors": [],
    "status": "TIMEOUT_EXCEEDED",
    "created_at": 1_700_000_000,
    "total_requests": 4,
    "completed_requests": 2,
    "succeeded_requests": 1,
    "failed_requests": 3,
}
MISTRAL_RESULTS = (
    encode_lines(build_answer_line("a", chat("A"), error=None)),
    encode_lines(
        {
            "id": "b-1",
            "custom_id": "b",
            "response": {"status_code": 422, "body": {"object": "error", "message": "not this one", "type": "invalid"}},
            "error": None,
        }
    ),
)
XAI_BATCH = {
    "batch_id": "batch_1",
    "name": "nightly",
    "create_time": "2023-11-14T22:13:20Z",
    "expire_time": "2023-11-15T22:13:20Z",
    "cancel_time": None,
    "cancel_by_xai_message": None,
    "state": {"num_requests": 4, "num_pending": 0, "num_success": 1, "num_error": 3, "num_cancelled": 0},
}
XAI_RESULTS = (
    json.dumps(
        {
            "results": [
                {"batch_request_id": "b", "batch_result": {"error": {"code": 400, "message": "not this one"}}},
                {"batch_request_id": "a", "batch_result": {"response": {"chat_get_completion": chat("A")}}},
            ],
            "pagination_token": None,
        }
    ).encode(),
)
OPENROUTER_BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "completed",
    "model": "m-1",
    "endpoint": "/v1/chat/completions",
    "created_at": 1_700_000_000,
    "request_counts": {"total": 4, "completed": 1, "failed": 3},
    "results": [
        build_answer_line("a", chat("A"), error=None),
        {"custom_id": "b", "response": {"status_code": 400, "body": build_error("not this one", "invalid_value", "x")}},
    ],
    "error": None,
}
TOGETHER_BATCH = {
    "id": "batch_1",
    "user_id": "u-1",
    "input_file_id": "file-in",
    "status": "COMPLETED",
    "job_deadline": "2023-11-15T22:13:20Z",
    "created_at": "2023-11-14T22:13:20Z",
    "endpoint": "/v1/chat/completions",
    "progress": 100.0,
    "model_id": "m-1",
    "output_file_id": "file-out",
    "error_file_id": "file-err",
}
TOGETHER_RESULTS = (
    encode_lines({"custom_id": "a", "response": {"status_code": 200, "body": chat("A")}}),
    encode_lines({"custom_id": "b", "error": {"message": "not this one", "code": "invalid_value"}}),
)
ZAI_RESULTS = (encode_lines({"response": {"status_code": 200, "body": chat("A")}, "custom_id": "a", "id": "batch_1"}),)
VERTEX_JOB = {
    "name": "projects/1/locations/global/batchPredictionJobs/7",
    "displayName": "nightly",
    "model": "publishers/google/models/m-1",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/in.jsonl"]}},
    "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://bucket/out"}},
    "outputInfo": {"gcsOutputDirectory": "gs://bucket/out/prediction-model-2023-11-14T22:13:20.000Z"},
    "state": "JOB_STATE_SUCCEEDED",
    "completionStats": {"successfulCount": "1", "failedCount": "3"},
    "createTime": "2023-11-14T22:13:20.000000Z",
    "startTime": "2023-11-14T22:13:21.000000Z",
}
VERTEX_ERROR = 'Bad Request: {"error": {"code": 400, "message": "not this one", "status": "INVALID_ARGUMENT"}}'
VERTEX_RESULTS = (
    encode_lines(
        {
            "status": VERTEX_ERROR,
            "processed_time": "2023-11-14T22:14:20.000+00:00",
            "request": {"contents": [], "labels": {"team": "x", "victor-fp-id-0": "mi"}},
            "response": {},
        },
        {
            "status": "",
            "processed_time": "2023-11-14T22:14:20.000+00:00",
            "request": {"contents": [], "labels": {"victor-fp-id-0": "me"}},
            "response": build_candidates("A"),
        },
        {"status": "not this one", "request": {"labels": {"victor-fp-id-0": "mm"}}, "response": {}},
    ),
)
VERTEX_CLAUDE_RESULTS = (
    encode_lines(
        {"custom_id": "b", "request": {}, "response": None, "status": f"Error: {json.dumps(ANTHROPIC_ERROR)}"},
        {"custom_id": "a", "request": {}, "response": build_message("A"), "status": ""},
    ),
)
BEDROCK_JOB = {
    "jobArn": "arn:aws:bedrock:eu-west-1:123456789012:model-invocation-job/abcdefghijkl",
    "jobName": "nightly",
    "modelId": "m-1",
    "roleArn": "arn:aws:iam::123456789012:role/batches",
    "status": "PartiallyCompleted",
    "submitTime": "2023-11-14T22:13:20Z",
    "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": "s3://bucket/in.jsonl"}},
    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out/"}},
    "totalRecordCount": 4,
}
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "A"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
}
BEDROCK_RESULTS = (
    encode_lines(
        {"recordId": "b", "modelInput": {}, "error": {"errorCode": 400, "errorMessage": "not this one"}},
        {"recordId": "a", "modelInput": {}, "modelOutput": CONVERSED},
    ),
)
COHERE_BATCH = {
    "batch": {
        "id": "batch-1",
        "name": "nightly",
        "status": "BATCH_STATUS_COMPLETED",
        "created_at": "2023-11-14T22:13:20Z",
        "model": "m-1",
        "input_dataset_id": "dataset-1",
        "output_dataset_id": "dataset-2",
        "num_records": 4,
        "num_successful_records": 1,
        "num_failed_records": 1,
    }
}
COHERE_DATASET = json.dumps(
    {
        "dataset": {
            "id": "dataset-2",
            "validation_status": "validated",
            "dataset_parts": [
                {"id": "p2", "name": "part", "url": "https://storage.invalid/2?X-Goog-Signature=s", "index": 1},
                {"id": "p1", "name": "part", "url": "https://storage.invalid/1?X-Goog-Signature=s", "index": 0},
            ],
        }
    }
).encode()
COHERE_RESULTS = (
    COHERE_DATASET,
    write_avro(RECORD, [{"custom_id": "b", "body": None, "error": "not this one"}]),
    COHERE_DATASET,
    write_avro(RECORD, [{"custom_id": "a", "body": build_cohere_chat("A"), "error": ""}], "deflate"),
)
FIREWORKS_JOB = {
    "name": "accounts/acct/batchInferenceJobs/job-1",
    "displayName": "nightly",
    "createTime": "2023-11-14T22:13:20Z",
    "expireTime": "2023-11-15T22:13:20Z",
    "state": "JOB_STATE_EXPIRED",
    "status": {"code": "OK", "message": ""},
    "model": "m-1",
    "inputDatasetId": "accounts/acct/datasets/d-1",
    "outputDatasetId": "accounts/acct/datasets/bij-1",
    "jobProgress": {
        "totalInputRequests": 1,
        "totalProcessedRequests": 4,
        "successfullyProcessedRequests": 1,
        "failedRequests": 1,
        "outputRows": 2,
    },
}
FIREWORKS_FILES = json.dumps(
    {
        "filenameToSignedUrls": {
            "dataset/bij-1/error-data": "https://storage.invalid/2?X-Goog-Signature=s",
            "dataset/bij-1/BIJOutputSet.jsonl": "https://storage.invalid/1?X-Goog-Signature=s",
        }
    }
).encode()
FIREWORKS_RESULTS = (
    FIREWORKS_FILES,
    encode_lines({"custom_id": "a", "response": chat("A")}),
    FIREWORKS_FILES,
    encode_lines({"custom_id": "b", "error": {"message": "not this one", "code": "invalid_value"}}),
)
CASES: list[tuple[str, Any, Sequence[bytes], BatchState, dict[str, str]]] = [
    ("openai", OPENAI_BATCH, OPENAI_RESULTS, "expired", {"a": "answered", "b": "failed", "c": "expired"}),
    ("together", TOGETHER_BATCH, TOGETHER_RESULTS, "completed", {"a": "answered", "b": "failed"}),
    (
        "zai-china",
        OPENAI_BATCH | {"status": "completed", "error_file_id": ""},
        ZAI_RESULTS,
        "completed",
        {"a": "answered"},
    ),
    ("anthropic", ANTHROPIC_BATCH, ANTHROPIC_RESULTS, "expired", {"b": "failed", "a": "answered", "c": "expired"}),
    ("google", GEMINI_BATCH, (), "completed", {"a": "answered", "b": "failed", "c": "cancelled"}),
    ("mistral", MISTRAL_JOB, MISTRAL_RESULTS, "expired", {"a": "answered", "b": "failed"}),
    ("cohere", COHERE_BATCH, COHERE_RESULTS, "completed", {"b": "failed", "a": "answered"}),
    ("fireworks", FIREWORKS_JOB, FIREWORKS_RESULTS, "expired", {"a": "answered", "b": "failed"}),
    ("xai", XAI_BATCH, XAI_RESULTS, "completed", {"b": "failed", "a": "answered"}),
    ("openrouter", OPENROUTER_BATCH, (), "completed", {"a": "answered", "b": "failed"}),
    ("vertex", VERTEX_JOB, VERTEX_RESULTS, "completed", {"b": "failed", "a": "answered", "c": "failed"}),
    ("vertex-anthropic", VERTEX_JOB, VERTEX_CLAUDE_RESULTS, "completed", {"b": "failed", "a": "answered"}),
    ("bedrock", BEDROCK_JOB, BEDROCK_RESULTS, "completed", {"b": "failed", "a": "answered"}),
]


@pytest.mark.parametrize(("name", "shown", "results", "state", "ends"), CASES, ids=[case[0] for case in CASES])
def test_a_finished_batch_and_its_results_are_read(
    name: str, shown: Any, results: Sequence[bytes], state: BatchState, ends: dict[str, str]
) -> None:
    endpoint, batch = build_codec(name)
    document = json.dumps(shown).encode()
    status = batch.read_status(BatchHandle(provider=name, id="batch_1", model="m-1"), document).unwrap()
    assert (status.state, status.is_final) == (state, True)
    assert status.created_at == 1_700_000_000
    assert status.counts.total in (4, None)
    matching, found = ResultMatching(KEYS), []
    bodies = list(results or [document])
    step = batch.results(status)
    while step is not None:
        page = step.read(bodies.pop(0)).unwrap()
        found += [decode_item(batch, endpoint, status.handle, matching, item) for item in page.items]
        step = page.following or (step.following if isinstance(step, ResultStep) else None)
    assert bodies == []
    assert {end.key: end.end for end in found} == ends
    for end in found:
        assert end.problem is None
        if end.end == "answered":
            response = end.result.unwrap()
            assert isinstance(response, CompletionResponse)
            assert response.content == "A"
        elif end.end == "failed":
            assert "not this one" in end.result.failure().message
    assert set(matching.list_missing()) == set(KEYS) - ends.keys()


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_a_batch_that_is_submitted_holds_every_request_once_and_in_order(name: str) -> None:
    _, batch = build_codec(name)
    items = [encode(name, key) for key in KEYS]
    sent = batch.submit(items, "token")
    if isinstance(sent, StoreWrite):
        whole, sent = sent.data, sent.following
        assert sent.creates
    else:
        whole = sent.request.body
    if not sent.creates and name.startswith("xai"):
        following = sent.read(b'{"batch_id": "batch_1"}').unwrap()
        assert isinstance(following, SubmitStep)
        whole = following.request.body
    if name == "fireworks":  # the dataset is created empty
        following = sent.read(b'{"name": "accounts/acct/datasets/d-1"}').unwrap()
        assert isinstance(following, SubmitStep)
        whole = following.request.body
    places = [whole.index(item.line) for item in items]
    assert places == sorted(places)
    for item in items:
        assert whole.count(item.line) == 1
        assert b"\n" not in item.line
        assert isinstance(msgspec.json.decode(item.line), dict)
        assert f"text {item.key}".encode() in item.line
    assert all(isinstance(encode(name, key), BatchItem) for key in ("a key", "ключ", "x" * 512))


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_a_list_of_batches_is_read(name: str) -> None:
    _, batch = build_codec(name)
    shown = {case[0]: case[1] for case in CASES}.get(name)
    if shown is None:
        shown = next(case[1] for case in CASES if BATCHES[case[0]].dialect.family == BATCHES[name].dialect.family)
    shown = shown.get("batch", shown)
    names = ("data", "batches", "operations", "batchInferenceJobs", "batchPredictionJobs", "invocationJobSummaries")
    wrapped = {"has_more": False} | {key: [shown] for key in names}
    listed = batch.read_list(None, json.dumps(wrapped).encode())
    assert isinstance(listed, Success)
    statuses, following = listed.unwrap()
    assert len(statuses) == 1
    assert following is None


CURSORS = ("last_id", "next_page_token", "nextPageToken", "pagination_token", "nextToken")
LISTS = ("data", "batches", "operations", "batchInferenceJobs", "batchPredictionJobs", "invocationJobSummaries")


@pytest.mark.parametrize(
    "name", ["openai", "anthropic", "google", "cohere", "fireworks", "xai", "openrouter", "vertex", "bedrock"]
)
def test_pages_of_a_list_follow_their_cursor(name: str) -> None:
    _, batch = build_codec(name)
    shown = {case[0]: case[1] for case in CASES}[name]
    page = {"has_more": True, **{key: [shown.get("batch", shown)] for key in LISTS}, **dict.fromkeys(CURSORS, "c+2")}
    statuses, cursor = batch.read_list(None, json.dumps(page).encode()).unwrap()
    assert len(statuses) == 1
    assert cursor == "c+2"
    assert "=c%2B2" in batch.list_page(cursor).url
    assert "c%2B2" not in batch.list_page(None).url
    last = {"has_more": False, **{key: [] for key in LISTS}, **dict.fromkeys(CURSORS, "")}
    assert batch.read_list(cursor, json.dumps(last).encode()).unwrap() == ((), None)


@pytest.mark.parametrize("name", ["google", "cohere", "fireworks", "xai", "vertex", "bedrock"])
def test_an_empty_page_with_a_token_is_not_the_last(name: str) -> None:
    _, batch = build_codec(name)
    page = {**{key: [] for key in LISTS}, **dict.fromkeys(CURSORS, "c3")}
    assert batch.read_list("c2", json.dumps(page).encode()).unwrap() == ((), "c3")


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_headers_of_a_row_which_a_batch_has_no_place_for_are_not_dropped_silently(name: str) -> None:
    model = "claude-opus-4-6" if name == "vertex-anthropic" else "m-1"
    headers = {"x-beta": "1"}
    fault = encode_text(name, "a", model, extra_headers=headers).failure()
    assert isinstance(fault, UnsupportedParameter)
    assert (fault.parameter, fault.provider) == ("extra_headers", name)
    item = encode_text(name, "a", model, extra_headers=headers, on_unsupported="adjust").unwrap()
    assert "extra_headers" in [adjustment.parameter for adjustment in item.context.adjustments]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("openai", {"id": "b", "status": "validating", "request_counts": None}),
        ("together", {"id": "b", "status": "VALIDATING"}),
        ("anthropic", {"id": "b", "processing_status": "in_progress"}),
        ("google", {"name": "b", "metadata": {"state": "BATCH_STATE_PENDING"}}),
        ("mistral", {"id": "b", "status": "QUEUED"}),
        ("cohere", {"batch": {"id": "b", "status": "BATCH_STATUS_QUEUED"}}),
        ("fireworks", {"name": "b", "state": "JOB_STATE_CREATING"}),
        ("xai", {"batch_id": "b"}),
        ("openrouter", {"id": "b", "status": "validating"}),
        ("vertex", {"name": "b", "state": "JOB_STATE_PENDING"}),
        ("bedrock", {"jobArn": "b", "status": "Submitted"}),
    ],
)
def test_counts_that_are_not_reported_are_absent(name: str, shown: dict[str, Any]) -> None:
    _, batch = build_codec(name)
    status = batch.read_status(BatchHandle(provider=name, id="b"), json.dumps(shown).encode()).unwrap()
    assert status.counts == BatchCounts()
    assert status.state == ("running" if name == "anthropic" else "pending")


@pytest.mark.parametrize(
    ("code", "end", "fault", "status"),
    [
        (3, "failed", InvalidRequest, 400),  # INVALID_ARGUMENT of google.rpc.Code
        (8, "failed", RateLimited, 429),
        (13, "failed", ServerFailed, 500),
        (400, "failed", InvalidRequest, 400),
        (429, "failed", RateLimited, 429),
        ("too_long", "failed", ServerFailed, None),
        (None, "failed", ServerFailed, None),
        (1, "cancelled", None, None),
    ],
)
def test_xais_errors_have_codes_of_grpc_or_http(code: Any, end: str, fault: type[Fault] | None, status: Any) -> None:
    endpoint, batch = build_codec("xai")
    ended = {"batch_id": "b", "state": {"num_requests": 1, "num_pending": 0, "num_error": 1}}
    step = batch.results(batch.read_status(BatchHandle(provider="xai", id="b"), json.dumps(ended).encode()).unwrap())
    assert isinstance(step, ResultStep)
    page = {"results": [{"batch_request_id": "a", "batch_result": {"error": {"code": code, "message": "not this"}}}]}
    (item,) = step.read(json.dumps(page).encode()).unwrap().items
    result = decode_item(batch, endpoint, BatchHandle(provider="xai", id="b"), ResultMatching(["a"]), item)
    assert result.end == end
    if fault is not None:
        assert isinstance(result.result.failure(), fault)
        assert result.result.failure().status == status


@pytest.mark.parametrize("name", ["anthropic", "google", "openrouter", "xai", "vertex", "bedrock"])
@pytest.mark.parametrize("spare", [0, 1])
def test_no_body_exceeds_the_limit_of_bytes(name: str, spare: int) -> None:
    """The requests fill a batch to the last byte; what the body has around them counts as well."""
    _, batch = build_codec(name)
    items = [encode(name, key) for key in KEYS]
    most = sum(len(item.line) + 1 for item in items) + ENVELOPE - spare
    splitter = Splitter(msgspec.structs.replace(batch.support.limits, max_bytes=most))
    full = next((found for item in items if (found := splitter.add(item).unwrap())), None)
    assert len(full or items) == (4 if spare == 0 else 3)
    sent = batch.submit(full or items, "0" * 32)
    body = sent.data if isinstance(sent, StoreWrite) else sent.request.body
    if isinstance(sent, SubmitStep) and not sent.creates:
        following = sent.read(b'{"batch_id": "batch_1"}').unwrap()
        assert isinstance(following, SubmitStep)
        body = following.request.body
    assert all(item.line in body for item in full or items)
    assert len(body) <= most


@pytest.mark.parametrize(("spare", "counts"), [(0, [4]), (1, [3, 1])])
def test_calls_that_add_requests_to_xais_batches_do_not_exceed_their_limit_of_bytes(
    spare: int, counts: list[int]
) -> None:
    items = [encode("xai", key) for key in KEYS]
    most = sum(len(item.line) + 1 for item in items) + ENVELOPE - spare
    support = msgspec.structs.replace(BATCHES["xai"], dialect=XAIBatches(max_bytes_per_call=most))
    spec = msgspec.structs.replace(CATALOGUE.find("xai").unwrap(), batch=support)
    created = build_batch_codec(build_endpoint(spec).unwrap()).unwrap().submit(items, "0" * 32)
    assert isinstance(created, SubmitStep)
    step = created.read(b'{"batch_id": "batch_1"}').unwrap()
    sent = []
    while isinstance(step, SubmitStep):
        assert len(step.request.body) <= most
        sent.append(step.request.body.count(b'"batch_request_id"'))
        step = step.read(b"{}").unwrap()
    assert sent == counts


def test_openrouters_batches_end_when_their_provider_ends_them() -> None:
    _, batch = build_codec("openrouter")
    shown = OPENROUTER_BATCH | {"status": "in_progress", "results": None, "expires_at": 1_700_345_600}
    handle = BatchHandle(provider="openrouter", id="b")
    status = batch.read_status(handle, json.dumps(shown).encode()).unwrap()
    assert (status.state, status.ends_at, status.sources) == ("running", 1_700_345_600, ())
    assert status.results_expire_at == 1_700_000_000 + 30 * 86_400
    status = batch.read_status(handle, json.dumps(shown | {"expires_at": None}).encode()).unwrap()
    assert status.ends_at == 1_700_086_400
    assert batch.cancel is None


def test_togethers_batches_name_their_model() -> None:
    _, batch = build_codec("together")
    ((status,), _) = batch.read_list(None, json.dumps([TOGETHER_BATCH]).encode()).unwrap()
    assert status.handle.model == "m-1"


@pytest.mark.parametrize(
    "counts",
    [
        {"request_counts": 4, "total": 4, "completed": 3, "failed": 1},
        {"request_counts": {"total": 4, "completed": 3, "failed": 1}},
    ],
)
def test_zais_batches_have_their_counts_in_an_object_or_alongside_the_total(counts: dict[str, Any]) -> None:
    _, batch = build_codec("zai-china")
    shown = {"id": "b", "status": "in_progress", "created_at": 1_700_000_000, **counts}
    status = batch.read_status(BatchHandle(provider="zai-china", id="b"), json.dumps(shown).encode()).unwrap()
    assert status.counts == BatchCounts(total=4, succeeded=3, failed=1)
