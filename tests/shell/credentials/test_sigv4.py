"""Signature Version 4: the same as botocore's own client makes, over real HTTP, without blocking the loop."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Success

from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.shell.credentials.bedrock_server import (
    HI,
    KEY,
    KEYS,
    MODEL,
    REGION,
    SECRET_KEY,
    SESSION,
    answer_converse,
    build_bedrock_endpoint,
    compute_signature,
    get_received,
    make_bedrock,
    no_aws_of_this_machine,
    stream_converse,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.providers.classes import make_provider_class
from victor_fp.shell.credentials.sigv4 import AwsSigner

pytest.importorskip("botocore", reason="the extra `bedrock` is not installed")
# Fixtures that tests ask for by name.
__all__ = ["no_aws_of_this_machine"]
pytestmark = pytest.mark.usefixtures("no_aws_of_this_machine")


@pytest.mark.parametrize(
    ("model", "segment"),
    [(MODEL, MODEL), ("arn:aws:bedrock:eu-west-1:123456789012:a/b", "arn:aws:bedrock:eu-west-1:123456789012:a%2Fb")],
)
async def test_a_call_is_signed_correctly_for_any_characters_in_the_model(model: str, segment: str) -> None:
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url) as provider:
        response = await provider.chat(HI, model=model)
        received = get_received(loopback)
        assert response.content == "Hello"
        assert received.path == f"/model/{segment}/converse"
        assert received.headers["authorization"] == compute_signature(received)
        assert {"host", "x-amz-date", "content-type"} <= set(read_signed_names(received))


def read_signed_names(received: Received) -> list[str]:
    found = received.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    return found.split(";")


async def test_a_stream_is_signed_and_read_frame_by_frame() -> None:
    async with serving(stream_converse) as loopback, make_bedrock(loopback.url) as provider:
        chunks = [chunk async for chunk in provider.stream(HI, model=MODEL)]
        assert "".join(chunk.content for chunk in chunks) == "Hello"
        assert (chunks[-1].is_final, chunks[-1].stop_reason) == (True, "stop")
        received = get_received(loopback)
        assert received.path.endswith("/converse-stream")
        assert received.headers["authorization"] == compute_signature(received)


async def test_every_attempt_has_its_own_signature() -> None:
    async def answer_503(talk: Talk, received: Received) -> None:
        await talk.answer({"message": "slow"}, 503, **{"x-amzn-errortype": "ServiceUnavailableException"})

    runtime = FakeRuntime(variables={**KEYS, **REGION})
    make = make_provider_class(CATALOGUE.find("bedrock").unwrap())
    async with serving(answer_503, answer_converse) as loopback:
        async with make(base_url=loopback.url, runtime=runtime, max_retries=1) as provider:
            await provider.chat(HI, model=MODEL)
        assert len(loopback.received) == 2
        assert all(received.headers["authorization"] == compute_signature(received) for received in loopback.received)


async def test_temporary_credentials_send_their_token_and_sign_it() -> None:
    variables = {**KEYS, **REGION, "AWS_SESSION_TOKEN": SESSION}
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url, variables) as provider:
        await provider.chat(HI, model=MODEL)
        received = get_received(loopback)
        assert received.headers["x-amz-security-token"] == SESSION
        assert "x-amz-security-token" in read_signed_names(received)
        assert received.headers["authorization"] == compute_signature(received)


async def test_the_list_of_models_is_signed_too() -> None:
    async def answer_model_list(talk: Talk, received: Received) -> None:
        await talk.answer({"modelSummaries": [{"modelId": MODEL, "outputModalities": ["TEXT"]}]})

    async with serving(answer_model_list) as loopback, make_bedrock(loopback.url) as provider:
        listed = await provider.list_models()
        assert [info.id for info in listed] == [MODEL]
        assert get_received(loopback).headers["authorization"] == compute_signature(get_received(loopback))


async def test_botocores_own_client_signs_the_same_request_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth
    from botocore.session import Session

    moment = "20261122T110000Z"
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: _make_moment(), raising=False)
    session = Session()
    session.set_credentials(KEY, SECRET_KEY)
    client = session.create_client("bedrock-runtime", region_name="eu-west-1")
    theirs: dict[str, str] = {}

    def capture_request(request: Any, **_: Any) -> Any:
        theirs.update({name.lower(): _to_text(value) for name, value in request.headers.items()})
        theirs.update({"url": request.url, "body": _to_text(request.body)})
        raise ConnectionRefusedError

    client.meta.events.register("before-send.bedrock-runtime.Converse", capture_request)
    with pytest.raises(ConnectionRefusedError):
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    request = HttpRequest(
        url=theirs["url"], headers={"content-type": theirs["content-type"]}, body=theirs["body"].encode()
    )
    match outcome(await AwsSigner(build_bedrock_endpoint(region="eu-west-1"), KEYS)(request)):
        case Success(ours):
            assert ours.headers["x-amz-date"] == theirs["x-amz-date"] == moment
            assert ours.headers["authorization"] == theirs["authorization"]
        case Failure(fault):
            raise AssertionError(fault)


def _make_moment() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 22, 11, tzinfo=UTC)


def _to_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
