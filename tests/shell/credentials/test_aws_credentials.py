"""What signs a request to AWS: keys, profiles and temporary credentials, looked up without blocking the loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.loopback import Received, Talk, serving
from tests.shell.credentials.bedrock_server import (
    HI,
    KEY,
    KEYS,
    MODEL,
    REGION,
    SECRET_KEY,
    answer_converse,
    build_bedrock_endpoint,
    get_failure,
    get_received,
    make_bedrock,
    no_aws_of_this_machine,
    without_botocore,
)
from victor_fp.core.faults import CredentialMissing, InvalidRequest, RateLimited
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.sigv4 import AwsSigner

pytest.importorskip("botocore", reason="the extra `bedrock` is not installed")
# Fixtures that tests ask for by name.
__all__ = ["no_aws_of_this_machine", "without_botocore"]
pytestmark = pytest.mark.usefixtures("no_aws_of_this_machine")


class Slow:
    """Credentials that must be fetched, which blocks for a moment."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def get_frozen_credentials(self) -> Any:
        from botocore.credentials import ReadOnlyCredentials

        self.threads.append(threading.get_ident())
        time.sleep(0.2)
        return ReadOnlyCredentials(KEY, SECRET_KEY, None)


async def test_fetching_credentials_does_not_block_the_loop() -> None:
    credentials = Slow()
    at = build_bedrock_endpoint(region="eu-west-1")
    signer = AwsSigner(at, {}, credentials)
    ticks = 0

    async def count_ticks() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(count_ticks())
    result = outcome(await signer(HttpRequest(url=f"{at.base_url}/model/x/converse")))
    ticking.cancel()
    assert isinstance(result, Success)
    assert ticks >= 5
    assert credentials.threads != [threading.get_ident()]


async def test_a_lookup_that_hangs_ends_with_the_calls_timeout() -> None:
    async def sign_too_late(request: HttpRequest) -> Any:
        await asyncio.sleep(60)

    async with (
        serving(answer_converse) as loopback,
        make_bedrock(loopback.url, sign=sign_too_late, timeout=0.05) as provider,
    ):
        match outcome(await provider.chat_result(HI, model=MODEL)):
            case Failure(fault):
                assert type(fault).__name__ in ("TimedOut", "DeadlineExceeded")
            case Success(response):
                raise AssertionError(response)
        assert loopback.received == []


async def test_a_bearer_key_needs_neither_botocore_nor_a_signature(without_botocore: None) -> None:
    variables = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-1", **REGION}
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url, variables) as provider:
        assert (await provider.chat(HI, model=MODEL)).content == "Hello"
        headers = get_received(loopback).headers
        assert headers["authorization"] == "Bearer bedrock-api-key-1"
        assert "x-amz-date" not in headers


async def test_without_key_and_extra_the_fault_has_advice(without_botocore: None) -> None:
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url) as provider:
        fault = get_failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "victor-fp[bedrock]" in fault.message
        assert "AWS_BEARER_TOKEN_BEDROCK" in fault.message
        assert loopback.received == []


async def test_without_any_credentials_the_fault_lists_the_searched_sources() -> None:
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url, REGION) as provider:
        fault = get_failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "environment AWS_BEARER_TOKEN_BEDROCK" in fault.looked_in
        assert loopback.received == []


async def test_a_profile_that_is_not_there_is_a_missing_credential() -> None:
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url, profile="nobody") as provider:
        fault = get_failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "nobody" in fault.message


async def test_a_chosen_profile_wins_over_the_environments_keys(tmp_path: Any) -> None:
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = s\n")
    async with serving(answer_converse) as loopback, make_bedrock(loopback.url, profile="other") as provider:
        await provider.chat(HI, model=MODEL)
        assert "Credential=AKIDOTHER/" in get_received(loopback).headers["authorization"]


async def test_the_region_is_read_from_the_host_where_no_setting_gives_it() -> None:
    at = build_bedrock_endpoint("https://vpce-1.bedrock-runtime.us-gov-west-1.vpce.amazonaws.com")
    match outcome(await AwsSigner(at, KEYS)(HttpRequest(url=f"{at.base_url}/model/x/converse"))):
        case Success(signed):
            assert "/us-gov-west-1/bedrock/aws4_request" in signed.headers["authorization"]
        case Failure(fault):
            raise AssertionError(fault)


async def test_an_endpoint_without_a_region_cannot_be_signed_for() -> None:
    fault = get_failure(
        await AwsSigner(build_bedrock_endpoint("http://localhost:1"), KEYS)(HttpRequest(url="http://localhost:1/x"))
    )
    assert isinstance(fault, InvalidRequest)
    assert "region" in fault.message


async def test_an_error_of_the_service_is_a_fault_like_any_other() -> None:
    async def refuse_request(talk: Talk, received: Received) -> None:
        await talk.answer(json.dumps({"message": "slow"}), 429, **{"x-amzn-errortype": "ThrottlingException:http://x/"})

    async with serving(refuse_request) as loopback, make_bedrock(loopback.url) as provider:
        assert isinstance(get_failure(await provider.chat_result(HI, model=MODEL)), RateLimited)
