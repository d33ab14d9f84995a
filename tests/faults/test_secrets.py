"""Keys are sent and appear nowhere else: not in logs, errors, frames, reprs, pickles or URLs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from returns.result import Failure

from tests.acme import HI, SPEC, build_acme
from tests.faults.calls import CLIENTS, open_client
from tests.faults.canaries import (
    ANSWERS,
    CANARIES,
    KEY,
    KINDS,
    MODEL,
    CapturedLogs,
    assert_clean,
    breaks,
    failed,
    refuses,
    refuses_in_a_200,
    reprs,
    resets,
    says_html,
    shown,
)
from tests.loopback import Loopback, Received, Talk, serving
from victor_fp.providers.base import ProviderError
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry


def assert_sent_but_not_in_addresses(server: Loopback) -> None:
    assert_clean("\n".join(received.path for received in server.received))
    sent = "".join(value for received in server.received for value in received.headers.values())
    assert any(secret in sent for secret in CANARIES), "nothing secret was sent, so nothing was tested"


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_key_is_shown_in_any_failure(kind: str, answer: Any, captured_logs: CapturedLogs) -> None:
    async with serving(answer) as server, KINDS[kind](server.url) as provider:
        assert_clean(await failed(provider))
        assert_clean(reprs(provider))
    assert_clean("\n".join(captured_logs.lines))
    assert_sent_but_not_in_addresses(server)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [says_html, refuses_in_a_200, resets], ids=lambda answer: answer.__name__)
async def test_no_client_logs_a_key(client: str, answer: Any, captured_logs: CapturedLogs) -> None:
    async with open_client(client) as own, serving(answer) as server:
        async with KINDS["bearer"](server.url, http_client=own) as provider:
            assert_clean(await failed(provider))
    logged = "\n".join(captured_logs.lines)
    assert_clean(logged)
    assert client == "aiohttp" or "httpcore" in logged, "nothing was heard, so nothing was tested"


@pytest.mark.parametrize("answer", [refuses, breaks, refuses_in_a_200], ids=lambda answer: answer.__name__)
async def test_a_managed_provider_shows_no_key(answer: Any, captured_logs: CapturedLogs) -> None:
    ProviderRegistry.register_spec(SPEC)
    async with serving(answer) as server:
        place = f"{server.url}/v1"
        config = ProviderConfig("acme", MODEL, api_key=KEY, base_url=place, extra_kwargs={"max_retries": 0})
        async with await ManagedProviderFactory.create(
            "acme", MODEL, api_key=KEY, base_url=place, fallback_configs=[config], max_retries=0
        ) as provider:
            told = await failed(provider)
            told += reprs(provider) + repr(config)
            told += repr(provider.get_metrics()) + repr(provider.get_resilience_stats())
            told += repr(provider.get_rate_limit_stats())
    assert_clean(told)
    assert_clean("\n".join(captured_logs.lines))


async def silent(talk: Talk, _: Received) -> None:
    await talk.wait_for_close()


async def falls_silent(talk: Talk, _: Received) -> None:
    await talk.send_head(content_type="text/event-stream")
    await talk.send_chunk(b": wait\n\n")
    await talk.wait_for_close()


@pytest.mark.parametrize("answer", [silent, falls_silent], ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", ["bearer", "x-api-key", "sigv4", "google-token"])
async def test_a_cancelled_call_has_no_key_in_its_frames(
    kind: str, client: str, answer: Any, captured_logs: CapturedLogs
) -> None:
    async with (
        open_client(client) as own,
        serving(answer) as server,
        KINDS[kind](server.url, http_client=own) as provider,
    ):

        async def streams() -> None:
            async for _ in provider.stream(HI, model=MODEL):
                pass

        for asking in (provider.chat(HI, model=MODEL), streams()):
            asked, task = len(server.received), asyncio.ensure_future(asking)
            while len(server.received) == asked:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            told = shown(caught.value)
            assert "attempt.py" in told, "no frame of ours was seen, so nothing was tested"
            assert_clean(told)
    assert_clean("\n".join(captured_logs.lines))
    assert_sent_but_not_in_addresses(server)


async def test_a_fault_without_a_request_shows_no_key() -> None:
    bad = KEY[:10] + " " + KEY[10:]
    async with build_acme("http://127.0.0.1:9", api_key=bad) as provider:
        match await provider.chat_result(HI, model=MODEL):
            case Failure(fault):
                assert bad not in shown(error_from(fault))
                assert KEY[10:] not in shown(error_from(fault))
            case other:
                raise AssertionError(other)


async def test_a_password_in_an_address_is_refused_and_not_shown(captured_logs: CapturedLogs) -> None:
    for address in (f"http://someone:{KEY}@127.0.0.1:9", f"http://{KEY}@127.0.0.1:9/v1", f"http://h/v1?key={KEY}"):
        with pytest.raises(ProviderError, match="base_url") as caught:
            build_acme(address, api_key="sk-another-0123456789")
        assert_clean(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
    assert_clean("\n".join(captured_logs.lines))
