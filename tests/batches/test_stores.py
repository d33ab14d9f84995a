"""Stores that fail: a typed fault of the provider, and no request to the vendor without its objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from returns.result import Failure, Result, Success

from tests.batches.store_vendors import BedrockVendor, MemoryObjects, VertexVendor
from tests.batches.test_families import KEYS, ROWS, connect
from tests.batches.vendor import Job
from victor_fp.core.faults import ConnectionFailed, Fault, InvalidRequest, PermissionRefused
from victor_fp.jobs import Row


class FailingObjects(MemoryObjects):
    """A store whose named operation fails."""

    failing = ""

    async def write(self, url: str, data: bytes) -> Result[None, Fault]:
        if self.failing == "write":
            return Failure(PermissionRefused(message="not this bucket"))
        return await super().write(url, data)

    async def list(self, prefix: str) -> Result[tuple[str, ...], Fault]:
        if self.failing == "list":
            return Failure(PermissionRefused(message="not this folder"))
        return await super().list(prefix)

    async def read(self, url: str) -> AsyncGenerator[Result[bytes, Fault], None]:
        if self.failing != "read":
            async for piece in super().read(url):
                yield piece
            return
        yield Success(self.objects[url].partition(b"\n")[0] + b"\n")
        yield Failure(ConnectionFailed(message="torn"))


@pytest.fixture(params=[VertexVendor, BedrockVendor], ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> VertexVendor | BedrockVendor:
    made: VertexVendor | BedrockVendor = request.param()
    made.store = FailingObjects()
    made.settings = {**made.settings, "batch_store": made.store}
    return made


async def test_no_job_is_created_without_its_object(vendor: VertexVendor | BedrockVendor) -> None:
    vendor.store.failing = "write"  # type: ignore[attr-defined]  # of the fixture
    async with connect(vendor) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, PermissionRefused)
    assert (fault.provider, fault.message, fault.maybe_billed) == (vendor.name, "not this bucket", False)
    assert vendor.received == []


@pytest.mark.parametrize(("failing", "answered", "message"), [("list", 0, "not this folder"), ("read", 1, "torn")])
async def test_results_that_cannot_be_read_end_with_one_failure(
    vendor: VertexVendor | BedrockVendor, failing: str, answered: int, message: str
) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        vendor.store.failing = failing  # type: ignore[attr-defined]
        results = [result async for result in provider.batch_results_result(handle, keys=KEYS)]
    assert [isinstance(result, Success) for result in results] == [True] * answered + [False]
    fault = results[-1].failure()
    assert (fault.provider, fault.message) == (vendor.name, message)


async def test_an_object_that_ends_within_a_line_is_incomplete(
    vendor: VertexVendor | BedrockVendor,
) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        await provider.batch_status(handle)
        vendor.store.read = lambda url: read_torn(vendor.store.objects[url])  # type: ignore[method-assign]
        results = [result async for result in provider.batch_results(handle, keys=KEYS)]
    assert [result.problem for result in results] == [None] * 3 + ["unreadable", "missing"]
    assert results[-1].result.failure().maybe_billed


async def read_torn(data: bytes) -> AsyncGenerator[Result[bytes, Fault], None]:
    yield Success(data[:-5])


async def test_without_a_bucket_every_method_returns_a_fault(vendor: VertexVendor | BedrockVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
    asked = len(vendor.received)
    async with connect(vendor, batch_location="") as provider:
        results = [result async for result in provider.batch_results_result(handle)]
        for result in (
            await provider.submit_batch_result(ROWS, model=vendor.model),
            await provider.batch_status_result(handle),
            await provider.cancel_batch_result(handle),
            await provider.list_batches_result(),
            *results,
        ):
            fault = result.failure()
            assert isinstance(fault, InvalidRequest)
            assert "requires the setting batch_location (or set " in fault.message
    assert len(vendor.received) == asked


CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TOOLS = [{"name": "look.up", "description": "Look.", "parameters": {"type": "object", "properties": {}}}]


class CallingVendor(BedrockVendor):
    """Calls the first tool of a request of Claude's."""

    def run(self, job: Job, count: int | None = None) -> None:
        for identifier, body in list(job.requests.items())[:count]:
            answer = self.build_completion("PLAIN")
            if "anthropic_version" in body:
                call = {"type": "tool_use", "id": "t1", "name": body["tools"][0]["name"], "input": {"q": 1}}
                usage = {"input_tokens": 5, "output_tokens": 2}
                answer = {"type": "message", "role": "assistant", "content": [call], "stop_reason": "tool_use"}
                answer |= {"id": "msg_1", "model": "claude-haiku-4-5", "usage": usage}
            job.results.append((identifier, "answered", 200, answer))


async def test_rows_of_claude_with_tools_are_records_of_invoke_model() -> None:
    vendor = CallingVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch([Row("a", "Hi", tools=TOOLS)], model=CLAUDE, max_tokens=50)
        job = vendor.finish()
        (result,) = [result async for result in provider.batch_results(handle, keys=["a"])]
        (request,) = job.requests.values()
        plain = await provider.submit_batch([Row("b", "Hi")], model=CLAUDE)
        vendor.finish()
        (other,) = [result async for result in provider.batch_results(plain, keys=["b"])]
    assert job.model == CLAUDE
    assert request["max_tokens"] == 50
    assert request["messages"] == [{"role": "user", "content": "Hi"}]
    response = result.result.unwrap()
    assert response.tool_calls is not None
    assert (response.tool_calls[0]["name"], response.tool_calls[0]["arguments"]) == ("look.up", {"q": 1})
    assert other.result.unwrap().content == "PLAIN"


async def test_a_job_has_records_of_one_operation() -> None:
    vendor = CallingVendor()
    async with connect(vendor) as provider:
        mixed = [Row("a", "Hi", tools=TOOLS), Row("b", "Hi")]
        fault = (await provider.submit_batch_result(mixed, model=CLAUDE)).failure()
        assert isinstance(fault, InvalidRequest)
        assert vendor.jobs == {}
