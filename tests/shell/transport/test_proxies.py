"""Which proxy a request uses, and the exchange with it."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode

import pytest

from tests.acme import HI, build_acme
from tests.faults.canaries import render_frames
from tests.shell.transport.certificates import get_authority, make_server_context
from tests.shell.transport.conftest import MakeTransport
from tests.shell.transport.peers import (
    NAMES,
    answer,
    close_at_end,
    find_header,
    make_transport,
    send_request,
    serve_answers,
    serve_proxy,
    serve_raw,
    serve_socks,
)
from victor_fp.core.faults import ConnectionFailed, Fault, FaultBase, InvalidRequest
from victor_fp.shell.transport.proxies import Proxy, ProxySettings, parse_proxy, read_exceptions, read_settings

PASSWORD = "hunter2-proxy-secret"
USER = f"me:{PASSWORD}"
PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("", "https://vendor.test", False),
        ("*", "https://vendor.test", True),
        ("other.test, *", "https://vendor.test", True),
        ("vendor.test", "https://vendor.test/v1", True),
        ("VENDOR.test", "https://Vendor.Test/v1", True),
        ("vendor.test", "https://api.vendor.test", True),
        (".vendor.test", "https://api.vendor.test", True),
        ("*.vendor.test", "https://api.vendor.test", True),
        (".vendor.test", "https://vendor.test", True),
        ("vendor.test", "https://badvendor.test", False),
        ("vendor.test", "https://vendor.test.evil", False),
        ("vendor.test.", "https://vendor.test", True),
        ("vendor.test", "https://vendor.test.", True),
        ("other.test vendor.test", "https://vendor.test", True),
        ("vendor.test:443", "https://vendor.test", True),
        ("vendor.test:80", "http://vendor.test", True),
        ("vendor.test:8443", "https://vendor.test", False),
        ("vendor.test:8443", "https://vendor.test:8443", True),
        ("*:8443", "https://vendor.test:8443", True),
        ("*:8443", "https://vendor.test", False),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.1.2.3/8", "http://10.9.9.9", True),
        ("10.0.0.0/8:8080", "http://10.1.2.3:8080", True),
        ("10.0.0.0/8", "http://vendor10.test", False),
        ("127.0.0.1", "http://127.0.0.1:8080", True),
        ("127.0.0.1:81", "http://127.0.0.1:8080", False),
        ("::1", "http://[::1]:8080", True),
        ("[::1]", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:81", False),
        ("fd00::/8", "http://[fd12::1]", True),
        ("fd00::/8", "http://[fe80::1]", False),
        ("[fd00::]/8", "http://[fd12::1]", True),
        ("0:0:0:0:0:0:0:1", "http://[::1]", True),
        (".", "https://vendor.test", False),
        ("*.", "https://vendor.test", False),
        (",,  ,", "https://vendor.test", False),
        ("300.0.0.0/8, :80, /, vendor.test:port", "https://vendor.test", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, is_direct: bool) -> None:
    settings = ProxySettings(by_scheme={"all": PROXY}, exceptions=read_exceptions(no_proxy))
    assert settings.choose(url) == (None if is_direct else Proxy(PROXY))


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://vendor.test", None),
        ({"HTTPS_PROXY": PROXY}, "https://vendor.test", PROXY),
        ({"https_proxy": PROXY}, "https://vendor.test", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://vendor.test", None),
        ({"HTTP_PROXY": PROXY}, "http://vendor.test", PROXY),
        ({"HTTP_PROXY": PROXY}, "https://vendor.test", None),
        ({"ALL_PROXY": PROXY}, "https://vendor.test", PROXY),
        ({"ALL_PROXY": PROXY, "HTTPS_PROXY": "http://other.test:1"}, "https://vendor.test", "http://other.test:1"),
        ({"HTTPS_PROXY": "http://upper.test:1", "https_proxy": PROXY}, "https://vendor.test", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "vendor.test"}, "https://vendor.test", None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "192.168.0.0/16"}, "https://192.168.7.1", None),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "https://vendor.test", PROXY),
        ({"HTTPS_PROXY": ""}, "https://vendor.test", None),
    ],
)
def test_the_environments_proxies(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    expected = None if proxy is None else Proxy(proxy)
    assert read_settings(None, trust_env=True).choose(url) == expected
    assert read_settings(None, trust_env=False).choose(url) is None
    passed = Proxy("http://passed.test:1")
    assert read_settings(passed, trust_env=True).choose(url) == passed


@pytest.mark.parametrize(
    ("text", "url", "user", "password"),
    [
        ("http://proxy.test:3128", PROXY, None, None),
        ("proxy.test:3128", PROXY, None, None),
        ("me:pw@proxy.test:3128", PROXY, "me", "pw"),
        ("https://me@proxy.test", "https://proxy.test", "me", None),
        ("http://me:p%40ss%3Aw@proxy.test:3128/", PROXY, "me", "p@ss:w"),
        ("http://[::1]:3128", "http://[::1]:3128", None, None),
    ],
)
def test_a_proxys_url_is_read(text: str, url: str, user: str | None, password: str | None) -> None:
    proxy = parse_proxy(text)
    assert isinstance(proxy, Proxy)
    assert (proxy.url, proxy.user) == (url, user)
    assert (proxy.password.get_secret_value() if proxy.password else None) == password
    assert password is None or password not in repr(proxy)


UNUSABLE = [
    f"http://{USER}@127.0.0.1:99999",
    f"http://{USER}@[::1",
    f"http://{USER}@",
    f"http://{USER}",
    f"http://me:{PASSWORD}#@127.0.0.1:9",
    f"{PASSWORD}:pw:more@",
    f"socks4://{USER}@127.0.0.1:9",
    f"socks9://{USER}@127.0.0.1:9",
    f"://{USER}@127.0.0.1",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", UNUSABLE)
@pytest.mark.parametrize("source", ["argument", "environment"])
async def test_unusable_proxy_is_rejected_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, source: str
) -> None:
    passed = {"proxy": text} if source == "argument" else {}
    if source == "environment":
        monkeypatch.setenv("HTTP_PROXY", text)
    async with build_acme("http://vendor.test", transport=name, max_retries=0, **passed) as provider:
        fault = (await provider.chat_result(HI, model="m-1")).failure()
        shown = repr(fault) + repr(provider) + repr(provider.connection) + repr(vars(provider.connection.transport))
    assert isinstance(fault, InvalidRequest), fault
    assert "proxy" in fault.message
    assert PASSWORD not in shown


async def test_a_socks_proxy_is_refused_by_name() -> None:
    async with close_at_end(make_transport("aiohttp", proxy=f"socks5://{USER}@127.0.0.1:1080")) as transport:
        fault = await send_request(transport, "http://vendor.test")
    assert isinstance(fault, InvalidRequest), fault
    assert fault.message == (
        "proxy socks5://127.0.0.1:1080: scheme 'socks5' is not supported; supported: http, https. "
        "For SOCKS, install httpx[socks] and pass transport='httpx'"
    )


async def test_plain_httpx_supports_socks() -> None:
    pytest.importorskip("socksio")
    async with serve_answers(answer()) as peer, serve_socks(USER) as proxy:
        address = f"socks5://{USER}@127.0.0.1:{proxy.port}"
        async with close_at_end(make_transport("httpx", proxy=address)) as transport:
            answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered


async def test_plain_httpx_without_the_extra_for_socks_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    async with close_at_end(make_transport("httpx", proxy=f"socks5://{USER}@127.0.0.1:1080")) as transport:
        fault = await send_request(transport, "http://vendor.test")
    assert isinstance(fault, InvalidRequest), fault
    assert fault.message == "proxy socks5://127.0.0.1:1080: install httpx[socks] to use it"


async def test_a_proxy_of_another_type_is_refused(make: MakeTransport) -> None:
    fault = await send_request(make(proxy=3), "http://vendor.test")
    assert isinstance(fault, InvalidRequest)
    assert fault.message == "proxy=: expected a URL, got int"


@pytest.mark.parametrize("source", ["argument", "environment"])
@pytest.mark.parametrize("kind", ["plain", "tls"])
@pytest.mark.parametrize("target", ["plain", "tls"])
async def test_requests_use_a_proxy_with_credentials(
    make: MakeTransport, monkeypatch: pytest.MonkeyPatch, source: str, kind: str, target: str
) -> None:
    tls = make_server_context()
    async with (
        serve_answers(answer(), tls=tls if target == "tls" else None) as peer,
        serve_proxy(tls=tls if kind == "tls" else None, credentials=USER) as proxy,
    ):
        address = proxy.url.replace("://", f"://{USER}@")
        if source == "environment":
            monkeypatch.setenv("ALL_PROXY", address)
        passed = {"proxy": address} if source == "argument" else {}
        transport = make(verify=get_authority().file, **passed)
        for _ in range(2):
            answered = await send_request(transport, f"{peer.url}/v1")
            assert not isinstance(answered, FaultBase), answered
            assert answered.body == b"ok"
        assert proxy.connections == 1, "the connection through the proxy is kept"
        first = proxy.heads[0].splitlines()[0]
        assert first == (
            f"CONNECT 127.0.0.1:{peer.port} HTTP/1.1" if target == "tls" else f"POST {peer.url}/v1 HTTP/1.1"
        )
        if target == "tls":
            assert find_header(peer.heads[0], "proxy-authorization") is None, "the vendor does not see the credentials"


@pytest.mark.parametrize("credentials", ["", f"me:wrong-{PASSWORD}@"])
async def test_a_proxy_that_refuses_the_credentials_of_a_tunnel_is_a_fault(
    make: MakeTransport, credentials: str
) -> None:
    async with serve_proxy(credentials=USER) as proxy:
        transport = make(proxy=proxy.url.replace("://", f"://{credentials}"))
        fault = await send_request(transport, "https://vendor.test")
    assert isinstance(fault, ConnectionFailed), fault
    assert "407" in fault.message
    assert not fault.maybe_billed
    assert PASSWORD not in repr(fault)


async def test_a_proxy_that_refuses_the_connection_is_a_fault(name: str, make: MakeTransport) -> None:
    fault = await send_request(make(proxy=f"http://{USER}@127.0.0.1:9"), "https://vendor.test")
    assert isinstance(fault, ConnectionFailed), fault
    expected = {"aiohttp": "connection refused by the proxy", "httpx": "ConnectError: All connection attempts failed"}
    assert fault.message == expected[name]
    assert not fault.maybe_billed
    assert PASSWORD not in repr(fault)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_frames_of_a_cancelled_request_do_not_show_the_password(make: MakeTransport, scheme: str) -> None:
    asked = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with serve_raw(keep_silent) as proxy:
        transport = make(proxy=proxy.url.replace("://", f"://{USER}@"), verify=False)
        task = asyncio.ensure_future(send_request(transport, f"{scheme}://vendor.test"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    shown = render_frames(caught.value)
    assert "_transport.py:open" in shown, "no frame of the transport was seen, so nothing was tested"
    encoded = b64encode(USER.encode()).decode()
    assert PASSWORD not in shown
    assert encoded not in shown


async def test_the_environments_exceptions_are_respected(make: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    async with serve_answers(answer()) as peer:
        answered: object | Fault = await send_request(make(), peer.url)
    assert not isinstance(answered, FaultBase), answered
