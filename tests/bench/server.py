"""A server that costs next to nothing: one canned answer, or a canned stream, for each request."""

from __future__ import annotations

import asyncio
import json
import sys

from tests import openai_shapes as shapes

TEXT = "The quick brown fox jumps over a lazy dog. " * 14
CHUNKS = 2000


def _build_response(body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWER = _build_response(json.dumps(shapes.build_body(TEXT)).encode(), "application/json")
EVENTS = [f"data: {json.dumps(chunk)}\n\n" for chunk in shapes.build_chunks(*["word "] * CHUNKS)]
STREAM = _build_response(("".join(EVENTS) + "data: [DONE]\n\n").encode(), "text/event-stream")


class Canned(asyncio.Protocol):
    """Answers as soon as a request is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._held = b""

    def data_received(self, data: bytes) -> None:
        """Find the body's end by its length."""
        self._held += data
        head, blank, body = self._held.partition(b"\r\n\r\n")
        if not blank:
            return
        lines = head.lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) >= size:
            self._held = b""
            self._transport.write(STREAM if b'"stream":true' in body.replace(b" ", b"") else ANSWER)


async def main() -> None:
    """Serve until the parent goes, and say where."""
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
