"""Batches over datasets: bodies that differ from live ones, waiting for validation, and parts at other hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from returns.result import Result, Success

from tests.core.batching.test_line_formats import build_codec, encode
from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchStatus
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, TimedOut, UnsupportedParameter
from victor_fp.core.jobs.rows import CheckedRow, Row, check_row
from victor_fp.core.json import Json
from victor_fp.core.protocols.batches import build_batch_codec
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, SubmitStep
from victor_fp.core.protocols.batches.cohere import read_record
from victor_fp.core.protocols.batches.encoding import encode_row
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.types import ImagePart, Message, TextPart

IMAGE = ImagePart(url="https://example.invalid/a.png")


def encode_chat(row: Row, **options: Any) -> Result[BatchItem, Fault]:
    checked = check_row(row, 0, provider="cohere", model="command-a-03-2025", options=options)
    assert isinstance(checked, CheckedRow)
    endpoint, batch = build_codec("cohere")
    return encode_row(batch, endpoint, checked)


def decode_body(item: BatchItem) -> Any:
    return json.loads(item.line)["body"]


def test_contents_are_lists_of_parts_and_images_are_urls() -> None:
    messages = [
        Message(role="system", content="Be brief."),
        Message(role="user", content=[TextPart(text="What is it?"), IMAGE]),
    ]
    body = decode_body(encode_chat(Row("a", messages), max_tokens=9).unwrap())
    assert "model" not in body
    assert body["max_tokens"] == 9
    assert body["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": "https://example.invalid/a.png"},
            ],
        },
    ]


def test_parameters_of_tools_are_json_as_text() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "description": "Weather.", "parameters": schema}}
    (sent,) = decode_body(encode_chat(Row("a", "Hi"), tools=[tool]).unwrap())["tools"]
    assert sent["function"]["name"] == "weather"
    assert json.loads(sent["function"]["parameters"])["required"] == ["city"]


def test_thinking_has_two_fields() -> None:
    row = Row("a", "Hi")
    on = decode_body(encode_chat(row, extra_body={"thinking": {"type": "enabled", "token_budget": 512}}).unwrap())
    off = decode_body(encode_chat(row, extra_body={"thinking": {"type": "disabled"}}).unwrap())
    assert (on["reasoning"], on["thinking_budget"]) == (True, 512)
    assert (off["reasoning"], off.get("thinking_budget")) == (False, None)
    assert "thinking" not in on


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"stop": ["x"]}, "stop_sequences"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"extra_body": {"documents": ["d"]}}, "documents"),
    ],
)
def test_options_that_a_dataset_would_drop_are_rejected_or_reported(options: dict[str, Any], parameter: str) -> None:
    fault = encode_chat(Row("a", "Hi"), **options).failure()
    assert isinstance(fault, UnsupportedParameter)
    assert fault.parameter == parameter
    item = encode_chat(Row("a", "Hi"), on_unsupported="adjust", **options).unwrap()
    assert parameter not in decode_body(item)
    assert parameter in [adjustment.parameter for adjustment in item.context.adjustments]


def test_a_detail_of_an_image_is_reported() -> None:
    image = ImagePart(url="https://example.invalid/a.png", detail="low")
    row = Row("a", [Message(role="user", content=[TextPart(text="?"), image])])
    assert encode_chat(row).failure().parameter == "detail"  # type: ignore[union-attr]  # of this class


def test_a_body_that_would_invalidate_the_dataset_is_rejected() -> None:
    fault = encode_chat(Row("a", "Hi"), extra_body={"k": "many"}).failure()
    assert isinstance(fault, InvalidRequest)
    assert "$.k" in fault.message


def encode_dataset(state: str, *urls: str, error: str = "") -> bytes:
    parts = [{"id": str(index), "name": "p", "url": url, "index": index} for index, url in enumerate(urls)]
    shown = {"id": "d-1", "validation_status": state, "validation_error": error, "dataset_parts": parts}
    return json.dumps({"dataset": shown}).encode()


def begin() -> SubmitStep:
    """The step after the upload."""
    first = build_codec("cohere")[1].submit([encode("cohere", "a")], "t1")
    assert isinstance(first, SubmitStep)
    return read_next_step(first, b'{"id":"d-1"}')


def read_next_step(step: SubmitStep, body: bytes) -> SubmitStep:
    following = step.read(body).unwrap()
    assert isinstance(following, SubmitStep)
    return following


def test_a_batch_is_created_when_its_dataset_is_valid() -> None:
    step = begin()
    assert (step.request.method, step.request.url) == ("GET", "https://example.invalid/openai/v1/datasets/d-1")
    delays = [step.delay]
    for _ in range(3):
        step = read_next_step(step, encode_dataset("processing"))
        delays.append(step.delay)
    assert delays == [0.0, 2.0, 2.0, 2.0]
    step = read_next_step(step, encode_dataset("validated"))
    assert step.creates
    assert step.request.json() == {"name": "victor-fp t1", "input_dataset_id": "d-1", "model": "m-1"}
    handle = step.read(b'{"batch":{"id":"b-1","name":"victor-fp t1"}}').unwrap()
    assert isinstance(handle, BatchHandle)
    assert (handle.id, handle.input_id, handle.token, handle.count) == ("b-1", "d-1", "t1", 1)


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_dataset_that_is_not_valid_says_why(state: str) -> None:
    fault = begin().read(encode_dataset(state, error="row 1: unknown role")).failure()
    assert isinstance(fault, InvalidRequest)
    assert "row 1: unknown role" in fault.message


def test_a_dataset_is_not_waited_for_without_end() -> None:
    found: Any = Success(begin())
    waited = 0.0
    while isinstance(found, Success):
        waited += found.unwrap().delay
        found = found.unwrap().read(encode_dataset("queued"))
    assert isinstance(found.failure(), TimedOut)
    assert 3600.0 <= waited < 3700.0


def build_result_step() -> ResultStep:
    handle = BatchHandle(provider="cohere", id="b-1")
    step = build_codec("cohere")[1].results(BatchStatus(handle=handle, state="completed", sources=("d-1",)))
    assert isinstance(step, ResultStep)
    return step


def test_parts_at_other_hosts_are_requested_without_credentials() -> None:
    page = build_result_step().read(encode_dataset("validated", "https://storage.invalid/1?Signature=s")).unwrap()
    assert page.following is not None
    request = page.following.request
    assert (request.url, request.headers, request.is_presigned) == (
        "https://storage.invalid/1?Signature=s", {}, True
    )  # fmt: skip
    assert page.following.following is None


@pytest.mark.parametrize(
    "url", ["", "http://storage.invalid/1", "file:///etc/passwd", "https:/", "https://example.invalid.evil/1"]
)
def test_only_parts_at_safe_addresses_are_requested(url: str) -> None:
    found = build_result_step().read(encode_dataset("validated", url))
    if url.startswith("https:"):  # encrypted; an address without a host is rejected when it is opened
        assert isinstance(found, Success)
    else:
        assert isinstance(found.failure(), InvalidResponse)


def test_results_that_are_still_written_are_waited_for() -> None:
    page = build_result_step().read(encode_dataset("processing")).unwrap()
    assert page.following is not None
    assert (page.items, page.following.delay) == ((), 2.0)
    assert build_result_step().read(encode_dataset("validated")).unwrap() == ResultPage(())


def test_a_part_that_cannot_be_decoded_is_one_unreadable_result_and_the_next_one_is_read() -> None:
    urls = ("https://storage.invalid/1", "https://storage.invalid/2")
    page = build_result_step().read(encode_dataset("validated", *urls)).unwrap()
    assert page.following is not None
    (item,) = page.following.read(b"<html>").unwrap().items
    assert (item.id, item.end) == ("", "unreadable")
    assert b"not an Avro file" in item.body
    assert page.following.following is not None


@pytest.mark.parametrize("record", [{"custom_id": ""}, {"custom_id": 1}, "text", None])
def test_a_record_that_cannot_be_decoded_is_unreadable(record: Json) -> None:
    item = read_record(record)
    assert (item.id, item.end) == ("", "unreadable")


def build_fireworks_codec(**settings: str) -> Result[BatchCodec, Fault]:
    """The batch API at the vendor's own address."""
    spec = CATALOGUE.find("fireworks").unwrap()
    return build_batch_codec(build_endpoint(spec, settings=settings).unwrap())


def test_jobs_of_fireworks_are_at_the_address_of_the_account() -> None:
    batch = build_fireworks_codec(account_id="acct").unwrap()
    handle = BatchHandle(provider="fireworks", id="job-1")
    assert batch.status(handle).url == "https://api.fireworks.ai/v1/accounts/acct/batchInferenceJobs/job-1"
    assert batch.cancel is not None
    assert (batch.cancel(handle).method, batch.cancel(handle).url) == ("DELETE", batch.status(handle).url)
    assert batch.list_page("2").url.endswith("?pageSize=200&pageToken=2&orderBy=created_time%20desc")


def test_without_an_account_fireworks_has_no_batches() -> None:
    fault = build_fireworks_codec().failure()
    assert isinstance(fault, InvalidRequest)
    assert "account_id (or set FIREWORKS_ACCOUNT_ID)" in fault.message


def test_a_dataset_of_fireworks_is_created_filled_and_waited_for() -> None:
    batch, item = build_fireworks_codec(account_id="acct").unwrap(), encode("fireworks", "a")
    assert "model" not in json.loads(item.line)["body"]
    step: Any = batch.submit([item], "t1")
    name = step.request.json()["datasetId"]
    assert step.request.json() == {"datasetId": name, "dataset": {"exampleCount": "1", "userUploaded": {}}}
    step = step.read(json.dumps({"name": f"accounts/acct/datasets/{name}", "state": "UPLOADING"}).encode()).unwrap()
    assert step.request.url.endswith(f"/v1/accounts/acct/datasets/{name}:upload")
    assert item.line in step.request.body
    step = step.read(b'{"id": "x"}').unwrap()
    step = step.read(b'{"state": "UPLOADING"}').unwrap()
    assert (step.request.method, step.delay) == ("GET", 2.0)
    step = step.read(b'{"state": "READY"}').unwrap()
    assert step.creates
    assert step.request.url.endswith(f"/v1/accounts/acct/batchInferenceJobs?batchInferenceJobId={name}")
    assert step.request.json() == {
        "model": "m-1", "inputDatasetId": f"accounts/acct/datasets/{name}", "displayName": "victor-fp t1"
    }  # fmt: skip
    shown = {"name": "accounts/acct/batchInferenceJobs/job-1", "displayName": "victor-fp t1"}
    handle = step.read(json.dumps(shown).encode()).unwrap()
    assert (handle.id, handle.token, handle.input_id) == ("job-1", "t1", name)


@pytest.mark.parametrize(
    ("state", "rows", "expected", "sources"),
    [
        ("JOB_STATE_COMPLETED", None, "completed", ("out",)),
        ("JOB_STATE_EXPIRED", 2, "expired", ("out",)),
        ("JOB_STATE_EXPIRED", 0, "expired", ()),
        ("JOB_STATE_CANCELLED", 1, "cancelled", ("out",)),
        ("JOB_STATE_DELETING_CLEANING_UP", None, "cancelled", ()),
        ("JOB_STATE_FAILED", 0, "failed", ()),
        ("JOB_STATE_RUNNING", 2, "running", ()),
        ("JOB_STATE_OF_TOMORROW", None, "unknown", ()),
    ],
)
def test_only_jobs_with_rows_have_an_output_dataset(
    state: str, rows: int | None, expected: str, sources: tuple[str, ...]
) -> None:
    progress = None if rows is None else {"outputRows": rows}
    shown = {"name": "a/b/job-1", "state": state, "outputDatasetId": "accounts/acct/datasets/out"} | {
        "jobProgress": progress, "status": {"code": "INTERNAL", "message": "why"}
    }  # fmt: skip
    handle = BatchHandle(provider="fireworks", id="job-1")
    status = build_fireworks_codec(account_id="acct").unwrap().read_status(handle, json.dumps(shown).encode()).unwrap()
    assert (status.state, status.sources) == (expected, sources)
    assert status.errors == (("why",) if expected == "failed" else ())


def test_files_of_fireworks_are_requested_without_credentials() -> None:
    batch = build_fireworks_codec(account_id="acct").unwrap()
    handle = BatchHandle(provider="fireworks", id="job-1")
    step = batch.results(BatchStatus(handle=handle, state="completed", sources=("out",)))
    assert isinstance(step, ResultStep)
    assert step.request.url == "https://api.fireworks.ai/v1/accounts/acct/datasets/out:getDownloadEndpoint"
    page = step.read(b'{"filenameToSignedUrls":{"x/error-data":"https://s.invalid/1?Signature=s"}}').unwrap()
    assert page.following is not None
    assert (page.following.request.headers, page.following.request.is_presigned) == ({}, True)
    assert isinstance(step.read(b'{"filenameToSignedUrls":{"x":"ftp://s.invalid/1"}}').failure(), InvalidResponse)
    assert step.read(b'{"filenameToSignedUrls":{}}').unwrap() == ResultPage(())
