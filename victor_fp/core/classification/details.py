"""Extraction of an error's message, codes and wait, in the formats of vendors, frameworks and gateways."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from victor_fp.core.classification.tables import FaultType
from victor_fp.core.json import Json, NotJson, decode_json, decode_lenient_json, encode_flawed_json
from victor_fp.core.security.redaction import LONGEST_TEXT

CODE_KEYS = ("code", "type", "error_type", "reason", "status", "status_code")
"""Keys of codes; at each level of nesting they are read in this order."""
ERROR_KEYS = ("error", "errors", "message", "Message", "detail")
"""Keys of error bodies, of which bodies with embeddings, rankings, batches or results have none."""
WAIT_KEYS = ("retry_after", "retry_after_seconds", "retryDelay")
MESSAGE_KEYS = (
    "message",
    "Message",
    "msg",
    "detail",
    "details",
    "error_description",
    "error_message",
    "errorMessage",
    "originalMessage",
    "status_msg",
    "description",
    "errors",
    "reason",
)
"""Keys of messages in the formats of vendors, frameworks and gateways, most specific first."""
UPSTREAM_KEYS = ("raw", "upstream_error", "original_error", "innererror", "provider_error", "cause")
"""Keys under which gateways report the error of the upstream server, such as `metadata.raw` of OpenRouter."""
QUOTED_KEYS = frozenset({"input", "failed_generation", "body", "request", "ctx", "messages", "prompt"})
"""Keys of values that repeat the request or the model's output; they are not searched."""

MOST_ITEMS = 8
"""Maximum number of entries of a list of errors in a message."""
DEEPEST = 6
"""Maximum nesting of messages, and of errors inside errors."""
_PAGE = re.compile(r"<(!doctype )?html\b", re.IGNORECASE)


class ErrorDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The message, codes and wait of an error."""

    message: str = ""
    """Message of the responding server."""
    upstream: tuple[str, ...] = ()
    """Messages of the upstream servers, outermost first."""
    codes: tuple[str, ...] = ()
    """Codes, most specific first; those of upstream servers are last."""
    parameter: str = ""
    """The parameter that the error names."""
    retry_after: float | None = None
    """Seconds to wait, according to the body."""
    request_id: str | None = None
    fault_type: FaultType | None = None
    """Fault type of typed details other than codes."""
    is_recognized: bool = True
    """False for a body that is not an API error: a web page, plain text, an empty body."""


def read_body(body: bytes) -> ErrorDetails:
    """Return the details of an error body: JSON, a web page, text, or an empty body."""
    value = decode_lenient_json(body)
    if isinstance(value, NotJson):
        return ErrorDetails(message=read_text(body), is_recognized=False)
    return read_details(value)


def read_text(body: bytes) -> str:
    """Return the message of a body that is not JSON: the title of a web page, or the text.

    >>> read_text(b"<html><head><title> 502 Bad Gateway </title></head></html>")
    '502 Bad Gateway'
    """
    text = body[:LONGEST_TEXT].decode("utf-8", "replace").strip()
    if not _PAGE.match(text):
        return text
    lowered = text.lower()
    start = lowered.find(">", lowered.find("<title")) + 1 if "<title" in lowered else 0
    end = lowered.find("</title", start) if start else -1
    title = " ".join(text[start:end].split()) if end > 0 else ""
    return title or "an HTML page"


def read_details(value: Json) -> ErrorDetails:
    """Return the details of a decoded error: a body, an event, or the value of `error`."""
    error = find_error(value)
    message = ("" if isinstance(error, str) else find_message(error)) or find_message(value)
    upstream_values = _find_upstream(value, message)
    codes = list(find_codes(error, value))
    upstream: list[str] = []
    for inner in upstream_values:
        words = inner.strip() if isinstance(inner, str) else find_message(inner)
        if words and words not in message and words not in upstream:
            upstream.append(words)
        codes += find_codes(inner)
    parameter = error.get("param") if isinstance(error, Mapping) else None
    is_recognized = bool(message or codes)
    if not message and value and not upstream:
        message = encode_flawed_json(value).decode() if not isinstance(value, str) else value.strip()
    return ErrorDetails(
        message=message,
        upstream=tuple(upstream),
        codes=tuple(dict.fromkeys(codes)),
        parameter=parameter if isinstance(parameter, str) else "",
        retry_after=find_wait(value, *upstream_values),
        request_id=_find_request_id(value),
        is_recognized=is_recognized,
    )


def find_error(value: Json) -> Json:
    """Return the value of `error`, or of MiniMax's `base_resp`, or the value itself; for a list, its first entry."""
    while isinstance(value, list) and value:
        value = value[0]
    error: Json = value.get("error") or value.get("base_resp") if isinstance(value, Mapping) else None
    return error or value


def is_error(body: bytes) -> bool:
    """Return whether a body without what was asked for is an error: some gateways send errors with the status 200.

    >>> is_error(b'{"error": {"message": "overloaded"}}'), is_error(b'{"data": [], "error": null}'), is_error(b"")
    (True, False, False)
    """
    found = decode_json(body)
    return isinstance(found, Mapping) and any(found.get(key) for key in ERROR_KEYS)


def find_message(value: Json, depth: int = 0) -> str:
    """Return the message of an error in any of the known formats.

    >>> find_message({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]})
    'body.messages: Field required'
    >>> find_message({"error": "invalid_grant", "error_description": "Token expired"})
    'invalid_grant: Token expired'
    """
    if isinstance(value, str):
        return value.strip()
    if depth >= DEEPEST:
        return ""
    if isinstance(value, Mapping):
        lead, error = value.get("title"), value.get("error")
        if isinstance(error, Mapping | list) and (words := find_message(error, depth + 1)):
            return words
        main = next((words for key in MESSAGE_KEYS if (words := find_message(value.get(key), depth + 1))), "")
        path = value.get("loc")
        if not lead and isinstance(path, list):
            lead = ".".join(str(step) for step in path if isinstance(step, str | int))
        parts = [part.strip() for part in (lead, error) if isinstance(part, str) and part.strip()]
        parts = [part for part in parts if part not in main]
        return ": ".join([*parts, *([main] if main else [])])
    if isinstance(value, Sequence):
        found = (find_message(item, depth + 1) for item in value[:MOST_ITEMS])
        return "; ".join(dict.fromkeys(words for words in found if words))
    return ""


def find_codes(*values: Json) -> tuple[str, ...]:
    """Return the values of all `CODE_KEYS`: outer levels first, and each level in the order of the keys."""
    level: list[Json] = list(values)
    found: list[str] = []
    while level:
        objects = [value for value in level if isinstance(value, Mapping)]
        for key in CODE_KEYS if objects else ():
            words = (_read_code(value.get(key)) for value in objects)
            found += [word for word in words if word]
        inside = [inner for value in objects for key, inner in value.items() if key not in QUOTED_KEYS]
        inside += [inner for value in level if isinstance(value, list) for inner in value]
        level = [inner for inner in inside if isinstance(inner, Mapping | list)]
    return tuple(dict.fromkeys(found))


def _read_code(value: Json) -> str:
    """Return a code as text, with a number such as 429.0 as an integer; empty for any other value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def find_wait(*values: Json) -> float | None:
    """Return the seconds to wait: a number under one of `WAIT_KEYS`, or a duration such as Google's "34.4s"."""
    level: list[Json] = list(values)
    while level:
        objects = [inner for inner in level if isinstance(inner, Mapping)]
        for item in objects:
            for key in WAIT_KEYS:
                seconds = read_seconds(item.get(key))
                if seconds is not None:
                    return seconds
        inside = [inner for item in objects for inner in item.values()]
        inside += [inner for item in level if isinstance(item, list) for inner in item]
        level = [inner for inner in inside if isinstance(inner, Mapping | list)]
    return None


def read_seconds(value: object) -> float | None:
    """Return the seconds of a number or a text such as "34.4s"; None for anything else, including infinite or negative."""
    if isinstance(value, str) and len(value) <= 32 and re.fullmatch(r"\d+(\.\d+)?s?", value, re.ASCII):
        return float(value.removesuffix("s"))
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("1e18"):
        return float(value)
    return None


def _find_request_id(value: Json) -> str | None:
    for item in (value, find_error(value)):
        if isinstance(item, Mapping):
            for key in ("request_id", "requestId"):
                found = item.get(key)
                if isinstance(found, str) and found:
                    return found
    return None


def _find_upstream(value: Json, message: str) -> list[Json]:
    """Return the errors inside an error: those under `UPSTREAM_KEYS`, and JSON embedded in its messages."""
    found: list[Json] = []
    texts, level = [message], [value]
    for _ in range(DEEPEST):
        objects = [inner for inner in level if isinstance(inner, Mapping)]
        raw = [item[key] for item in objects for key in UPSTREAM_KEYS if item.get(key)]
        raw += [inner for text in texts if not isinstance(inner := _find_embedded_json(text), NotJson)]
        texts, parsed = [], list[Json]()
        for inner in raw:
            read = _find_embedded_json(inner) if isinstance(inner, str) else inner
            if isinstance(read, NotJson) and isinstance(inner, str):
                parsed.append(_find_page_title(inner))
            elif isinstance(read, Mapping | list):
                parsed.append(read)
        found += parsed
        texts = [find_message(inner) for inner in parsed if not isinstance(inner, str)]
        inside = [inner for item in objects for key, inner in item.items() if key not in QUOTED_KEYS]
        inside += [item for inner in level if isinstance(inner, list) for item in inner]
        level = [inner for inner in (*inside, *parsed) if isinstance(inner, Mapping | list)]
        if not level and not any(texts):
            break
    return found


def _find_embedded_json(text: str) -> Json | NotJson:
    """Return the JSON object or list in a text such as 'OpenAIException - {"error": ...}'."""
    start = text.find("{")
    end = text.rfind("}")
    if start < 0 or end < start:
        return NotJson("no object")
    lead = text[:start].rstrip()
    if lead.endswith("["):
        start, end = len(lead) - 1, max(text.rfind("]"), end)
    return decode_lenient_json(text[start : end + 1])


def _find_page_title(text: str) -> str:
    return read_text(text[:LONGEST_TEXT].encode("utf-8", "replace"))
