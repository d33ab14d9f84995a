"""Bodies in a recording: JSON as a tree, text as text, anything else in base64. The bytes are restored exactly."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

Rendered: TypeAlias = dict[str, Any]
"""`{"json": value, "layout": name}`, `{"text": ...}` or `{"base64": ...}`; empty for no body."""

_LAYOUTS: dict[str, Any] = {
    "compact": partial(json.dumps, separators=(",", ":"), ensure_ascii=False),
    "compact-ascii": partial(json.dumps, separators=(",", ":")),
    "spaced": partial(json.dumps, ensure_ascii=False),
    "spaced-ascii": json.dumps,
    "indented": partial(json.dumps, indent=2, ensure_ascii=False),
    "indented-ascii": partial(json.dumps, indent=2),
}
"""JSON layouts of servers, by their name in the file; the first is the default, which is omitted."""
_DEFAULT_LAYOUT = "compact"
_BASE64_LINE = 76
_DEEPEST = 100
"""Maximum nesting of a tree; deeper values are stored as text."""


class JsonText:
    """A parsed JSON text: its value and its layout."""

    __slots__ = ("ending", "layout", "value")

    def __init__(self, value: Any, layout: str, ending: str) -> None:
        self.value = value
        self.layout = layout
        self.ending = ending

    def write(self, value: Any) -> str:
        """Write a value in this layout."""
        text: str = _LAYOUTS[self.layout](value)
        return text + self.ending


def parse_document(text: str) -> JsonText | None:
    """Parse JSON of a known layout, so that writing the value reproduces the text; None otherwise."""
    bare = text.rstrip("\n")
    if not bare.startswith(("{", "[")):
        return None
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return None
    for name, write in _LAYOUTS.items():
        try:
            if write(value) == bare:
                return JsonText(value, name, text[len(bare) :])
        except (ValueError, RecursionError):
            return None
    return None


def render_body(data: bytes) -> Rendered:
    """Render a body for the file."""
    if not data:
        return {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return render_binary(data)
    document = parse_document(text)
    if document is not None and not document.ending and _is_plain(document.value):
        layout = {} if document.layout == _DEFAULT_LAYOUT else {"layout": document.layout}
        return {"json": document.value, **layout}
    return {"text": text}


def render_binary(data: bytes) -> Rendered:
    """Render a body in lines of base64."""
    encoded = b64encode(data).decode()
    lines = [encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE)]
    return {"base64": "\n".join(lines)}


def restore_body(rendered: Mapping[str, Any]) -> bytes:
    """Restore the bytes of a body. Raises ValueError for an invalid form."""
    match rendered:
        case {"json": value}:
            layout = rendered.get("layout", _DEFAULT_LAYOUT)
            if layout not in _LAYOUTS:
                raise ValueError(f"layout: expected one of {', '.join(_LAYOUTS)}, got {layout!r}")
            return str(_LAYOUTS[layout](value)).encode()
        case {"text": str(text)}:
            return text.encode()
        case {"base64": str(text)}:
            return b64decode(text)
        case _ if not rendered:
            return b""
        case _:
            raise ValueError("a body requires one of json, text and base64")


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Return whether a tree can be written as YAML: not too deep, and without lone surrogates."""
    if depth > _DEEPEST:
        return False
    match value:
        case str():
            return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
        case dict():
            return all(_is_plain(key) and _is_plain(item, depth + 1) for key, item in value.items())
        case list():
            return all(_is_plain(item, depth + 1) for item in value)
        case _:
            return True
