"""Keys are sent and appear nowhere else: not in logs, errors, frames, reprs, pickles or URLs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from returns.result import Failure, Result, Success

from tests.acme import HI, SPEC, build_acme
from tests.faults.calls import CLIENTS, open_client
from tests.faults.canaries import (
    ANSWERS,
    CANARIES,
    KEY,
    KINDS,
    MODEL,
    CapturedLogs,
    answer_401,
    answer_500,
    answer_html,
    check_clean,
    collect_failures,
    refuse_in_200,
    render_error,
    render_provider,
    reset_connection,
)
from tests.loopback import Loopback, Received, Talk, serving
from victor_fp.core.catalogue.spec import Auth
from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest
from victor_fp.providers.base import ProviderError
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry


def check_sent_but_not_in_addresses(server: Loopback) -> None:
    check_clean("\n".join(received.path for received in server.received))
    sent = "".join(value for received in server.received for value in received.headers.values())
    assert any(secret in sent for secret in CANARIES), "nothing secret was sent, so nothing was tested"


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_key_is_shown_in_any_failure(kind: str, answer: Any, captured_logs: CapturedLogs) -> None:
    async with serving(answer) as server, KINDS[kind](server.url) as provider:
        check_clean(await collect_failures(provider))
        check_clean(render_provider(provider))
    check_clean("\n".join(captured_logs.lines))
    check_sent_but_not_in_addresses(server)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [answer_html, refuse_in_200, reset_connection], ids=lambda answer: answer.__name__)
async def test_no_client_logs_a_key(client: str, answer: Any, captured_logs: CapturedLogs) -> None:
    async with open_client(client) as own, serving(answer) as server:
        async with KINDS["bearer"](server.url, http_client=own) as provider:
            check_clean(await collect_failures(provider))
    logged = "\n".join(captured_logs.lines)
    check_clean(logged)
    assert client == "aiohttp" or "httpcore" in logged, "nothing was logged, so nothing was tested"


@pytest.mark.parametrize("answer", [answer_401, answer_500, refuse_in_200], ids=lambda answer: answer.__name__)
async def test_a_managed_provider_shows_no_key(answer: Any, captured_logs: CapturedLogs) -> None:
    ProviderRegistry.register_spec(SPEC)
    async with serving(answer) as server:
        place = f"{server.url}/v1"
        config = ProviderConfig("acme", MODEL, api_key=KEY, base_url=place, extra_kwargs={"max_retries": 0})
        async with await ManagedProviderFactory.create(
            "acme", MODEL, api_key=KEY, base_url=place, fallback_configs=[config], max_retries=0
        ) as provider:
            reported = await collect_failures(provider)
            reported += render_provider(provider) + repr(config)
            reported += repr(provider.get_metrics()) + repr(provider.get_resilience_stats())
            reported += repr(provider.get_rate_limit_stats())
    check_clean(reported)
    check_clean("\n".join(captured_logs.lines))


async def keep_silent(talk: Talk, _: Received) -> None:
    await talk.wait_for_close()


async def fall_silent(talk: Talk, _: Received) -> None:
    await talk.send_head(content_type="text/event-stream")
    await talk.send_chunk(b": wait\n\n")
    await talk.wait_for_close()


@pytest.mark.parametrize("answer", [keep_silent, fall_silent], ids=lambda answer: answer.__name__)
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

        async def read_stream() -> None:
            async for _ in provider.stream(HI, model=MODEL):
                pass

        for call in (provider.chat(HI, model=MODEL), read_stream()):
            asked, task = len(server.received), asyncio.ensure_future(call)
            while len(server.received) == asked:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            reported = render_error(caught.value)
            assert "attempt.py" in reported, "no frame of ours was seen, so nothing was tested"
            check_clean(reported)
    check_clean("\n".join(captured_logs.lines))
    check_sent_but_not_in_addresses(server)


async def test_a_fault_without_a_request_shows_no_key() -> None:
    bad = KEY[:10] + " " + KEY[10:]
    async with build_acme("http://127.0.0.1:9", api_key=bad) as provider:
        match await provider.chat_result(HI, model=MODEL):
            case Failure(fault):
                assert bad not in render_error(error_from(fault))
                assert KEY[10:] not in render_error(error_from(fault))
            case other:
                raise AssertionError(other)


async def test_a_password_in_an_address_is_refused_and_not_shown(captured_logs: CapturedLogs) -> None:
    for address in (f"http://someone:{KEY}@127.0.0.1:9", f"http://{KEY}@127.0.0.1:9/v1", f"http://h/v1?key={KEY}"):
        with pytest.raises(ProviderError, match="base_url") as caught:
            build_acme(address, api_key="sk-another-0123456789")
        check_clean(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
    check_clean("\n".join(captured_logs.lines))


@pytest.mark.parametrize("header", ["x-proof", "x-second-proof", "x-acme-token", "Authorization"])
async def test_what_a_signer_adds_is_removed_from_a_fault(header: str) -> None:
    async def sign(request: HttpRequest) -> Result[HttpRequest, Fault]:
        return Success(replace(request, headers={**request.headers, header: "Signed canary-proof-0123"}))

    async def repeat(talk: Talk, received: Received) -> None:
        await talk.answer({"error": {"message": f"wrong: {received.headers[header.lower()].split()[-1]}"}}, 401)

    class Signing(CatalogueProvider):
        SPEC = replace(SPEC, auth=Auth(kind="sigv4", header="x-proof", second_header="x-second-proof"))

    async with serving(repeat) as server, Signing(base_url=f"{server.url}/v1", sign=sign) as provider:
        fault = (await provider.chat_result(HI, model="m-1")).failure()
    assert fault.status == 401
    assert "canary-proof" not in repr(fault)
