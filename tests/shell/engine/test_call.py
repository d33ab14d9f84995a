"""Calls over real HTTP on loopback: answers, retries, the breaker, deadlines and transport errors."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from returns.result import Failure

from tests import openai_shapes as shapes
from tests.acme import HI, KEY, build_acme
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from victor_fp.core import faults
from victor_fp.core.result import outcome
from victor_fp.providers.base import ProviderError


async def answer_request(talk: Talk, _: Received) -> None:
    await talk.answer(shapes.build_body())


async def fail_with_500(talk: Talk, _: Received) -> None:
    await talk.answer(shapes.build_error("boom"), 500)


async def limit_rate(talk: Talk, _: Received) -> None:
    await talk.answer(shapes.build_error("slow down", "rate_limit_exceeded"), 429, retry_after="7")


async def test_a_call_sends_the_request_and_returns_the_response() -> None:
    async with serving(answer_request) as server, build_acme(server.url) as provider:
        response = await provider.chat(HI, model="m-1")
    assert (response.content, response.stop_reason) == ("Hello!", "stop")
    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.json()["messages"] == [{"role": "user", "content": "Hi"}]


async def test_server_error_is_retried_and_reported_in_metadata() -> None:
    runtime = FakeRuntime()
    async with serving(fail_with_500, answer_request) as server, build_acme(server.url, runtime=runtime) as provider:
        response = await provider.chat(HI, model="m-1")
    assert response.metadata is not None
    assert [(a["outcome"], a["status"]) for a in response.metadata["attempts"]] == [("ServerFailed", 500), ("ok", 200)]
    assert len(runtime.slept) == 1


async def test_retry_after_is_honoured() -> None:
    runtime = FakeRuntime()
    async with serving(limit_rate, answer_request) as server, build_acme(server.url, runtime=runtime) as provider:
        await provider.chat(HI, model="m-1")
    assert runtime.slept == [7.0]


async def test_a_retry_after_past_the_deadline_is_not_slept_for() -> None:
    runtime = FakeRuntime()
    async with serving(limit_rate) as server, build_acme(server.url, runtime=runtime) as provider:
        result = await provider.chat_result(HI, model="m-1", deadline=3.0)
    match outcome(result):
        case Failure(faults.RateLimited(retry_after=wait)):
            assert wait == 7.0
        case other:
            raise AssertionError(other)
    assert (runtime.slept, len(server.received)) == ([], 1)


async def test_a_deadline_is_reported_as_it_was_given() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(10)

    async with serving(keep_silent) as server, build_acme(server.url) as provider:
        fault = (await provider.chat_result(HI, model="m-1", deadline=0.3)).failure()
    assert isinstance(fault, faults.DeadlineExceeded)
    assert fault.seconds == 0.3
    assert fault.message.startswith("the deadline of 0.3 s passed; last: TimedOut")


async def test_one_budget_of_attempts() -> None:
    runtime = FakeRuntime()
    async with serving(fail_with_500) as server, build_acme(server.url, runtime=runtime, max_retries=2) as provider:
        with pytest.raises(ProviderError) as caught:
            await provider.chat(HI, model="m-1")
    assert len(server.received) == 3
    assert isinstance(caught.value.fault, faults.ServerFailed)
    assert len(caught.value.fault.attempts) == 3


async def test_client_errors_are_neither_retried_nor_open_the_breaker() -> None:
    async def refuse_request(talk: Talk, _: Received) -> None:
        await talk.answer(shapes.build_error("no such thing", None, "invalid_request_error"), 400)

    async with serving(refuse_request) as server, build_acme(server.url) as provider:
        for _ in range(8):
            assert isinstance((await provider.chat_result(HI, model="m-1")).failure(), faults.InvalidRequest)
        assert not provider.is_circuit_open()
    assert len(server.received) == 8


async def test_the_breaker_opens_fails_fast_and_recovers() -> None:
    runtime = FakeRuntime()
    async with serving(*[fail_with_500] * 5, answer_request) as server:
        async with build_acme(server.url, runtime=runtime, max_retries=0) as provider:
            for _ in range(5):
                await provider.chat_result(HI, model="m-1")
            assert provider.is_circuit_open()
            refused = await provider.chat_result(HI, model="m-1")
            assert isinstance(refused.failure(), faults.CircuitOpen)
            assert refused.failure().retry_after == pytest.approx(30.0)
            assert len(server.received) == 5
            runtime.time += 31
            await provider.chat(HI, model="m-1")
            await provider.chat(HI, model="m-1")
            stats = provider.get_circuit_breaker_stats()
    assert stats is not None
    assert (stats["state"], stats["total_calls"], stats["total_failures"], stats["total_rejected"]) == (
        "closed",
        7,
        5,
        1,
    )


async def test_two_providers_of_one_vendor_have_breakers_of_their_own() -> None:
    async with serving(fail_with_500) as server:
        async with build_acme(server.url, max_retries=0) as one, build_acme(server.url, api_key="other") as other:
            for _ in range(5):
                await one.chat_result(HI, model="m-1")
            assert (one.is_circuit_open(), other.is_circuit_open()) == (True, False)


async def test_a_cancelled_call_returns_its_probe() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(30)

    runtime = FakeRuntime()
    async with serving(*[fail_with_500] * 5, keep_silent, keep_silent, keep_silent, answer_request) as server:
        async with build_acme(server.url, runtime=runtime, max_retries=0) as provider:
            for _ in range(5):
                await provider.chat_result(HI, model="m-1")
            runtime.time += 31
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(provider.chat(HI, model="m-1"), 0.1)
            assert (await provider.chat(HI, model="m-1")).content == "Hello!"


@pytest.mark.parametrize("plain", [False, True], ids=["aiohttp", "httpx"])
class TestFaultsOfTheWire:
    """The same under httpx over aiohttp and under plain httpx."""

    async def get_fault(self, plain: bool, script: object, **options: object) -> faults.Fault:
        client = httpx.AsyncClient() if plain else None
        try:
            async with serving(script) as server:  # type: ignore[arg-type]  # scripts of any shape
                async with build_acme(server.url, max_retries=0, http_client=client, **options) as provider:
                    result = await provider.chat_result(HI, model="m-1")
        finally:
            if client is not None:
                await client.aclose()
        return result.failure()

    async def test_connection_refused(self, plain: bool) -> None:
        client = httpx.AsyncClient() if plain else None
        async with serving(answer_request) as server:
            pass
        async with build_acme(server.url, max_retries=0, http_client=client) as provider:
            fault = (await provider.chat_result(HI, model="m-1")).failure()
        assert isinstance(fault, faults.ConnectionFailed)
        assert (fault.phase, fault.maybe_billed) == ("connect", False)
        if client is not None:
            await client.aclose()

    async def test_reset_before_the_headers(self, plain: bool) -> None:
        async def reset_connection(talk: Talk, _: Received) -> None:
            await talk.reset()

        fault = await self.get_fault(plain, reset_connection)
        assert isinstance(fault, faults.ConnectionFailed)
        assert fault.maybe_billed

    async def test_reset_in_the_body(self, plain: bool) -> None:
        async def reset_in_body(talk: Talk, _: Received) -> None:
            await talk.send_head(content_length="500")
            await talk.send_bytes(b'{"choices": [')
            await talk.reset()

        assert isinstance(await self.get_fault(plain, reset_in_body), faults.StreamInterrupted)

    async def test_closed_in_the_body(self, plain: bool) -> None:
        async def close_in_body(talk: Talk, _: Received) -> None:
            await talk.send_head()
            await talk.send_chunk(b'{"choices": [')
            raise ConnectionError

        assert isinstance(await self.get_fault(plain, close_in_body), faults.StreamInterrupted)

    async def test_a_bad_status_line(self, plain: bool) -> None:
        async def send_bad_status_line(talk: Talk, _: Received) -> None:
            await talk.send_bytes(b"SSH-2.0-OpenSSH_9\r\n\r\n")
            raise ConnectionError

        fault = await self.get_fault(plain, send_bad_status_line)
        assert isinstance(fault, faults.InvalidResponse)
        assert fault.provider == "acme"

    async def test_no_data_before_the_headers(self, plain: bool) -> None:
        async def keep_silent(talk: Talk, _: Received) -> None:
            await talk.wait_for_close(10)

        fault = await self.get_fault(plain, keep_silent, timeout=0.2)
        assert isinstance(fault, faults.TimedOut)
        assert (fault.phase, fault.seconds) == ("read", 0.2)

    async def test_slow_body_is_bounded_by_the_timeout(self, plain: bool) -> None:
        async def send_body_slowly(talk: Talk, _: Received) -> None:
            await talk.send_head()
            for _piece in range(100):
                await talk.send_chunk(b" ")
                await asyncio.sleep(0.05)

        fault = await self.get_fault(plain, send_body_slowly, timeout=0.3)
        assert isinstance(fault, faults.TimedOut)

    async def test_html_where_json_was_expected(self, plain: bool) -> None:
        async def answer_html(talk: Talk, _: Received) -> None:
            await talk.answer("<html>Bad gateway</html>", content_type="text/html")

        assert isinstance(await self.get_fault(plain, answer_html), faults.InvalidResponse)

    async def test_an_html_error_page_counts_by_its_status(self, plain: bool) -> None:
        async def answer_html(talk: Talk, _: Received) -> None:
            await talk.answer("<html>Bad gateway</html>", 502, content_type="text/html")

        fault = await self.get_fault(plain, answer_html)
        assert isinstance(fault, faults.ServerFailed)
        assert fault.status == 502

    async def test_a_redirect_is_not_followed_with_the_key(self, plain: bool) -> None:
        async def answer_redirect(talk: Talk, _: Received) -> None:
            await talk.answer("", 307, location="http://elsewhere.test/")

        fault = await self.get_fault(plain, answer_redirect)
        assert isinstance(fault, faults.InvalidResponse)
        assert fault.status == 307

    async def test_a_malformed_content_encoding(self, plain: bool) -> None:
        async def answer_malformed_encoding(talk: Talk, _: Received) -> None:
            await talk.answer("not gzip", content_encoding="gzip")

        assert isinstance(await self.get_fault(plain, answer_malformed_encoding), faults.InvalidResponse)


def test_one_provider_serves_one_event_loop_after_another() -> None:
    provider = None

    async def ask() -> str:
        nonlocal provider
        async with serving(answer_request) as server:
            if provider is None:
                provider = build_acme(server.url)
            provider.connection.endpoint = build_acme(server.url).connection.endpoint
            provider.connection.codec = None
            return (await provider.chat(HI, model="m-1")).content

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["Hello!", "Hello!"]


async def test_no_key_and_none_needed_sends_no_authorization() -> None:
    from tests.acme import SPEC
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.providers.classes import make_provider_class

    spec = ProviderSpec(name="house", title="House", dialect=SPEC.dialect, base_url="http://x.test", key_optional=True)
    async with serving(answer_request) as server:
        async with make_provider_class(spec)(base_url=server.url + "/v1") as provider:
            await provider.chat(HI, model="m-1")
    assert "authorization" not in server.received[0].headers
