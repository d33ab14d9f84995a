"""A redis-server on loopback for one test."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def find_redis() -> str:
    """The path of redis-server; without it the test is skipped on a developer's machine, and fails on CI."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "redis-server is not installed (Debian package redis-server)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@asynccontextmanager
async def run_redis(*more: str, port: int | None = None) -> AsyncIterator[str]:
    """The URL of a server of the test's own, in memory only."""
    port = find_free_port() if port is None else port
    program = find_redis()
    process = await asyncio.create_subprocess_exec(
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no",
        *more,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
