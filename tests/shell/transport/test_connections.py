"""Connections: reused, closed, and not shared across event loops, threads and processes."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.shell.transport.certificates import make_server_context
from tests.shell.transport.conftest import MakeTransport
from tests.shell.transport.peers import (
    Answer,
    Peer,
    answer,
    close_at_end,
    make_transport,
    read_request,
    send_request,
    serve_answers,
    serve_raw,
)
from victor_fp.core.faults import FaultBase, InvalidRequest
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.aiohttp_transport import SENT_AT_ONCE
from victor_fp.shell.transport.protocol import Transport

ROOT = Path(__file__).parents[3]


async def ask(transport: Transport, url: str, *, connection: str = "keep-alive") -> bytes:
    """The body of a response that must come."""
    answered = await send_request(transport, url, connection=connection)
    assert isinstance(answered, Answer), answered
    return answered.body


async def test_a_connection_is_used_again(transport: Transport) -> None:
    async with serve_answers(answer()) as peer:
        for _ in range(3):
            assert await ask(transport, peer.url) == b"ok"
        assert peer.connections == 1


@pytest.mark.parametrize(("count", "has_tasks"), [(1, False), (SENT_AT_ONCE, False), (2 * SENT_AT_ONCE, True)])
async def test_only_concurrent_requests_are_sent_in_tasks(count: int, has_tasks: bool) -> None:
    """From Python 3.12 on aiohttp's tasks start at once."""

    def make_task(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
        made.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **named)

    made: list[str] = []
    loop = asyncio.get_running_loop()
    async with serve_answers(answer()) as peer, close_at_end(make_transport("aiohttp")) as transport:
        await asyncio.gather(*(ask(transport, peer.url) for _ in range(count)))
        loop.set_task_factory(make_task)
        try:
            bodies = await asyncio.gather(*(ask(transport, peer.url) for _ in range(count)))
        finally:
            loop.set_task_factory(None)
    assert bodies == [b"ok"] * count
    assert ("ClientRequest.write_bytes" in made) == (has_tasks and sys.version_info < (3, 12))


@pytest.mark.parametrize("answers", [answer(), answer(b"", "204 No Content")], ids=["body", "empty"])
async def test_connection_close_prevents_reuse(transport: Transport, answers: bytes) -> None:
    async with serve_answers(answers) as peer:
        for _ in range(3):
            await ask(transport, peer.url, connection="close")
        assert peer.connections == 3


async def test_a_connection_that_the_server_closes_is_not_used_again(transport: Transport) -> None:
    async with serve_answers(answer(b"ok", "200 OK", "connection: close")) as peer:
        for _ in range(3):
            assert await ask(transport, peer.url) == b"ok"
        assert peer.connections == 3


async def test_a_connection_that_the_server_closed_while_idle_is_replaced(transport: Transport) -> None:
    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer())
        await writer.drain()

    async with serve_raw(serve_once) as peer:
        for _ in range(3):
            assert await ask(transport, peer.url) == b"ok"
            while peer.open_connections:
                await asyncio.sleep(0)
            for _turn in range(20):  # the client's side learns of it
                await asyncio.sleep(0)


async def test_unread_body_closes_the_connection(transport: Transport) -> None:
    left = asyncio.Event()

    async def send_unfinished_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await reader.read()
        left.set()

    async with serve_raw(send_unfinished_body) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
        assert not isinstance(response, FaultBase), response
        assert await response.receive() == b"x"
        await response.aclose()
        await asyncio.wait_for(left.wait(), 5)


async def test_ipv6(transport: Transport) -> None:
    try:
        async with serve_answers(answer(), host="::1") as peer:
            assert await ask(transport, peer.url) == b"ok"
            assert f"[::1]:{peer.port}" in peer.heads[0]
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")


async def test_a_name_with_several_addresses_is_tried_in_turn(transport: Transport) -> None:
    async with serve_answers(answer()) as peer:  # localhost may be ::1 as well, where no server listens
        assert await ask(transport, f"http://localhost:{peer.port}") == b"ok"


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://127.0.0.1:9"])
async def test_an_unreachable_host_is_not_billed(transport: Transport, url: str) -> None:
    fault = await send_request(transport, url)
    assert isinstance(fault, FaultBase)
    assert not fault.maybe_billed


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999", "http://[::1", "ftp://vendor.test", "nonsense"])
async def test_invalid_url_is_rejected(transport: Transport, url: str) -> None:
    assert isinstance(await send_request(transport, url), InvalidRequest)


async def test_a_path_arrives_as_it_was_encoded(transport: Transport) -> None:
    path = "/model/arn%3Aaws%2Fx/invoke?alt=sse&q=%20a"
    async with serve_answers(answer()) as peer:
        await ask(transport, peer.url + path)
        assert peer.heads[0].startswith(f"POST {path} HTTP/1.1\r\n")


async def test_url_cannot_inject_lines(transport: Transport) -> None:
    async with serve_answers(answer()) as peer:
        await send_request(transport, f"{peer.url}/a b\r\nx-added: 1")
        assert all("x-added: 1" not in head.split("\r\n") for head in peer.heads)


async def test_hosts_and_cookies_are_not_remembered(transport: Transport) -> None:
    async with serve_answers(answer(b"ok", "200 OK", "set-cookie: a=b")) as peer:
        await ask(transport, peer.url)
        await ask(transport, peer.url)
        assert "cookie" not in "".join(peer.heads).lower()


@pytest.mark.slow
async def test_500_cancellations_at_random_points_leave_nothing(transport: Transport) -> None:
    """Cancelled after so many turns of the loop: while connecting, sending, waiting, reading."""
    luck = random.Random(8)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(4):
                for _turn in range(luck.randrange(4)):
                    await asyncio.sleep(0)
                writer.write(b"2\r\nok\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")

    completed = 0
    async with serve_raw(serve) as peer:
        before = asyncio.all_tasks()

        async def cancel_one() -> None:
            nonlocal completed
            task = asyncio.ensure_future(send_request(transport, peer.url, b"x" * luck.choice((2, 200_000))))
            for _ in range(luck.randrange(60)):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                answered = await task
                assert isinstance(answered, Answer), answered
                assert answered.body == b"ok" * 4
                completed += 1

        for _ in range(25):
            await asyncio.gather(*(cancel_one() for _ in range(20)))
        for _ in range(2000):
            if not {task for task in asyncio.all_tasks() - before if "serve_raw" not in repr(task)}:
                break
            await asyncio.sleep(0)
        left = {task for task in asyncio.all_tasks() - before if "serve_raw" not in repr(task)}
        assert left == set()
        assert 0 < completed < 450, f"{completed} of 500 were not cancelled in time"
        assert peer.open_connections <= 45
        assert await ask(transport, peer.url) == b"ok" * 4


def run_in_loop(work: Callable[[], Any], loop_factory: Any = None) -> Any:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work())


def test_one_transport_serves_one_loop_after_another(name: str) -> None:
    transport = make_transport(name)

    async def main() -> None:
        async with serve_answers(answer()) as peer:
            assert await ask(transport, peer.url) == b"ok"

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(3):
            run_in_loop(main)
        gc.collect()
    assert [str(one.message) for one in warned] == []


def test_threads_with_their_own_loops_share_a_transport(name: str) -> None:
    transport = make_transport(name)
    together = threading.Barrier(8)
    received: list[bytes] = []

    async def main(number: int) -> None:
        async with serve_answers(answer(str(number).encode())) as peer:
            together.wait(20)
            received.extend(await asyncio.gather(*(ask(transport, peer.url) for _ in range(20))))

    threads = [threading.Thread(target=run_in_loop, args=(lambda number=number: main(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(received) == sorted(str(number).encode() for number in range(8) for _ in range(20))


@pytest.mark.parametrize("is_tls", [False, True])
def test_uvloop(name: str, is_tls: bool) -> None:
    uvloop = pytest.importorskip("uvloop")
    transport = make_transport(name, verify=False)

    async def main() -> None:
        async with serve_answers(answer(), tls=make_server_context() if is_tls else None) as peer:
            for _ in range(3):
                assert await ask(transport, peer.url) == b"ok"
            assert peer.connections == 1

    for _ in range(2):
        run_in_loop(main, uvloop.new_event_loop)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("is_tls", [False, True])
def test_forked_process_opens_its_own_connections(name: str, is_tls: bool) -> None:
    code = f"""
    import asyncio, os, sys
    from tests.shell.transport.peers import make_transport, send_request

    transport = make_transport({name!r}, verify=False)
    url = sys.argv[1]

    async def ask():
        assert (await send_request(transport, url)).body == b"ok"

    loop = asyncio.new_event_loop()
    loop.run_until_complete(ask())
    if (child := os.fork()) == 0:
        asyncio.run(ask())
        sys.exit(0)  # as programs end, with everything taken down
    assert os.waitpid(child, 0)[1] == 0
    for _ in range(3):
        loop.run_until_complete(ask())
    loop.run_until_complete(transport.aclose())
    loop.close()
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
    with serve_in_thread(is_tls=is_tls) as peer:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), peer.url],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert peer.connections == 2, "one of the parent, which it keeps, and one of the child"


@contextmanager
def serve_in_thread(*, is_tls: bool) -> Iterator[Peer]:
    """A server that runs while this thread is blocked."""
    started: Future[Peer] = Future()
    ended = threading.Event()

    async def serve() -> None:
        async with serve_answers(answer(), tls=make_server_context() if is_tls else None) as peer:
            started.set_result(peer)
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=run_in_loop, args=(serve,))
    thread.start()
    try:
        yield started.result(20)
    finally:
        ended.set()
        thread.join(20)


async def test_closing_a_transport_closes_its_connections(make: MakeTransport) -> None:
    async with serve_answers(answer()) as peer, close_at_end(make()) as transport:
        await ask(transport, peer.url)
        assert peer.open_connections == 1
        await transport.aclose()
        for _ in range(1000):
            if not peer.open_connections:
                break
            await asyncio.sleep(0)
        assert peer.open_connections == 0
        assert await ask(transport, peer.url) == b"ok", "it can be used again"
