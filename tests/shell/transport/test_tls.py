"""Which servers are trusted, and how the transports present a client certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shell.transport.certificates import Authority, get_authority, make_server_context
from tests.shell.transport.conftest import MakeTransport
from tests.shell.transport.peers import answer, send_request, serve_answers
from victor_fp.core.faults import ConnectionFailed, FaultBase, InvalidRequest


def make_trusting_context(*, shows_certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=get_authority().file)
    if shows_certificate:
        context.load_cert_chain(*get_authority().make_certificate("client"))
    return context


TRUSTING: dict[str, Callable[[], Any]] = {
    "file": lambda: str(get_authority().file),
    "path": lambda: get_authority().file,
    "folder": lambda: str(get_authority().folder),
    "context": make_trusting_context,
    "nothing": lambda: False,
}


@pytest.mark.parametrize("trust", TRUSTING)
async def test_verify_selects_trusted_servers(make: MakeTransport, trust: str) -> None:
    async with serve_answers(answer(), tls=make_server_context()) as peer:
        answered = await send_request(make(verify=TRUSTING[trust]()), peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert answered.body == b"ok"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_environment_selects_trusted_servers(
    make: MakeTransport, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    own = get_authority()
    monkeypatch.setenv(variable, str(own.file if variable == "SSL_CERT_FILE" else own.folder))
    async with serve_answers(answer(), tls=make_server_context()) as peer:
        trusted = await send_request(make(), peer.url)
        ignored = await send_request(make(trust_env=False), peer.url)
    assert not isinstance(trusted, FaultBase), trusted
    assert isinstance(ignored, ConnectionFailed)


async def test_both_variables_are_used(make: MakeTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority("another authority").file))
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{get_authority().folder}")
    async with serve_answers(answer(), tls=make_server_context()) as peer:
        answered = await send_request(make(), peer.url)
    assert not isinstance(answered, FaultBase), answered


@pytest.mark.parametrize(
    "verify", [True, str(Authority("stranger").file), ssl.create_default_context()], ids=["default", "file", "context"]
)
async def test_a_server_that_is_not_trusted_is_refused(make: MakeTransport, verify: Any) -> None:
    async with serve_answers(answer(), tls=make_server_context()) as peer:
        fault = await send_request(make(verify=verify), peer.url)
    assert isinstance(fault, ConnectionFailed), fault
    assert "certificate" in fault.message.lower()
    assert not fault.maybe_billed
    assert peer.heads == []


async def test_a_certificate_for_another_host_is_refused(make: MakeTransport) -> None:
    async with serve_answers(answer(), tls=make_server_context(host="vendor.test")) as peer:
        fault = await send_request(make(verify=get_authority().file), peer.url)
    assert isinstance(fault, ConnectionFailed), fault
    assert peer.heads == []


async def test_a_client_certificate_is_presented(make: MakeTransport) -> None:
    async with serve_answers(answer(), tls=make_server_context(asks_client=True)) as peer:
        shown = await send_request(make(verify=make_trusting_context(shows_certificate=True)), peer.url)
        missing = await send_request(make(verify=make_trusting_context()), peer.url)
    assert not isinstance(shown, FaultBase), shown
    assert isinstance(missing, ConnectionFailed), missing


@pytest.mark.parametrize("kind", ["missing", "folder", "garbage"])
async def test_an_unreadable_bundle_is_named(make: MakeTransport, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bundle.pem"
    if kind == "garbage":
        path.write_text("no certificates here")
    fault = await send_request(make(verify=str(path)), "https://127.0.0.1:9")
    assert isinstance(fault, InvalidRequest), fault
    assert fault.message.startswith("verify=: CA certificates cannot be loaded from")
    assert str(path) in fault.message


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_a_missing_bundle_of_the_environment_is_named(
    make: MakeTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    fault = await send_request(make(), "https://127.0.0.1:9")
    assert isinstance(fault, InvalidRequest), fault
    assert fault.message.startswith(f"{variable}: ")


async def test_verify_of_another_type_is_refused(make: MakeTransport) -> None:
    fault = await send_request(make(verify=3), "https://127.0.0.1:9")
    assert isinstance(fault, InvalidRequest), fault
    assert "verify=: expected a bool, a path or an ssl.SSLContext, got int" in fault.message


async def test_plain_http_needs_no_certificates(make: MakeTransport, tmp_path: Path) -> None:
    async with serve_answers(answer()) as peer:
        answered = await send_request(make(verify=str(tmp_path)), peer.url)
    assert not isinstance(answered, FaultBase), answered


async def test_plain_http_to_a_tls_server_is_a_fault(make: MakeTransport) -> None:
    async with serve_answers(answer(), tls=make_server_context()) as peer:
        fault = await send_request(make(), peer.url.replace("https", "http"))
    assert isinstance(fault, ConnectionFailed), fault


async def test_tls_to_a_plain_server_is_a_fault(make: MakeTransport) -> None:
    async with serve_answers(b"what?\r\n\r\n") as peer:
        fault = await send_request(make(verify=False), peer.url.replace("http", "https"), timeout=0.5)
    assert isinstance(fault, FaultBase)
    assert not fault.maybe_billed, fault
