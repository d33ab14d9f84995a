"""Requests from descriptors: URLs, headers and bodies."""

from __future__ import annotations

import msgspec
import pytest
from victor_fp_wire import Operation
from victor_fp_wire.anthropic_messages.operations import CreateMessage, GetModel, ListModels, RawPredict
from victor_fp_wire.anthropic_messages.request import CreateMessageParams
from victor_fp_wire.anthropic_messages.response import MessageStopEvent
from victor_fp_wire.bedrock_converse.operations import Converse
from victor_fp_wire.gemini.operations import GenerateContent, StreamGenerateContent
from victor_fp_wire.replicate.operations import CreatePrediction

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.options import Options
from victor_fp.core.protocols.operations import build_chat, build_decoder, build_request, build_url
from victor_fp.core.requests import Endpoint

HERE = Endpoint(spec=CATALOGUE.find("anthropic").unwrap(), base_url="http://localhost")


@pytest.mark.parametrize(
    ("base_url", "operation", "url"),
    [
        ("http://h", CreateMessage(), "http://h/v1/messages"),
        ("http://h/v1", CreateMessage(), "http://h/v1/messages"),
        ("http://h/gateway/v1", ListModels(limit=5), "http://h/gateway/v1/models?limit=5"),
        ("http://h/v2", CreateMessage(), "http://h/v2/v1/messages"),
        ("http://h", GetModel(model_id="a/b c?"), "http://h/v1/models/a%2Fb%20c%3F"),
        ("http://h", ListModels(limit=5, after_id="a&b=c"), "http://h/v1/models?limit=5&after_id=a%26b%3Dc"),
        ("http://h", RawPredict(model="m@1:2"), "http://h/publishers/anthropic/models/m@1%3A2:rawPredict"),
        ("http://h", Converse(model_id="arn:aws:x/y"), "http://h/model/arn:aws:x%2Fy/converse"),
        ("http://h", GetModel(model_id=".."), "http://h/v1/models/%2E%2E"),
        ("http://h", GetModel(model_id="..."), "http://h/v1/models/..."),
        ("http://h", GenerateContent(model="models/../m"), "http://h/models/%2E%2E/m:generateContent"),
        ("http://h", GenerateContent(model="models/m"), "http://h/models/m:generateContent"),
        ("http://h", StreamGenerateContent(model="m", alt="sse"), "http://h/m:streamGenerateContent?alt=sse"),
    ],
)
def test_path_and_query_parameters_are_encoded(base_url: str, operation: Operation, url: str) -> None:
    assert build_url(base_url, operation) == url


def test_header_parameters_are_sent_unless_the_caller_has_set_them() -> None:
    request = build_request(
        HERE, CreatePrediction(prefer="wait=5", cancel_after="9s"), extra_headers={"Prefer": "wait=1"}
    )
    assert (request.headers["prefer"], request.headers["cancel-after"]) == ("wait=1", "9s")


def test_a_request_without_a_body_has_no_content_type() -> None:
    request = build_request(HERE, ListModels())
    assert (request.method, request.body, request.headers.get("content-type")) == ("GET", b"", None)


def test_extra_fields_and_headers_override_the_body() -> None:
    body = CreateMessageParams(max_tokens=1, messages=[], model="m")
    options = Options(extra_body={"max_tokens": 2}, unknown={"container": "c"}, extra_headers={"X-Own": "1"})
    request = build_chat(HERE, CreateMessage(), body, options)
    assert request.json() == {"max_tokens": 2, "messages": [], "model": "m", "container": "c"}
    assert [adjustment.parameter for adjustment in request.adjustments] == ["max_tokens"]
    assert request.headers["x-own"] == "1"


def test_a_decoder_reads_what_the_descriptor_names() -> None:
    event = build_decoder(CreateMessage.EVENT).decode(b'{"type": "message_stop"}')
    assert event == MessageStopEvent()
    assert isinstance(event, msgspec.Struct)
