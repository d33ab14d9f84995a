"""Which local server answers right now: one bounded look at the loopback ports of the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.protocols import Discovery, ModelInfo, codec_for
from victor_fp.core.request_building.endpoints import build_endpoint
from victor_fp.core.result import outcome

BUDGET = 0.3
"""Seconds for all servers together."""
LARGEST = 1_000_000
"""Bytes of a list of models."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  an address to ask, none to bind


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A local server that answered, and what it serves."""

    spec: ProviderSpec
    base_url: str
    models: tuple[ModelInfo, ...]


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    spec: ProviderSpec
    base_url: str
    host: str
    port: int
    discovery: Discovery


async def running_server(
    specs: Iterable[ProviderSpec], environment: Mapping[str, str], budget: float = BUDGET
) -> Running | None:
    """The first of `specs` whose server on this machine lists at least one model within `budget` seconds."""
    candidates = [found for spec in specs if (found := _candidate(spec, environment))]
    asking = [asyncio.create_task(_models(candidate)) for candidate in candidates]
    if not asking:
        return None
    done, late = await asyncio.wait(asking, timeout=budget)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for candidate, task in zip(candidates, asking, strict=True):
        if task in done and (models := task.result()):
            return Running(spec=candidate.spec, base_url=candidate.base_url, models=models)
    return None


def _candidate(spec: ProviderSpec, environment: Mapping[str, str]) -> _Candidate | None:
    """A place on this machine; anything else would need a name server, which may take its time."""
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


async def _models(candidate: _Candidate) -> tuple[ModelInfo, ...]:
    request = candidate.discovery.list_request()
    address = urlsplit(request.url)
    path = address.path + (f"?{address.query}" if address.query else "")
    body = await _fetched(candidate.host, candidate.port, path)
    return candidate.discovery.read_list(body) if body else ()


async def _fetched(host: str, port: int, path: str) -> bytes:
    """The body of a 200 answer to a bare HTTP/1.0 GET; empty otherwise. The HTTP client proper takes longer to load than all
    of this may take."""
    try:
        reader, writer = await asyncio.open_connection(host, port, limit=LARGEST)
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
        return await reader.readexactly(int(length)) if length.isdigit() else await reader.read(LARGEST)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
