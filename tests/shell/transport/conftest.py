"""Every test with the fixture `transport` runs over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.shell.transport.peers import NAMES, make_transport
from victor_fp.shell.transport.protocol import Transport

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_VARIABLES = (*_PROXY_VARIABLES, *(name.lower() for name in _PROXY_VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR")

MakeTransport = Callable[..., Transport]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates of the machine that runs the tests."""
    for name in (*_VARIABLES, "VICTOR_FP_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a transport."""
    return str(request.param)


@pytest.fixture
async def make(name: str) -> AsyncIterator[MakeTransport]:
    """Makes transports, which are closed after the test."""
    made: list[Transport] = []

    def make_one(**options: Any) -> Transport:
        made.append(make_transport(name, **options))
        return made[-1]

    yield make_one
    for one in made:
        await one.aclose()


@pytest.fixture
def transport(make: MakeTransport) -> Transport:
    """A transport without options."""
    return make()
