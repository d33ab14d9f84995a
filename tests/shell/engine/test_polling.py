"""Responses that need several exchanges, over real HTTP on loopback: wait, poll, stream, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.acme import HI, KEY
from tests.core.protocols.replicate.answers import METRICS, build_prediction, encode_event, encode_sse
from tests.fake_runtime import FakeRuntime
from tests.loopback import Loopback, Received, Script, Talk, serving
from victor_fp.core import faults
from victor_fp.core.catalogue.entries.hosts import REPLICATE
from victor_fp.core.types import StreamChunk
from victor_fp.providers.catalogue_provider import CatalogueProvider

MODEL = "acme/chat"


class ReplicateProvider(CatalogueProvider):
    """Replicate, at whatever address."""

    SPEC = REPLICATE


def make_replicate(url: str, **options: Any) -> ReplicateProvider:
    return ReplicateProvider(**{"api_key": KEY, "base_url": f"{url}/v1", "timeout": 5, **options})


def give_prediction(status: str, code: int = 200, **changes: Any) -> Script:
    """A script that answers with a prediction; `stream` is the path under which it streams."""

    async def answer_prediction(talk: Talk, received: Received) -> None:
        urls = {"stream": f"http://{received.headers['host']}/{changes['stream']}"} if "stream" in changes else {}
        fields = {name: value for name, value in changes.items() if name != "stream"}
        await talk.answer(build_prediction(status, urls=urls, **fields), code)

    return answer_prediction


def fail_with(status: int) -> Script:
    async def answer_error(talk: Talk, _: Received) -> None:
        await talk.answer({"detail": "boom"}, status)

    return answer_error


async def stream_hello(talk: Talk, _: Received) -> None:
    await talk.send_head(content_type="text/event-stream")
    await talk.send_chunk(encode_sse(["Hel", "lo"]))
    await talk.end()


async def stop_after_one_event(talk: Talk, _: Received) -> None:
    await talk.send_head(content_type="text/event-stream")
    await talk.send_chunk(encode_event("output", "Hel").encode())
    await talk.wait_for_close(10)


def list_requests(server: Loopback) -> list[tuple[str, str]]:
    return [(received.method, received.path) for received in server.received]


CREATE, POLL, CANCEL = (
    ("POST", "/v1/models/acme/chat/predictions"),
    ("GET", "/v1/predictions/pred1"),
    ("POST", "/v1/predictions/pred1/cancel"),
)
STREAM = ("GET", "/streams/1")


async def collect_stream(stream: Any) -> tuple[list[StreamChunk], faults.Fault | None]:
    chunks: list[StreamChunk] = []
    async for result in stream:
        match result:
            case Success(chunk):
                chunks.append(chunk)
            case Failure(fault):
                return chunks, fault
    return chunks, None


async def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def test_synchronous_prediction_needs_one_exchange() -> None:
    whole = give_prediction("succeeded", 201, output=["Hel", "lo"], metrics=METRICS)
    async with serving(whole) as server, make_replicate(server.url) as provider:
        response = await provider.chat(HI, model=MODEL)
    assert (response.content, response.stop_reason) == ("Hello", "stop")
    assert response.usage == {"prompt_tokens": 26, "completion_tokens": 84, "total_tokens": 110}
    (received,) = server.received
    assert (received.headers["prefer"], received.headers["cancel-after"]) == ("wait=2", "5s")
    assert received.headers["authorization"] == f"Bearer {KEY}"


async def test_slow_prediction_is_polled() -> None:
    runtime = FakeRuntime()
    scripts = [
        give_prediction("starting", 201),
        give_prediction("processing"),
        fail_with(502),
        give_prediction("succeeded", output="Hello"),
    ]
    async with serving(*scripts) as server, make_replicate(server.url, runtime=runtime) as provider:
        response = await provider.chat(HI, model=MODEL)
    assert response.content == "Hello"
    assert list_requests(server) == [CREATE, POLL, POLL, POLL]
    assert runtime.slept == [0.5, 0.75, 1.125]
    assert {received.headers["authorization"] for received in server.received} == {f"Bearer {KEY}"}


async def test_a_failed_prediction_is_a_fault_and_is_not_cancelled() -> None:
    scripts = [give_prediction("starting", 201), give_prediction("failed", error="flagged (E005)")]
    async with serving(*scripts) as server, make_replicate(server.url, runtime=FakeRuntime()) as provider:
        fault = (await provider.chat_result(HI, model=MODEL)).failure()
    assert isinstance(fault, faults.ContentRefused)
    assert list_requests(server) == [CREATE, POLL]


async def test_a_call_past_its_deadline_cancels_its_prediction() -> None:
    runtime = FakeRuntime()
    scripts = [give_prediction("starting", 201)]
    options: dict[str, Any] = {"runtime": runtime, "timeout": 2, "max_retries": 0}
    async with serving(*scripts) as server, make_replicate(server.url, **options) as provider:
        fault = (await provider.chat_result(HI, model=MODEL)).failure()
    assert isinstance(fault, faults.TimedOut)
    assert fault.seconds == 2
    assert list_requests(server)[-1] == CANCEL
    assert list_requests(server)[:-1] == [CREATE, POLL, POLL]


async def test_a_call_whose_polls_keep_failing_cancels_its_prediction() -> None:
    scripts = [give_prediction("starting", 201), fail_with(500)]
    options: dict[str, Any] = {"runtime": FakeRuntime(), "timeout": 60, "max_retries": 0}
    async with serving(*scripts) as server, make_replicate(server.url, **options) as provider:
        fault = (await provider.chat_result(HI, model=MODEL)).failure()
    assert isinstance(fault, faults.ServerFailed)
    assert list_requests(server) == [CREATE, POLL, POLL, POLL, POLL, CANCEL]


async def test_cancelling_a_call_cancels_the_prediction() -> None:
    async with (
        serving(give_prediction("starting", 201), give_prediction("processing")) as server,
        make_replicate(server.url) as provider,
    ):
        task = asyncio.create_task(provider.chat(HI, model=MODEL))
        await wait_until(lambda: POLL in list_requests(server))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list_requests(server)[-1] == CANCEL
        assert server.received[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_a_rejected_creation_is_a_fault() -> None:
    async with serving(fail_with(402)) as server, make_replicate(server.url) as provider:
        fault = (await provider.chat_result(HI, model=MODEL)).failure()
    assert isinstance(fault, faults.QuotaExhausted)
    assert list_requests(server) == [CREATE]


async def test_stream_is_read_at_the_url_of_the_prediction() -> None:
    async with (
        serving(give_prediction("starting", 201, stream="streams/1"), stream_hello) as server,
        make_replicate(server.url) as provider,
    ):
        chunks, fault = await collect_stream(provider.stream_result(HI, model=MODEL))
    assert fault is None
    assert "".join(chunk.content for chunk in chunks) == "Hello"
    assert (chunks[-1].is_final, chunks[-1].stop_reason) == (True, "stop")
    assert list_requests(server) == [CREATE, STREAM]
    assert "prefer" not in server.received[0].headers
    assert server.received[1].headers["accept"] == "text/event-stream"


async def test_stream_at_another_origin_is_rejected_without_sending_the_key() -> None:
    async def give_url_elsewhere(talk: Talk, _: Received) -> None:
        await talk.answer(build_prediction("starting", urls={"stream": f"{other.url}/streams/1"}), 201)

    scripts = [give_url_elsewhere, give_prediction("succeeded", output=["Hel", "lo"])]
    runtime = FakeRuntime()
    async with (
        serving(stream_hello) as other,
        serving(*scripts) as server,
        make_replicate(server.url, runtime=runtime) as provider,
    ):
        chunks, fault = await collect_stream(provider.stream_result(HI, model=MODEL))
    assert fault is None
    assert "".join(chunk.content for chunk in chunks) == "Hello"
    assert (list_requests(server), list_requests(other)) == ([CREATE, POLL], [])


async def test_a_prediction_that_is_over_at_once_streams_as_one_piece() -> None:
    async with (
        serving(give_prediction("succeeded", 201, output="Hello")) as server,
        make_replicate(server.url) as provider,
    ):
        chunks, fault = await collect_stream(provider.stream_result(HI, model=MODEL))
    assert fault is None
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("Hello", False), ("", True)]


async def test_leaving_a_stream_closes_it_and_cancels_the_prediction() -> None:
    scripts = [give_prediction("starting", 201, stream="streams/1"), stop_after_one_event, give_prediction("canceled")]
    async with serving(*scripts) as server, make_replicate(server.url) as provider:
        async for chunk in provider.stream(HI, model=MODEL):
            assert chunk.content == "Hel"
            break
        await wait_until(lambda: CANCEL in list_requests(server))
    assert list_requests(server) == [CREATE, STREAM, CANCEL]


async def test_cancelling_a_stream_before_its_first_piece_cancels_the_prediction() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.wait_for_close(10)

    scripts = [give_prediction("starting", 201, stream="streams/1"), keep_silent, give_prediction("canceled")]
    async with serving(*scripts) as server, make_replicate(server.url) as provider:
        task = asyncio.create_task(collect_stream(provider.stream_result(HI, model=MODEL)))
        await wait_until(lambda: STREAM in list_requests(server))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until(lambda: CANCEL in list_requests(server))


async def test_a_stalled_stream_cancels_the_prediction() -> None:
    scripts = [give_prediction("starting", 201, stream="streams/1"), stop_after_one_event, give_prediction("canceled")]
    async with serving(*scripts) as server, make_replicate(server.url, timeout=0.3) as provider:
        _, fault = await collect_stream(provider.stream_result(HI, model=MODEL))
        await wait_until(lambda: CANCEL in list_requests(server))
    assert isinstance(fault, faults.TimedOut)
    assert fault.partial is not None
    assert fault.partial.content == "Hel"


async def test_prediction_is_not_cancelled_after_an_error_in_its_stream() -> None:
    async def send_error_event(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_chunk(encode_event("error", '{"detail": "out of memory"}').encode())
        await talk.end()

    scripts = [give_prediction("starting", 201, stream="streams/1"), send_error_event]
    async with serving(*scripts) as server, make_replicate(server.url, max_retries=0) as provider:
        _, fault = await collect_stream(provider.stream_result(HI, model=MODEL))
    assert isinstance(fault, faults.ServerFailed)
    assert list_requests(server) == [CREATE, STREAM]


async def test_cancel_request_without_response_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(10)

    monkeypatch.setattr("victor_fp.shell.engine.polling.CANCEL_TIMEOUT", 0.1)
    scripts: list[Callable[[Talk, Received], Awaitable[None]]] = [
        give_prediction("starting", 201, stream="streams/1"),
        stop_after_one_event,
        keep_silent,
    ]
    async with serving(*scripts) as server, make_replicate(server.url) as provider:
        async with asyncio.timeout(2), provider.stream(HI, model=MODEL) as stream:
            assert (await anext(stream)).content == "Hel"
        assert list_requests(server) == [CREATE, STREAM, CANCEL]
