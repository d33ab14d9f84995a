"""A wire that carries nothing anywhere: what it was asked is kept, what it answers is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pydantic import SecretStr

from victor_fp.core.faults import Fault, FaultBase, InvalidResponse, StreamInterrupted, TimedOut
from victor_fp.core.requests import HttpRequest
from victor_fp.testing.answers import Answer, Received, received_from
from victor_fp.testing.turns import Turn
from victor_fp.testing.vendors import lead, said, writer_for

Scripted: TypeAlias = Turn | Answer | Fault


class ScriptedWire:
    """Takes the place of HTTP in a provider: `create("openai", api_key="k", transport=ScriptedWire(Turn(text="Hi")))`.

    Each request gets the next answer, and the last one stands for all that follow: a `Turn` in the protocol of `provider`, whole
    or as a stream, as was asked; an `Answer` as it is; a `Fault` as what became of the connection. A turn that is `held`
    or `silent` ends with the timeout, without any time passing.
    """

    def __init__(self, *answers: Scripted, provider: str = "openai") -> None:
        if not answers:
            raise ValueError("a scripted wire needs an answer")
        self._answers = answers
        self._writer = writer_for(provider)
        self._told = 0
        self.requests: list[HttpRequest] = []
        """Everything that was sent, with the key as a placeholder; what a signer put in its place is in the headers."""
        self.replies: list[ScriptedReply] = []
        self.closed = False

    @property
    def left_early(self) -> int:
        """How many answers were left before their end."""
        return sum(reply.closed and not reply.over for reply in self.replies)

    async def open(
        self,
        request: HttpRequest,
        secret: SecretStr | None,  # noqa: ARG002  a key is nothing to keep
        timeout: float | None,
    ) -> ScriptedReply | Fault:
        """Keep the request and give the next answer."""
        await asyncio.sleep(0)
        self.requests.append(request)
        answer = self._next(received_from(request))
        if isinstance(answer, FaultBase):
            return answer
        if answer.ending == "silent":
            return TimedOut(phase="read", seconds=timeout, message=f"nothing came within {timeout} s")
        reply = ScriptedReply(answer, timeout)
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _next(self, received: Received) -> Answer | Fault:
        led = lead(self._writer, received)
        if led is not None:
            return led
        answer = self._answers[min(self._told, len(self._answers) - 1)]
        self._told += 1
        return answer if isinstance(answer, FaultBase) else said(self._writer, answer, received)


class ScriptedReply:
    """A scripted answer, as it is read."""

    def __init__(self, answer: Answer, timeout: float | None) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.closed = False
        self.over = False
        """Read to its end."""
        self._ending = answer.ending
        self._timeout = timeout
        self._pieces: Iterator[bytes] = iter(answer.pieces)

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body."""
        read: list[bytes] = []
        while isinstance(piece := await self.receive(), bytes):
            read.append(piece)
            if sum(map(len, read)) > limit:
                return InvalidResponse(message=f"the body is larger than {limit} bytes")
        return b"".join(read) if piece is None else piece

    async def receive(self) -> bytes | Fault | None:
        """The next piece; then the end, or what broke it."""
        await asyncio.sleep(0)
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        if self._ending == "cut":
            return StreamInterrupted(message="the connection broke")
        if self._ending == "held":
            return TimedOut(phase="stream", seconds=self._timeout, message=f"nothing came within {self._timeout} s")
        self.over = True
        return None

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True
