"""Streams of lines over real HTTP: chunk boundaries, blank lines, errors, stalls and early ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests.acme import KEY, SPEC
from tests.loopback import Received, Script, Talk, serving
from tests.openai_shapes import build_error
from victor_fp.core import faults
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint, HttpRequest, build_headers
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.result import outcome
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.operation import Operation

Lines = list[bytes]


def compile_lines(
    codec: Codec, endpoint: Endpoint, spec: CallSpec, model: str, options: Any
) -> Result[PreparedExchange[Lines] | KnownResult[Lines], Fault]:
    def read(data: bytes) -> Result[Lines, Fault]:
        return Success([line for line in data.split(b"\n") if line.strip()])

    request = HttpRequest(method="GET", url=f"{endpoint.base_url}/lines", headers=build_headers(endpoint))
    return Success(
        PreparedExchange(request=request, codec=codec, context=ResponseContext(endpoint=endpoint), read_lines=read)
    )


KIND: Kind[Lines] = Kind(name="lines", compile=compile_lines, uses_breaker=False)


async def read_all(*scripts: Script, **keywords: Any) -> tuple[Lines, Fault | None]:
    """The lines that came, and the fault that ended them."""
    ProviderRegistry.register_spec(SPEC)
    found: Lines = []
    async with serving(*scripts) as server:
        settings = {"api_key": KEY, "base_url": f"{server.url}/v1", "max_retries": 0, "timeout": 5, **keywords}
        async with ProviderRegistry.create("acme", **settings) as provider:
            assert isinstance(provider, CatalogueProvider)
            operation = Operation(provider.engine_pool, KIND, CallSpec(stream=True))
            try:
                while True:
                    match outcome(await operation.read_batch()):
                        case Success(batch):
                            for items in batch.items:
                                found += items
                            if batch.is_last:
                                return found, None
                        case Failure(fault):
                            return found, fault
            finally:
                await operation.aclose()
                assert provider.in_flight.count == 0


async def send(pieces: Sequence[bytes], talk: Talk, _: Received) -> None:
    await talk.send_head(content_type="application/jsonl")
    for piece in pieces:
        await talk.send_chunk(piece)
    await talk.end()


@pytest.mark.parametrize(
    "pieces",
    [
        [b"a\nbb\nccc\n"],
        [b"a\nb", b"b\nccc"],
        [b"a", b"\n", b"\n\n", b"b", b"b", b"\ncc", b"c\n\n"],
        [bytes([sign]) for sign in b"a\nbb\n\nccc"],
    ],
)
async def test_lines_are_complete_for_any_chunking(pieces: list[bytes]) -> None:
    assert await read_all(partial(send, pieces)) == ([b"a", b"bb", b"ccc"], None)


async def test_empty_stream_is_not_a_fault() -> None:
    assert await read_all(partial(send, [])) == ([], None)
    assert await read_all(partial(send, [b"\n \n"])) == ([], None)


async def test_a_long_stream_and_a_long_line_arrive_whole() -> None:
    found, fault = await read_all(partial(send, [b"x" * 70_000 + b"\n"] * 30 + [b"y" * 3_000_000]))
    assert fault is None
    assert [len(line) for line in found] == [70_000] * 30 + [3_000_000]


async def test_an_error_is_classified_by_its_body() -> None:
    async def refuse_request(talk: Talk, _: Received) -> None:
        await talk.answer(build_error("no such file", None, "invalid_request_error"), 404)

    found, fault = await read_all(refuse_request)
    assert found == []
    assert fault is not None
    assert (fault.status, fault.message) == (404, "no such file")


async def test_a_truncated_stream_ends_with_a_fault_after_its_lines() -> None:
    async def break_stream(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="application/jsonl")
        await talk.send_chunk(b"a\nb\nhalf")
        await talk.reset()

    found, fault = await read_all(break_stream)
    assert found in ([b"a", b"b"], [])
    assert fault is not None
    assert not isinstance(fault, faults.InvalidRequest)


async def test_a_stall_is_bounded_by_the_timeout() -> None:
    async def stop_after_one_line(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="application/jsonl")
        await talk.send_chunk(b"a\n")
        await talk.wait_for_close(30)

    found, fault = await read_all(stop_after_one_line, timeout=0.3)
    assert found == [b"a"]
    assert isinstance(fault, faults.TimedOut)


async def test_redirects_are_not_followed() -> None:
    async def answer_redirect(talk: Talk, _: Received) -> None:
        await talk.answer(b"", 302, location="https://elsewhere.invalid/")

    _, fault = await read_all(answer_redirect)
    assert isinstance(fault, faults.InvalidResponse)


@pytest.mark.usefixtures("no_pauses")
async def test_a_failure_before_the_first_line_is_retried() -> None:
    async def fail_with_500(talk: Talk, _: Received) -> None:
        await talk.answer(build_error("boom"), 500)

    assert await read_all(fail_with_500, partial(send, [b"a\n"]), max_retries=2) == ([b"a"], None)
