"""Writer of Bedrock Converse: JSON bodies, and streams in AWS's binary framing."""

from __future__ import annotations

import struct
from binascii import crc32
from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, StreamEvents, Writer, split_pieces

REASONS = {"stop": "end_turn", "length": "max_tokens"}
KINDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
_TEXT = 7
"""The header type of strings."""


def _build_body(turn: Turn) -> Payload:
    message = {"role": "assistant", "content": _build_blocks(turn)}
    return {
        "output": {"message": message},
        "stopReason": REASONS.get(turn.reason, turn.reason),
        **_build_usage(turn),
        "metrics": {"latencyMs": 812},
    }


def _build_events(turn: Turn) -> StreamEvents:
    events: list[Event] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(_build_blocks(turn)):
        events += _build_block_events(index, block)
    stop = {"stopReason": REASONS.get(turn.reason, turn.reason)}
    return StreamEvents(
        before=events, end=[("messageStop", stop), ("metadata", {**_build_usage(turn), "metrics": {"latencyMs": 812}})]
    )


def _build_error(status: int, words: str) -> Answer:
    kind = KINDS.get(status, "InternalServerException")
    return json_answer({"message": words}, status, {"x-amzn-errortype": kind})


def _encode_frame(event: Event) -> bytes:
    """Encode an event in AWS's framing."""
    name, payload = event
    return _encode_message(encode_json(payload), event_type=name, content_type="application/json", message_type="event")


def _build_error_frame(words: str) -> bytes:
    return _encode_message(
        encode_json({"message": words}),
        exception_type="internalServerException",
        content_type="application/json",
        message_type="exception",
    )


def _encode_message(payload: bytes, **headers: str) -> bytes:
    """Encode a message: lengths and their checksum, headers, payload, and the checksum of the message."""
    block = b"".join(_encode_header(":" + name.replace("_", "-"), value) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    start = lengths + struct.pack(">I", crc32(lengths)) + block + payload
    return start + struct.pack(">I", crc32(start))


def _encode_header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([_TEXT]) + struct.pack(">H", len(value)) + value.encode()


def _is_stream_request(received: Received) -> bool:
    return received.path.endswith("/converse-stream")


def _build_blocks(turn: Turn) -> list[Payload]:
    thought = {"reasoningContent": {"reasoningText": {"text": turn.reasoning, "signature": SIGNATURE}}}
    return [
        *([thought] if turn.reasoning else []),
        *([{"text": turn.text}] if turn.text else []),
        *({"toolUse": {"toolUseId": call.id, "name": call.name, "input": {**call.arguments}}} for call in turn.calls),
    ]


def _build_block_events(index: int, block: Payload) -> list[Event]:
    at = {"contentBlockIndex": index}
    start: list[Event] = []
    deltas: list[Payload]
    if "text" in block:
        deltas = [{"text": piece} for piece in split_pieces(block["text"])]
    elif "toolUse" in block:
        head: dict[str, Any] = dict(block["toolUse"])
        written = encode_json(head.pop("input")).decode()
        start = [("contentBlockStart", {**at, "start": {"toolUse": head}})]
        deltas = [{"toolUse": {"input": piece}} for piece in split_pieces(written)]
    else:
        thought = block["reasoningContent"]["reasoningText"]
        deltas = [{"reasoningContent": {"text": piece}} for piece in split_pieces(thought["text"])]
        deltas.append({"reasoningContent": {"signature": thought["signature"]}})
    events: list[Event] = [("contentBlockDelta", {**at, "delta": delta}) for delta in deltas]
    return [*start, *events, ("contentBlockStop", at)]


def _build_usage(turn: Turn) -> Payload:
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"inputTokens": prompt, "outputTokens": answer, "totalTokens": prompt + answer}}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=_encode_frame,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=_is_stream_request,
    unknown_frame=_encode_frame(("news", {"deep": [1]})),
    content_type="application/vnd.amazon.eventstream",
    signs=True,
)
