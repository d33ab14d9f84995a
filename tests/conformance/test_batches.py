"""The vendors' SDKs as oracles of the batch formats: they send what we send, and read what our test vendors answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.other_vendors import AnthropicVendor
from tests.batches.test_families import ROWS, connect
from tests.batches.vendor import parse_form, read_lines
from tests.loopback import serving
from victor_fp.jobs import Row

pytestmark = pytest.mark.conformance


async def test_openai_sends_the_same_file_and_the_same_batch() -> None:
    openai = pytest.importorskip("openai")
    ours, theirs = OpenAIVendor(), OpenAIVendor()
    async with connect(ours) as provider:
        handle = await provider.submit_batch([Row("a", "Hi")], model="m-1", max_tokens=9)
    _, file = parse_form(ours.received[0])
    async with serving(theirs) as server:
        client = openai.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0)
        async with client:
            uploaded = await client.files.create(file=("in.jsonl", file, "application/jsonl"), purpose="batch")
            batch = await client.batches.create(
                input_file_id=uploaded.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={"victor_fp_token": handle.token},
            )
            assert batch.status == "validating"
            theirs.finish()
            batch = await client.batches.retrieve(batch.id)
            content = await client.files.content(batch.output_file_id)
            listed = [one.id async for one in client.batches.list(limit=100)]
            await client.batches.cancel(batch.id)
    sent, wanted = [(one.method, one.path.partition("?")[0]) for one in ours.received], theirs.received
    assert sent == [(one.method, one.path) for one in wanted[:2]]
    assert parse_form(wanted[0]) == parse_form(ours.received[0])
    assert wanted[1].json() == ours.received[1].json()
    assert read_lines(content.content)[0]["response"]["body"]["choices"][0]["message"]["content"] == "HI"
    assert listed == [batch.id]
    types: Any = openai.types
    for shown in theirs.jobs.values():
        types.Batch.model_validate(theirs.show(shown), strict=False)


async def test_openai_types_accept_what_we_create() -> None:
    types = pytest.importorskip("openai.types")
    from pydantic import TypeAdapter

    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        await provider.submit_batch(ROWS, model="m-1")
    TypeAdapter(types.BatchCreateParams).validate_python(vendor.received[1].json())
    chat = pytest.importorskip("openai.types.chat.completion_create_params")
    for line in read_lines(parse_form(vendor.received[0])[1]):
        TypeAdapter(chat.CompletionCreateParamsNonStreaming).validate_python(line["body"])


async def test_anthropic_sends_the_same_batch_and_reads_the_same_results() -> None:
    anthropic = pytest.importorskip("anthropic")
    ours, theirs = AnthropicVendor(), AnthropicVendor()
    async with connect(ours) as provider:
        handle = await provider.submit_batch(ROWS, model="m-1", max_tokens=9)
        ours.finish("expired", 2)
        found = {result.key: result async for result in provider.batch_results(handle, keys=[r.key for r in ROWS])}
    requests: Any = ours.received[0].json()["requests"]
    async with serving(theirs) as server:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=server.url, max_retries=0) as client:
            batch = await client.messages.batches.create(requests=requests)
            assert batch.processing_status == "in_progress"
            theirs.finish("expired", 2)
            await client.messages.batches.retrieve(batch.id)
            await client.messages.batches.cancel(batch.id)
            listed = [one.id async for one in client.messages.batches.list(limit=100)]
    assert listed == [batch.id]
    assert theirs.received[0].json() == ours.received[0].json()
    assert [(one.method, one.path) for one in theirs.received[:2]] == [
        ("POST", "/v1/messages/batches"), ("GET", f"/v1/messages/batches/{batch.id}")
    ]  # fmt: skip
    assert [(one.method, one.path) for one in ours.received[-2:]] == [
        ("GET", f"/v1/messages/batches/{handle.id}"), ("GET", f"/v1/messages/batches/{handle.id}/results")
    ]  # fmt: skip
    types: Any = anthropic.types.messages
    (job,) = theirs.jobs.values()
    for result in job.results:
        types.MessageBatchIndividualResponse.model_validate(theirs.build_line(*result))
    types.MessageBatch.model_validate(theirs.show(job))
    assert sorted(result.end for result in found.values()) == ["answered", "answered", "expired", "expired"]
    await asyncio.sleep(0)


async def test_anthropic_types_accept_what_we_create() -> None:
    params = pytest.importorskip("anthropic.types.messages.batch_create_params")
    from pydantic import TypeAdapter

    vendor = AnthropicVendor()
    async with connect(vendor) as provider:
        await provider.submit_batch(ROWS, model="m-1")
    body = json.loads(vendor.received[0].body)
    TypeAdapter(params.BatchCreateParams).validate_python(body)
