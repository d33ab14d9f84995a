from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.shell.transport.local.fake_llama import FakeLlama
from tests.shell.transport.local.test_gguf import ARCHITECTURE, encode_head, encode_number
from victor_fp.core.faults import (
    ConnectionFailed,
    Fault,
    InvalidRequest,
    InvalidResponse,
    ModelNotFound,
    StreamInterrupted,
    TimedOut,
)
from victor_fp.core.requests import HttpRequest
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.http import LazyTransport
from victor_fp.shell.transport.local.transport import LocalTransport, choose_threads, count_processors
from victor_fp.shell.transport.protocol import Transport, TransportResponse


def request(model: object, prompt: str = "hi", **more: Any) -> HttpRequest:
    body = json.dumps({"model": str(model), "messages": [{"role": "user", "content": prompt}], **more})
    return HttpRequest(
        url="http://local.invalid/v1/chat/completions?x=1",
        headers={"content-type": "application/json"},
        body=body.encode(),
    )


def require_response(reply: TransportResponse | Fault) -> TransportResponse:
    assert not isinstance(reply, msgspec.Struct), reply
    return reply


async def read_response(transport: Transport, asked: HttpRequest) -> tuple[int, bytes]:
    reply = require_response(await transport.open(asked, None, 5))
    try:
        body = await reply.read(1_000_000)
        assert isinstance(body, bytes)
        return reply.status, body
    finally:
        await reply.aclose()


async def test_nothing_is_loaded_before_the_first_request(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    assert llama.started == []
    assert await read_response(transport, request(gguf)) == (200, b'{"path": "/v1/chat/completions?x=1"}')
    assert await read_response(transport, request(gguf)) == (200, b'{"path": "/v1/chat/completions?x=1"}')
    assert len(llama.started) == 1
    await transport.aclose()
    assert llama.stopped == llama.started


async def test_the_request_is_sent_unmodified_with_the_key_of_the_engine(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={}, context=999, threads=1)
    await read_response(transport, request(gguf))
    [engine] = llama.started
    [(path, headers, body)] = engine.seen
    assert body == request(gguf).body
    assert path == "/v1/chat/completions?x=1"
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    [key] = engine.parameters.api_keys
    assert headers["authorization"] == f"Bearer {key}"
    assert len(key) > 40
    assert (engine.parameters.n_ctx, engine.parameters.cpuparams.n_threads) == (999, 1)
    assert engine.parameters.verbosity == -1
    assert engine.parameters.model.path == str(gguf)
    assert engine.parameters.model_alias == {"some"}
    await transport.aclose()


async def test_two_transports_on_one_model_share_an_engine_and_the_last_one_stops_it(
    llama: FakeLlama, gguf: Path
) -> None:
    one, two = LocalTransport(environment={}), LocalTransport(environment={})
    await asyncio.gather(
        read_response(one, request(gguf)), read_response(two, request(gguf)), read_response(one, request(gguf))
    )
    assert len(llama.started) == 1
    await one.aclose()
    await one.aclose()
    assert llama.stopped == []
    assert (await read_response(two, request(gguf)))[0] == 200
    await two.aclose()
    assert llama.stopped == llama.started


async def test_each_model_has_an_engine_of_its_own(llama: FakeLlama, gguf: Path) -> None:
    other = gguf.with_name("other.gguf")
    other.write_bytes(gguf.read_bytes())
    transport = LocalTransport(environment={})
    await read_response(transport, request(gguf))
    await read_response(transport, request(other))
    assert [engine.parameters.model.path for engine in llama.started] == [str(gguf), str(other)]
    await transport.aclose()


async def test_a_model_path_serves_requests_for_any_name_that_is_not_a_path(llama: FakeLlama, gguf: Path) -> None:
    for transport in (
        LocalTransport(model_path=str(gguf), environment={}),
        LocalTransport(environment={"VICTOR_FP_LOCAL_MODEL": str(gguf)}),
    ):
        assert (await read_response(transport, request("default")))[0] == 200
        await transport.aclose()


async def test_a_request_without_a_body_is_for_the_loaded_model(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(model_path=str(gguf), environment={})
    asked = HttpRequest(method="GET", url="http://local.invalid/v1/models")
    assert await read_response(transport, asked) == (200, b'{"data": []}')
    assert len(llama.started) == 1
    await transport.aclose()


async def test_a_transport_works_again_after_it_was_closed(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    for _ in range(2):
        assert (await read_response(transport, request(gguf)))[0] == 200
        await transport.aclose()
    assert len(llama.started) == 2


def test_one_transport_serves_one_event_loop_after_another(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    for _ in range(2):
        assert asyncio.run(read_response(transport, request(gguf)))[0] == 200
    assert len(llama.started) == 1
    asyncio.run(transport.aclose())


async def test_an_error_keeps_its_status_and_body(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    status, body = await read_response(transport, request(gguf, "wrong"))
    assert status == 400
    assert b"invalid_request_error" in body
    await transport.aclose()


async def test_leaving_a_stream_early_stops_the_generation(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    reply = require_response(await transport.open(request(gguf, "endless"), None, 5))
    assert isinstance(first := await reply.receive(), bytes)
    assert first.startswith(b"data: 0")
    await reply.aclose()
    [engine] = llama.started
    assert await asyncio.to_thread(engine.hung_up.wait, 5)
    await transport.aclose()


async def test_cancelling_a_call_closes_its_connection(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    await read_response(transport, request(gguf))
    call = asyncio.create_task(transport.open(request(gguf, "mute"), None, 5))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    [engine] = transport._engines.values()
    assert engine._sockets == set()
    await transport.aclose()


async def test_closing_the_transport_breaks_off_a_stream(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    reply = require_response(await transport.open(request(gguf, "endless"), None, 5))
    await reply.receive()
    await transport.aclose()
    while isinstance(last := await reply.receive(), bytes):
        pass
    assert isinstance(last, StreamInterrupted)
    await reply.aclose()


async def test_a_response_shorter_than_its_length_is_a_fault(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    reply = require_response(await transport.open(request(gguf, "half"), None, 5))
    assert isinstance(await reply.read(1000), StreamInterrupted)
    await reply.aclose()
    await transport.aclose()


async def test_a_body_larger_than_the_limit_is_a_fault(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    reply = require_response(await transport.open(request(gguf), None, 5))
    assert isinstance(await reply.read(3), InvalidResponse)
    await reply.aclose()
    await transport.aclose()


async def test_a_stall_times_out(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    match await transport.open(request(gguf, "mute"), None, 0.2):
        case TimedOut(seconds=0.2):
            pass
        case other:
            pytest.fail(f"unexpected {other}")
    await transport.aclose()


async def test_an_engine_that_closes_the_connection_without_a_response_is_a_failed_connection(
    llama: FakeLlama, gguf: Path
) -> None:
    transport = LocalTransport(environment={})
    match await transport.open(request(gguf, "mute"), None, 5):
        case ConnectionFailed(phase="read"):
            pass
        case other:
            pytest.fail(f"unexpected {other}")
    await transport.aclose()


async def test_a_model_that_cannot_be_loaded_is_a_fault_and_may_be_tried_again(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    llama.refuses = True
    match await transport.open(request(gguf), None, 5):
        case InvalidRequest(code="model_load_failed", message=message):
            assert str(gguf) in message
        case other:
            pytest.fail(f"unexpected {other}")
    llama.refuses = False
    assert (await read_response(transport, request(gguf)))[0] == 200
    await transport.aclose()


async def test_without_the_extra_the_fault_names_it(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    transport = LocalTransport(environment={})
    match await transport.open(request(gguf), None, 5):
        case InvalidRequest(code="extra_missing", message=message):
            assert "pip install 'victor-fp[local]'" in message
        case other:
            pytest.fail(f"unexpected {other}")
    await transport.aclose()


async def test_an_unknown_model_is_a_fault_before_anything_is_loaded(llama: FakeLlama) -> None:
    transport = LocalTransport(environment={})
    assert isinstance(await transport.open(request("gpt-4"), None, 5), ModelNotFound)
    assert isinstance(
        await transport.open(HttpRequest(url="http://local.invalid/v1/chat/completions", body=b"{"), None, 5),
        InvalidRequest,
    )
    assert llama.started == []
    await transport.aclose()


async def test_a_providers_settings_reach_the_engine(gguf: Path) -> None:
    provider = ProviderRegistry.create("local", model_path=str(gguf), context=2048, threads=1)
    assert isinstance(provider, CatalogueProvider)
    assert isinstance(provider.connection.transport, LazyTransport)
    transport = provider.connection.transport.load()
    assert isinstance(transport, LocalTransport)
    assert (transport._model_path, transport._context, transport._threads, transport._gpu_layers) == (
        str(gguf),
        2048,
        1,
        None,
    )
    await provider.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"context": 1},
        {"context": -1},
        {"context": 10**30},
        {"threads": 0},
        {"threads": 513},
        {"gpu_layers": -2},
        {"gpu_layers": 2**31},
    ],
    ids=str,
)
async def test_a_setting_out_of_its_bounds_is_a_fault_that_names_it(
    llama: FakeLlama, gguf: Path, settings: dict[str, int]
) -> None:
    [name] = settings
    for transport in (
        LocalTransport(environment={}, **settings),  # type: ignore[arg-type]  # numbers, each under its name
        LocalTransport.from_settings({name: str(settings[name])}),
    ):
        match await transport.open(request(gguf), None, 5):
            case InvalidRequest(code="invalid_setting", message=message):
                assert message.startswith(name)
            case other:
                pytest.fail(f"unexpected {other}")
        await transport.aclose()
    assert llama.started == []


async def test_a_setting_that_is_not_a_number_is_a_fault(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport.from_settings({"threads": "many"})
    assert isinstance(await transport.open(request(gguf), None, 5), InvalidRequest)
    await transport.aclose()


async def test_context_and_threads_are_capped(llama: FakeLlama, tmp_path: Path) -> None:
    path = tmp_path / "trained.gguf"
    path.write_bytes(encode_head(ARCHITECTURE, encode_number(b"llama.context_length", 2048)))
    transport = LocalTransport(environment={}, context=1_000_000, threads=512)
    await read_response(transport, request(path))
    [engine] = llama.started
    assert engine.parameters.n_ctx == 2048
    assert engine.parameters.cpuparams.n_threads == count_processors()
    await transport.aclose()


@pytest.mark.parametrize(
    ("asked", "processors", "threads"),
    [(None, 1, 1), (None, 2, 1), (None, 4, 3), (None, 6, 3), (None, 16, 8), (2, 2, 2), (512, 4, 4)],
)
def test_one_processor_is_left_free_where_no_number_of_threads_was_asked_for(
    asked: int | None, processors: int, threads: int
) -> None:
    assert choose_threads(asked, processors) == threads


async def test_the_engine_is_started_with_the_default_number_of_threads(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={})
    await read_response(transport, request(gguf))
    [engine] = llama.started
    assert engine.parameters.cpuparams.n_threads == choose_threads(None, count_processors())
    assert engine.parameters.cpuparams_batch.n_threads == engine.parameters.cpuparams.n_threads
    await transport.aclose()


@pytest.mark.parametrize(
    "path", ["~nobody-of-this-name/x.gguf", "x" * 5000 + ".gguf", "a\0b.gguf", ".", "/dev/null/x.gguf", "/dev/zero"]
)
async def test_a_bad_path_is_a_fault(llama: FakeLlama, path: str) -> None:
    transport = LocalTransport(model_path=path, environment={})
    assert isinstance(await transport.open(request("default"), None, 5), InvalidRequest | ModelNotFound)
    await transport.aclose()
    assert llama.started == []


async def test_embeddings_have_an_engine_of_their_own(llama: FakeLlama, gguf: Path) -> None:
    transport = LocalTransport(environment={}, context=8192)
    await read_response(transport, request(gguf))
    embedding = msgspec.structs.replace(request(gguf), url="http://local.invalid/v1/embeddings")
    assert await read_response(transport, embedding) == (200, b'{"path": "/v1/embeddings"}')
    await read_response(transport, embedding)
    chat, embedder = llama.started
    assert not hasattr(chat.parameters, "embedding")
    assert (embedder.parameters.embedding, embedder.parameters.n_ubatch) == (True, 2048)
    assert not hasattr(embedder.parameters, "pooling_type")  # the file says how, but for the small model
    await transport.aclose()
