"""Families whose batches are objects in a bucket: settings, addresses, ids in labels, and the choice of objects."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Result

from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchStatus, make_item_id
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.batches import BATCHES
from victor_fp.core.dialects.batches import VertexBatches
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.rows import CheckedRow, Row, check_row
from victor_fp.core.protocols.batches import build_batch_codec
from victor_fp.core.protocols.batches.codec import BatchCodec, StoreRead, StoreWrite
from victor_fp.core.protocols.batches.encoding import encode_row
from victor_fp.core.protocols.batches.vertex import (
    RESULT_NAMES,
    ProjectEndpoint,
    decode_labels,
    encode_item,
    encode_labels,
)
from victor_fp.core.protocols.endpoints import apply_key_auth, build_endpoint
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import Message
from victor_fp.shell.engine.batches import choose_objects

VERTEX = {"project": "p", "location": "us-central1", "batch_location": "gs://bucket/jobs"}
BEDROCK = {"region": "eu-west-1", "batch_location": "s3://bucket/jobs", "batch_role": "arn:aws:iam::1:role/r"}


def bind(name: str, settings: dict[str, str], *, keyed: bool = False) -> Any:
    endpoint = build_endpoint(CATALOGUE.find(name).unwrap(), settings=settings).unwrap()
    return build_batch_codec(apply_key_auth(endpoint) if keyed else endpoint)


def encode_bedrock_row(row: CheckedRow) -> Result[BatchItem, Fault]:
    endpoint = build_endpoint(CATALOGUE.find("bedrock").unwrap(), settings=BEDROCK).unwrap()
    return encode_row(bind("bedrock", BEDROCK).unwrap(), endpoint, row)


@pytest.mark.parametrize(
    ("name", "settings", "missing"),
    [
        ("vertex", VERTEX, "batch_location (or set VERTEX_BATCH_LOCATION)"),
        ("vertex", VERTEX, "project (or set GOOGLE_CLOUD_PROJECT)"),
        ("vertex-anthropic", VERTEX, "batch_location (or set VERTEX_BATCH_LOCATION)"),
        ("bedrock", BEDROCK, "region (or set AWS_REGION or AWS_DEFAULT_REGION)"),
        ("bedrock", BEDROCK, "batch_location (or set BEDROCK_BATCH_LOCATION)"),
        ("bedrock", BEDROCK, "batch_role (or set BEDROCK_BATCH_ROLE)"),
    ],
)
@pytest.mark.parametrize("keyed", [False, True])
def test_a_missing_setting_is_named(name: str, settings: dict[str, str], missing: str, keyed: bool) -> None:
    rest = {key: value for key, value in settings.items() if key != missing.partition(" ")[0]}
    fault: Fault = bind(name, rest, keyed=keyed).failure()
    assert isinstance(fault, InvalidRequest)
    assert missing in fault.message


@pytest.mark.parametrize("location", ["bucket/jobs", "s3://bucket", "gs://", "https://storage.googleapis.com/bucket"])
def test_a_location_that_is_not_a_url_of_the_cloud_is_refused(location: str) -> None:
    fault: Fault = bind("vertex", VERTEX | {"batch_location": location}).failure()
    assert "batch_location must be a URL such as gs://bucket/folder" in fault.message


@pytest.mark.parametrize(
    ("name", "settings", "url"),
    [
        ("vertex", VERTEX, "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"),
        ("vertex", VERTEX | {"location": "global"}, "https://aiplatform.googleapis.com/v1/projects/p/locations/global"),
        (
            "vertex-anthropic",
            VERTEX,
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1",
        ),
    ],
)
def test_jobs_are_made_in_the_project_not_under_the_publisher(name: str, settings: dict[str, str], url: str) -> None:
    batch: BatchCodec = bind(name, settings).unwrap()
    handle = BatchHandle(provider=name, id="projects/1/locations/x/batchPredictionJobs/7")
    assert batch.status(handle).url == f"{url}/batchPredictionJobs/7"
    assert batch.cancel is not None
    assert batch.cancel(handle).url == f"{url}/batchPredictionJobs/7:cancel"
    assert batch.list_page("next").url == f"{url}/batchPredictionJobs?pageSize=100&pageToken=next"


def test_jobs_are_made_on_the_control_plane_with_the_key_alone() -> None:
    batch: BatchCodec = bind("bedrock", BEDROCK, keyed=True).unwrap()
    handle = BatchHandle(provider="bedrock", id="arn:aws:bedrock:eu-west-1:1:model-invocation-job/abcdefghijkl")
    request = batch.status(handle)
    assert request.url == "https://bedrock.eu-west-1.amazonaws.com/model-invocation-job/abcdefghijkl"
    assert request.headers == {"authorization": "Bearer <secret>"}
    assert batch.cancel is not None
    assert batch.cancel(handle).url == f"{request.url}/stop"


@pytest.mark.parametrize(("name", "settings"), [("vertex", VERTEX), ("bedrock", BEDROCK)])
def test_every_batch_has_a_folder_of_its_own(name: str, settings: dict[str, str]) -> None:
    batch: BatchCodec = bind(name, settings).unwrap()
    item = batch.encode_item("a", "m-1", HttpRequest(url="", body=b"{}"))
    first, second = batch.submit([item], "0" * 32), batch.submit([item], "1" * 32)
    assert isinstance(first, StoreWrite)
    assert isinstance(second, StoreWrite)
    assert first.url.startswith(f"{settings['batch_location']}/victor-fp-{'0' * 32}/")
    assert first.url != second.url
    assert first.url.encode() in first.following.request.body


def test_a_job_is_what_the_vendors_service_model_expects() -> None:
    session = pytest.importorskip("botocore.session", reason="the extra `bedrock` is not installed")
    from botocore.validate import validate_parameters

    batch: BatchCodec = bind("bedrock", BEDROCK).unwrap()
    step = batch.submit(
        [batch.encode_item("a", "us.amazon.nova-2-lite-v1:0", HttpRequest(url="", body=b"{}"))], "0" * 32
    )
    assert isinstance(step, StoreWrite)
    model = session.get_session().get_service_model("bedrock").operation_model("CreateModelInvocationJob")
    body = msgspec.json.decode(step.following.request.body)
    validate_parameters(body, model.input_shape)
    assert step.following.request.url.endswith(model.http["requestUri"])
    assert body.keys() <= model.input_shape.members.keys()
    for name in ("jobName", "clientRequestToken", "modelId"):
        shape = model.input_shape.members[name].metadata
        assert re.fullmatch(shape["pattern"], body[name]) if "pattern" in shape else len(body[name]) <= shape["max"]


@pytest.mark.parametrize("folder", ["file:///etc", "http://elsewhere.invalid/out", "s3:/bucket", "/etc", ""])
def test_results_outside_of_a_bucket_are_not_read(folder: str) -> None:
    shown = {
        "vertex": {"name": "x/7", "state": "JOB_STATE_SUCCEEDED", "outputInfo": {"gcsOutputDirectory": folder}},
        "bedrock": {
            "jobArn": "x/7",
            "status": "Completed",
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": folder}},
        },
    }
    for name, settings in (("vertex", VERTEX), ("bedrock", BEDROCK)):
        batch: BatchCodec = bind(name, settings).unwrap()
        status = batch.read_status(BatchHandle(provider=name, id="7"), msgspec.json.encode(shown[name])).unwrap()
        assert status.is_final
        assert batch.results(status) is None


def test_tools_that_the_vendor_would_refuse_are_refused_before() -> None:
    tools = [{"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}]
    row = check_row(Row("a", "Hi", tools=tools), 0, provider="bedrock", model="us.amazon.nova-2-lite-v1:0", options={})
    assert isinstance(row, CheckedRow)
    assert row.tools
    fault: Fault = encode_bedrock_row(row).failure()
    assert isinstance(fault, InvalidRequest)
    assert "accepts tools for Claude models only" in fault.message
    call = {"id": "t1", "name": "look", "arguments": {}}
    earlier = (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="", tool_calls=[call]),
        Message(role="tool", content="seen", tool_call_id="t1"),
    )
    later = msgspec.structs.replace(row, tools=(), messages=earlier)
    assert isinstance(encode_bedrock_row(later).failure(), InvalidRequest)
    claude = msgspec.structs.replace(later, model="us.anthropic.claude-haiku-4-5-20251001-v1:0")
    assert encode_bedrock_row(claude).unwrap().route == "InvokeModel"
    plain = msgspec.structs.replace(row, tools=())
    assert encode_bedrock_row(plain).unwrap().key == "a"


def test_a_job_without_results_has_no_step() -> None:
    status = BatchStatus(handle=BatchHandle(provider="vertex", id="7"), state="failed")
    for name, settings in (("vertex", VERTEX), ("bedrock", BEDROCK)):
        batch: BatchCodec = bind(name, settings).unwrap()
        assert batch.results(status) is None
        step = batch.results(msgspec.structs.replace(status, sources=("gs://bucket/out/",)))
        assert isinstance(step, StoreRead)
        assert step.prefix == "gs://bucket/out/"


@given(st.text())
def test_every_id_survives_as_labels(key: str) -> None:
    identifier = make_item_id(key.encode(errors="replace").decode())
    labels = encode_labels(identifier)
    assert all(len(text) <= 63 and text == text.lower() for pair in labels.items() for text in pair)
    assert decode_labels({"team": "a", **labels}) == identifier


@pytest.mark.parametrize("labels", [{}, {"team": "a"}, {"victor-fp-id-0": "1"}, {"victor-fp-id-1": "me"}])
def test_labels_that_are_not_an_id_match_no_row(labels: dict[str, str]) -> None:
    assert decode_labels(labels) == ""


def test_the_callers_labels_are_kept() -> None:
    endpoint = build_endpoint(CATALOGUE.find("vertex").unwrap(), settings=VERTEX).unwrap()
    bound = ProjectEndpoint(
        endpoint=endpoint, support=BATCHES["vertex"], route="google", dialect=VertexBatches(), base_url="", folder=""
    )
    request = HttpRequest(url="", body=b'{"contents": [], "labels": {"team": "a"}}')
    line = msgspec.json.decode(encode_item(bound, "a", "m-1", request).line)
    assert line == {"request": {"contents": [], "labels": {"team": "a", "victor-fp-id-0": "me"}}}


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (["predictions.jsonl", "incremental_predictions.jsonl", "row_count.json"], ["predictions.jsonl"]),
        (["predictions.jsonl-00001-of-00002", "predictions.jsonl-00000-of-00002", "predictions.jsonl.metadata"],
         ["predictions.jsonl-00000-of-00002", "predictions.jsonl-00001-of-00002"]),
        (["predictions_0001.jsonl", "errors_0001.jsonl"], ["predictions_0001.jsonl"]),
        (["incremental_predictions.jsonl"], ["incremental_predictions.jsonl"]),
        ([], []),
    ],
)  # fmt: skip
def test_partial_results_are_read_only_in_place_of_the_final_ones(given: list[str], chosen: list[str]) -> None:
    found = choose_objects([f"gs://bucket/out/{name}" for name in given], RESULT_NAMES)
    assert [url.rpartition("/")[2] for url in found] == chosen
