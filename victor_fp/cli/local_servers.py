"""Detection of local servers: one bounded probe of the catalogue's loopback ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Success

from victor_fp.core.catalogue.spec import ModelInfo, ProviderSpec
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.result import outcome

PROBE_TIMEOUT = 0.3
"""Timeout in seconds of all probes together."""
MAX_BODY = 1_000_000
"""Maximum bytes of a model list."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  connected to, not bound


class RunningServer(msgspec.Struct, frozen=True, kw_only=True):
    """A local server that responded, and its models."""

    spec: ProviderSpec
    base_url: str
    models: tuple[ModelInfo, ...]


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    spec: ProviderSpec
    base_url: str
    host: str
    port: int
    discovery: Discovery


async def find_running_server(
    specs: Iterable[ProviderSpec], environment: Mapping[str, str], timeout: float = PROBE_TIMEOUT
) -> RunningServer | None:
    """Return the first of `specs` whose server on this machine lists a model within `timeout` seconds."""
    candidates = [found for spec in specs if (found := _to_candidate(spec, environment))]
    tasks = [asyncio.create_task(_list_models(candidate)) for candidate in candidates]
    if not tasks:
        return None
    done, late = await asyncio.wait(tasks, timeout=timeout)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for candidate, task in zip(candidates, tasks, strict=True):
        if task in done and (models := task.result()):
            return RunningServer(spec=candidate.spec, base_url=candidate.base_url, models=models)
    return None


def _to_candidate(spec: ProviderSpec, environment: Mapping[str, str]) -> _Candidate | None:
    """Return the probe of an entry; None unless its URL is a loopback address, since others need a DNS query."""
    if not spec.local:
        return None
    match outcome(build_endpoint(spec, environment=environment)):
        case Failure(_):
            return None
        case Success(endpoint):
            address = urlsplit(endpoint.base_url)
    if address.hostname not in _LOOPBACK or address.scheme != "http":
        return None
    discovery = codec_for(endpoint).discovery
    if discovery is None:
        return None
    return _Candidate(
        spec=spec, base_url=endpoint.base_url, host=address.hostname, port=address.port or 80, discovery=discovery
    )


async def _list_models(candidate: _Candidate) -> tuple[ModelInfo, ...]:
    request = candidate.discovery.list_request()
    address = urlsplit(request.url)
    path = address.path + (f"?{address.query}" if address.query else "")
    body = await _fetch(candidate.host, candidate.port, path)
    return candidate.discovery.read_list(body) if body else ()


async def _fetch(host: str, port: int, path: str) -> bytes:
    """Return the body of a 200 response to an HTTP/1.0 GET, else empty bytes. Importing an HTTP client is too slow."""
    try:
        reader, writer = await asyncio.open_connection(host, port, limit=MAX_BODY)
    except OSError:
        return b""
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/json\r\n\r\n".encode())
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        status, _, fields = head.decode("latin-1").partition("\r\n")
        if status.split(" ")[1:2] != ["200"]:
            return b""
        headers = dict(line.lower().split(":", 1) for line in fields.splitlines() if ":" in line)
        length = headers.get("content-length", "").strip()
        return await reader.readexactly(int(length)) if length.isdigit() else await reader.read(MAX_BODY)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
