"""The file format of recordings: YAML with one document per exchange, for readable diffs and appending.

    request:
      method: POST
      url: https://api.openai.com/v1/chat/completions
      headers: {authorization: Bearer <secret>, ...}
      body:
        json: {model: gpt-5-mini, ...}
    response:
      status: 200
      headers: {content-type: text/event-stream, ...}
      pieces:
      - after: 0.213
        text: |
          data: {"id": ...}

The first document has the version of the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import FAULT_TYPES, Fault
from victor_fp.shell.recording.bodies import render_binary, render_body, restore_body
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse

if TYPE_CHECKING:
    import yaml

VERSION = 1
HEADER = f"# Recorded by victor_fp, without secrets. See docs/recordings.md.\nvictor_fp_recording: {VERSION}\n"
_LINE_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""Characters that must be quoted: YAML treats most of them as line breaks."""
_FAULTS = {kind.__name__: kind for kind in FAULT_TYPES}


def require_yaml() -> None:
    """Raise ImportError if the extra for recordings is not installed."""
    try:
        import yaml  # noqa: F401  loaded when a recording is used
    except ImportError as error:
        raise ImportError("recordings require the extra: pip install 'victor-fp[yaml]'", name="yaml") from error


def encode_exchange(exchange: Exchange) -> str:
    """Encode an exchange as a document."""
    text = _write(_render_exchange(exchange))
    if decode_document(_load(text)[0]) == Success(exchange):
        return text
    # The body cannot be represented exactly in YAML.
    return _write(_render_exchange(exchange, is_binary=True))


def encode_exchanges(exchanges: Iterable[Exchange], note: str = "") -> str:
    """Encode a file; `note` is written as comments at its top."""
    comments = "".join(f"# {_LINE_BREAKS.sub(' ', line)}\n" for line in note.split("\n") if line)
    return comments + HEADER + "".join(encode_exchange(exchange) for exchange in exchanges)


def load_documents(text: str) -> Result[list[Any], str]:
    """Load the YAML documents of a text, or return an error message."""
    import yaml

    try:
        return Success(_load(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Failure(f"not YAML: {error}")


def decode_documents(documents: list[Any]) -> Result[tuple[Exchange, ...], str]:
    """Decode the exchanges of a file, or return an error message."""
    first = documents[0] if documents else None
    version = first.get("victor_fp_recording") if isinstance(first, Mapping) else None
    if version != VERSION:
        return Failure(f"the first document is not `victor_fp_recording: {VERSION}`")
    found: list[Exchange] = []
    for number, document in enumerate(documents[1:], 1):
        decoded = decode_document(document)
        if not isinstance(decoded, Success):
            return Failure(f"exchange {number}: {decoded.failure()}")
        found.append(decoded.unwrap())
    return Success(tuple(found))


def decode_document(document: Any) -> Result[Exchange, str]:
    """Decode an exchange from a document, or return an error message."""
    try:
        return Success(_restore_exchange(document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure(f"{type(error).__name__}: {error}")


def _render_exchange(exchange: Exchange, *, is_binary: bool = False) -> dict[str, Any]:
    body = render_binary if is_binary else render_body
    request = exchange.request
    document: dict[str, Any] = {} if exchange.recorded_at is None else {"recorded_at": exchange.recorded_at}
    document["request"] = {"method": request.method, "url": request.url, "headers": request.headers}
    if request.body:
        document["request"]["body"] = body(request.body)
    response = exchange.response
    if not isinstance(response, RecordedResponse):
        return {**document, "fault": _render_fault(response)}
    rendered: dict[str, Any] = {"status": response.status, "headers": response.headers}
    if response.after:
        rendered["after"] = response.after
    if response.is_stream:
        rendered["pieces"] = [
            ({"after": piece.after} if piece.after else {}) | body(piece.data) for piece in response.pieces
        ]
    elif response.pieces:
        rendered["body"] = body(response.body)
    if response.ending != "whole":
        rendered["ending"] = response.ending
    if response.fault is not None:
        rendered["fault"] = _render_fault(response.fault)
    return {**document, "response": rendered}


def _restore_exchange(document: Any) -> Exchange:
    request = document["request"]
    response: RecordedResponse | Fault
    if "fault" in document:
        response = _restore_fault(document["fault"])
    else:
        given = document["response"]
        pieces: tuple[Piece, ...] = ()
        if "pieces" in given:
            pieces = tuple(_restore_piece(piece) for piece in given["pieces"])
        elif "body" in given:
            pieces = (Piece(restore_body(given["body"])),)
        response = RecordedResponse(
            status=int(given["status"]),
            headers=_to_texts(given.get("headers") or {}),
            pieces=pieces,
            is_stream="pieces" in given,
            after=float(given.get("after", 0.0)),
            ending=given.get("ending", "whole"),
            fault=_restore_fault(given["fault"]) if "fault" in given else None,
        )
    return Exchange(
        request=RecordedRequest(
            method=str(request["method"]),
            url=str(request["url"]),
            headers=_to_texts(request.get("headers") or {}),
            body=restore_body(request.get("body") or {}),
        ),
        response=response,
        recorded_at=document.get("recorded_at"),
    )


def _restore_piece(given: Mapping[str, Any]) -> Piece:
    body = {name: value for name, value in given.items() if name != "after"}
    return Piece(restore_body(body), float(given.get("after", 0.0)))


def _to_texts(headers: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers.items()}


def _render_fault(fault: Fault) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(fault)
    empty: dict[str, Any] = msgspec.to_builtins(type(fault)())
    return {"type": type(fault).__name__} | {name: value for name, value in fields.items() if value != empty[name]}


def _restore_fault(given: Mapping[str, Any]) -> Fault:
    kind = _FAULTS.get(str(given["type"]))
    if kind is None:
        raise ValueError(f"unknown fault {given['type']!r}")
    fields = {name: value for name, value in given.items() if name != "type"}
    restored: Fault = msgspec.convert(fields, kind)
    return restored


def _load(text: str) -> list[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load_all(text, Loader=loader))


def _write(document: Mapping[str, Any]) -> str:
    import yaml

    # The Python writer: the C writer folds and quotes differently, and files must not depend on it.
    return str(
        yaml.dump(
            document,
            Dumper=_make_dumper(),
            sort_keys=False,
            allow_unicode=True,
            width=1_000_000,
            explicit_start=True,
            default_flow_style=False,
        )
    )


def _make_dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks, without aliases."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        style = '"' if _LINE_BREAKS.search(text) else "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent_text)
    return Dumper
