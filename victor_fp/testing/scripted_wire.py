"""A transport that opens no connection: it records requests and returns scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pydantic import SecretStr

from victor_fp.core.faults import Fault, FaultBase, InvalidResponse, StreamInterrupted
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.errors import build_timeout_fault
from victor_fp.testing.answers import Answer, Received, received_from_request
from victor_fp.testing.retrieval import answer_retrieval
from victor_fp.testing.script import CallIds, Turn
from victor_fp.testing.vendors import answer_preliminary, find_writer, render_turn

Scripted: TypeAlias = Turn | Answer | Fault
"""The result of an exchange: a response in the vendor's format, an HTTP response, or a failure."""


class ScriptedWire:
    """Replaces HTTP in a provider: `create("openai", api_key="k", transport=ScriptedWire(Turn(text="Hi")))`.

    Each request gets the next answer, and the last one is repeated; embedding and reranking requests are handled by
    stubs, unless the next answer is an `Answer` or a `Fault`. A `Turn` is written in the protocol of `provider`, as a
    body or a stream, depending on the request; an `Answer` is sent unchanged; a `Fault` is returned as a connection
    failure. An answer with the ending `held` or `silent` fails with a timeout at once.
    """

    def __init__(self, *answers: Scripted, provider: str = "openai") -> None:
        if not answers:
            raise ValueError("ScriptedWire requires at least one answer")
        self._answers = answers
        self._writer = find_writer(provider)
        self._ids = CallIds()
        self._sent = 0
        self.requests: list[HttpRequest] = []
        """The requests so far, with a placeholder for the key; headers added by a signer are kept."""
        self.replies: list[ScriptedReply] = []
        self.closed = False

    @property
    def left_early(self) -> int:
        """The number of responses that were closed before their end."""
        return sum(reply.closed and not reply.over for reply in self.replies)

    async def open(
        self,
        request: HttpRequest,
        secret: SecretStr | None,  # noqa: ARG002  keys are not recorded
        timeout: float | None,
    ) -> ScriptedReply | Fault:
        """Record the request and return the next answer."""
        await asyncio.sleep(0)
        self.requests.append(request)
        answer = self._choose_answer(received_from_request(request))
        if isinstance(answer, FaultBase):
            return answer
        if answer.ending == "silent":
            return build_timeout_fault("read", "opening", timeout)
        reply = ScriptedReply(answer, timeout)
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        """Record that it was closed."""
        self.closed = True

    def _choose_answer(self, received: Received) -> Answer | Fault:
        preliminary = answer_preliminary(self._writer, received)
        if preliminary is not None:
            return preliminary
        answer = self._answers[min(self._sent, len(self._answers) - 1)]
        if isinstance(answer, Turn) and (retrieved := answer_retrieval(received)) is not None:
            return retrieved
        self._sent += 1
        return answer if isinstance(answer, FaultBase) else render_turn(self._writer, answer, received, self._ids)


class ScriptedReply:
    """The response of a scripted wire."""

    def __init__(self, answer: Answer, timeout: float | None) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.closed = False
        self.over = False
        """Whether it was read to its end."""
        self._ending = answer.ending
        self._timeout = timeout
        self._pieces: Iterator[bytes] = iter(answer.pieces)

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body."""
        read: list[bytes] = []
        size = 0
        while isinstance(piece := await self.receive(), bytes):
            read.append(piece)
            size += len(piece)
            if size > limit:
                return InvalidResponse(message=f"response body is larger than {limit} bytes")
        return b"".join(read) if piece is None else piece

    async def receive(self) -> bytes | Fault | None:
        """Return the next part, a fault if the script breaks the connection, or None at the end."""
        await asyncio.sleep(0)
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        if self._ending == "cut":
            return StreamInterrupted(message="connection lost before the end of the response")
        if self._ending == "held":
            return build_timeout_fault("stream", "reading", self._timeout)
        self.over = True
        return None

    async def aclose(self) -> None:
        """Record that it was closed."""
        self.closed = True
