"""Responses in the background over real HTTP on loopback: waited for, left, started, resumed by a handle, cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from returns.result import Success

from tests.acme import HI, KEY, build_acme
from tests.core.protocols.openai_responses.answers import build_message, call, response
from tests.fake_runtime import FakeRuntime
from tests.loopback import Loopback, Received, Script, Talk, serve_in_thread, serving
from victor_fp.core import faults
from victor_fp.core.catalogue.entries.openai import OPENAI_RESPONSES
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.managed_config import ProviderConfig
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.sync_provider import SyncProvider
from victor_fp.testing import ScriptedProvider

MODEL = "gpt-5.1"
HANDLE = {"provider": "openai-responses", "model": MODEL, "id": "resp_1"}
CREATE, POLL, CANCEL = (
    ("POST", "/v1/responses"),
    ("GET", "/v1/responses/resp_1"),
    ("POST", "/v1/responses/resp_1/cancel"),
)
WHOLE = response(build_message("Hello"), store=True, background=True)


class ResponsesProvider(CatalogueProvider):
    """OpenAI Responses, at whatever address."""

    SPEC = OPENAI_RESPONSES


def make_responses(url: str, **options: Any) -> ResponsesProvider:
    return ResponsesProvider(
        **{"api_key": KEY, "base_url": f"{url}/v1", "timeout": 5, "runtime": FakeRuntime(), **options}
    )


def make_managed(url: str, **options: Any) -> ManagedProvider:
    extra = {"max_retries": 0, "runtime": FakeRuntime()}
    config = ProviderConfig("openai-responses", MODEL, api_key=KEY, base_url=f"{url}/v1", extra_kwargs=extra, **options)
    return ManagedProvider(config=config)


def give_answer(whole: object, status: int = 200) -> Script:
    async def answer_request(talk: Talk, _: Received) -> None:
        await talk.answer(whole, status)

    return answer_request


def give_pending(status: str = "in_progress") -> Script:
    return give_answer({**response(), "status": status, "usage": None})


def list_requests(server: Loopback) -> list[tuple[str, str]]:
    return [(received.method, received.path) for received in server.received]


async def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def test_a_chat_in_the_background_is_polled_until_its_response_is_there() -> None:
    runtime = FakeRuntime()
    scripts = [
        give_pending("queued"),
        give_pending(),
        give_answer({"error": {"message": "boom"}}, 502),
        give_answer(WHOLE),
    ]
    async with serving(*scripts) as server, make_responses(server.url, runtime=runtime) as provider:
        found = await provider.chat(HI, model=MODEL, background=True)
    assert (found.content, found.stop_reason, found.response_id) == ("Hello", "stop", "resp_1")
    assert list_requests(server) == [CREATE, POLL, POLL, POLL]
    assert runtime.slept == [1.0, 1.5, 2.25]
    body = server.received[0].json()
    assert (body["background"], body["store"]) == (True, True)
    assert {received.headers["authorization"] for received in server.received} == {f"Bearer {KEY}"}


async def test_it_may_take_longer_than_the_providers_timeout() -> None:
    runtime = FakeRuntime()
    scripts = [*[give_pending()] * 200, give_answer(WHOLE)]
    async with serving(*scripts) as server, make_responses(server.url, runtime=runtime) as provider:
        found = await provider.chat(HI, model=MODEL, background=True)
    assert found.content == "Hello"
    assert runtime.time > 1000 + 2000


@pytest.mark.parametrize(
    ("bound", "kind"), [({"deadline": 20}, faults.DeadlineExceeded), ({"timeout": 20}, faults.TimedOut)]
)
async def test_a_chat_past_its_deadline_cancels_its_response(bound: dict[str, Any], kind: type[faults.Fault]) -> None:
    async with serving(give_pending()) as server, make_responses(server.url, max_retries=0) as provider:
        fault = (await provider.chat_result(HI, model=MODEL, background=True, **bound)).failure()
    assert isinstance(fault, kind)
    assert list_requests(server)[0] == CREATE
    assert set(list_requests(server)[1:-1]) == {POLL}
    assert list_requests(server)[-1] == CANCEL


async def test_leaving_a_chat_cancels_its_response() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(10)

    async with serving(give_pending(), keep_silent, give_answer({})) as server, make_responses(server.url) as provider:
        task = asyncio.create_task(provider.chat_result(HI, model=MODEL, background=True))
        await wait_until(lambda: POLL in list_requests(server))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until(lambda: CANCEL in list_requests(server))


async def test_a_response_that_failed_is_its_fault_and_not_cancelled() -> None:
    failed = {**response(), "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}
    async with (
        serving(give_pending(), give_answer(failed)) as server,
        make_responses(server.url, max_retries=0) as provider,
    ):
        fault = (await provider.chat_result(HI, model=MODEL, background=True)).failure()
    assert isinstance(fault, faults.RateLimited)
    assert list_requests(server) == [CREATE, POLL]


async def test_a_stream_in_the_background_is_read_as_it_comes() -> None:
    async def stream(talk: Talk, received: Received) -> None:
        assert received.json()["background"] is True
        await talk.send_events({"type": "response.completed", "response": WHOLE}, done=False)

    async with serving(stream) as server, make_responses(server.url) as provider:
        found = await provider.stream(HI, model=MODEL, background=True).response()
    assert found.content == "Hello"
    assert list_requests(server) == [CREATE]


async def test_a_handle_is_plain_json_and_resumed_by_another_provider() -> None:
    async with serving(give_pending("queued"), give_pending(), give_answer(WHOLE)) as server:
        async with make_responses(server.url) as provider:
            handle = await provider.start_background(HI, model=MODEL)
        assert handle == HANDLE
        assert list_requests(server) == [CREATE]
        async with make_responses(server.url) as another:
            found = await another.resume_background(json.loads(json.dumps(handle)))
    assert (found.content, found.model) == ("Hello", MODEL)
    assert list_requests(server) == [CREATE, POLL, POLL]


async def test_names_of_tools_that_were_mapped_are_mapped_back_by_the_handle() -> None:
    whole = response(call("fs_read", '{"path": "a"}'), store=True, background=True)
    tool = {"name": "fs.read", "description": "Read.", "parameters": {"type": "object", "properties": {}}}
    async with serving(give_pending("queued"), give_answer(whole)) as server, make_responses(server.url) as provider:
        handle = await provider.start_background(HI, model=MODEL, tools=[tool])
        found = await provider.resume_background(json.loads(json.dumps(handle)))
    assert handle == {**HANDLE, "tool_names": {"fs_read": "fs.read"}}
    assert [one["name"] for one in found.tool_calls or []] == ["fs.read"]


async def test_a_response_that_is_there_at_once_has_a_handle_too() -> None:
    async with serving(give_answer(WHOLE)) as server, make_responses(server.url) as provider:
        handle = await provider.start_background(HI, model=MODEL)
        assert (await provider.resume_background(handle)).content == "Hello"


async def test_resumed_response_can_be_left_and_resumed_again() -> None:
    scripts = [give_pending(), give_pending(), give_pending(), give_answer(WHOLE)]
    async with serving(*scripts) as server, make_responses(server.url, max_retries=0) as provider:
        fault = (await provider.resume_background_result(HANDLE, timeout=2)).failure()
        late = (await provider.resume_background_result(HANDLE, deadline=0.5)).failure()
        assert (await provider.resume_background(HANDLE)).content == "Hello"
    assert isinstance(fault, faults.TimedOut)
    assert isinstance(late, faults.DeadlineExceeded | faults.TimedOut)
    assert set(list_requests(server)) == {POLL}


async def test_polls_of_a_resumed_response_are_retried_like_any_request() -> None:
    scripts = [give_answer({"error": {"message": "boom"}}, 500), give_answer(WHOLE)]
    async with serving(*scripts) as server, make_responses(server.url) as provider:
        found = await provider.resume_background(HANDLE)
    assert found.content == "Hello"
    assert [attempt["outcome"] for attempt in (found.metadata or {}).get("attempts", [])] in (
        [],
        ["ServerFailed", "ok"],
    )
    assert list_requests(server) == [POLL, POLL]


def test_the_synchronous_api_has_the_same_methods() -> None:
    cancelled = give_answer({**response(), "status": "cancelled"})
    scripts = [
        give_pending("queued"),
        give_pending(),
        give_answer(WHOLE),
        give_answer(WHOLE),
        cancelled,
        cancelled,
        give_pending(),
    ]
    with serve_in_thread() as start:
        server = start(*scripts)
        with SyncProvider(make_responses(server.url)) as provider:
            handle = provider.start_background(HI, model=MODEL)
            assert provider.resume_background(handle).content == "Hello"
            assert provider.resume_background_result(handle).unwrap().content == "Hello"
            provider.cancel_background(handle)
            assert provider.cancel_background_result(handle) == Success(None)
            assert provider.start_background_result(HI, model=MODEL) == Success(HANDLE)
    assert list_requests(server) == [CREATE, POLL, POLL, POLL, CANCEL, CANCEL, CREATE]


async def test_a_response_is_cancelled_by_its_handle() -> None:
    async with (
        serving(give_answer({**response(), "status": "cancelled"})) as server,
        make_responses(server.url) as provider,
    ):
        await provider.cancel_background(HANDLE)
        fault = (await provider.resume_background_result(HANDLE)).failure()
    assert isinstance(fault, faults.Cancelled)
    assert list_requests(server) == [CANCEL, POLL]


async def test_unknown_response_is_a_fault() -> None:
    missing = {"error": {"message": "Response with id 'resp_1' not found.", "type": "invalid_request_error"}}
    async with serving(give_answer(missing, 404)) as server, make_responses(server.url) as provider:
        fault = (await provider.resume_background_result(HANDLE)).failure()
    assert not faults.can_retry(fault)
    assert list_requests(server) == [POLL]


async def test_calls_in_the_background_are_continued_without_their_history() -> None:
    calling = response(call("weather", "{}"), store=True)
    async with (
        serving(give_pending(), give_answer(calling), give_answer(WHOLE)) as server,
        make_responses(server.url) as provider,
    ):
        first = await provider.chat(HI, model=MODEL, background=True)
        assert first.tool_calls is not None
        assert first.response_id is not None
        result = Message(role="tool", tool_call_id=first.tool_calls[0]["id"], content="sunny")
        history = [*HI, first.to_message(), result]
        await provider.chat(history, model=MODEL, previous_response_id=first.response_id)
    sent = server.received[-1].json()
    assert sent["input"] == [{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}]


async def test_managed_providers_start_and_resume_under_their_limits() -> None:
    async with serving(give_pending(), give_answer(WHOLE)) as server, make_managed(server.url) as provider:
        handle = await provider.start_background(HI)
        assert handle == HANDLE
        assert (await provider.resume_background(handle)).content == "Hello"
        elsewhere = await provider.resume_background_result({**handle, "provider": "xai-responses"})
    assert isinstance(elsewhere.failure(), faults.OperationUnsupported)


@pytest.mark.parametrize("make", [lambda: build_acme("http://127.0.0.1:1"), lambda: ScriptedProvider(lambda _: "Hi")])
async def test_unsupported_background_responses_are_a_fault(make: Callable[[], BaseProvider]) -> None:
    async with make() as provider:
        fault = (await provider.start_background_result(HI, model="m")).failure()
        handle = {"provider": provider.name, "model": "m", "id": "r"}
        others = [
            (await provider.resume_background_result(handle)).failure(),
            (await provider.cancel_background_result(handle)).failure(),
        ]
    assert [type(found).__name__ for found in (fault, *others)] == ["OperationUnsupported"] * 3


async def test_the_raising_methods_raise() -> None:
    async with make_responses("http://127.0.0.1:1") as provider:
        for wrong in ({}, {"id": 1}, "resp_1"):
            with pytest.raises(ProviderError, match="handle"):
                await provider.resume_background(wrong)  # type: ignore[arg-type]  # what a caller may pass
        with pytest.raises(ProviderError, match="background"):
            await provider.start_background(HI, model=MODEL, store=False)
        with pytest.raises(ProviderError, match="background"):
            await provider.start_background(HI, model=MODEL, store=False, on_unsupported="adjust")
        with pytest.raises(ProviderError, match="repair"):
            await provider.start_background(HI, model=MODEL, repair=1, response_format={"type": "object"})
        with pytest.raises(ProviderError, match="no model given"):
            await provider.start_background(HI)
