"""An error, wherever it stands, becomes a Fault: HTTP bodies, errors in a 200 body, error events inside a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from victor_fp.core.classify import by_prose, classified, prose
from victor_fp.core.dialects import ChatDialect, MistralDialect, ResponsesDialect
from victor_fp.core.faults import AuthRejected, Fault, InvalidRequest, UnsupportedParameter
from victor_fp.core.json import Json, NotJson, decode_json, encode_json
from victor_fp.core.protocols.openai_chat.codes import CODES
from victor_fp.core.requests import Endpoint

Dialect: TypeAlias = ChatDialect | MistralDialect | ResponsesDialect
"""Those whose vendors' errors are told apart by the same codes and words."""
CODE_KEYS = ("code", "type", "error_type", "reason", "status", "status_code")
WAIT_KEYS = ("retry_after", "retry_after_seconds", "retryDelay")
_BAD_KEY = re.compile(r"\b(incorrect|invalid) api key\b", re.IGNORECASE)
_KEY = re.compile(r"(?<=provided: )\S+?(?=[.,;]?(\s|$))|\b(sk|gsk|xai|hf|pplx|csk|fw)[-_][\w*.-]{6,}", re.IGNORECASE)


def fault(endpoint: Endpoint, dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault of an answer with status >= 400, whatever its body is."""
    value = decode_json(body)
    said: Json = prose(body) if isinstance(value, NotJson) else value
    return fault_of(endpoint, dialect, said, status=status, headers=headers)


def fault_of(
    endpoint: Endpoint,
    dialect: Dialect,
    value: Json,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    model: str | None = None,
) -> Fault:
    """The fault that a decoded error means: the whole body, or what stands under `error`. `status` None: inside a 200."""
    error = _error_in(value)
    found = classified(
        endpoint,
        status=status,
        message=masked(_message(error, value)),
        codes={**CODES, **dialect.codes},
        said=codes_in(error, value),
        headers=headers,
        model=model,
        retry_after=_wait_in(value),
    )
    if isinstance(found, UnsupportedParameter) and isinstance(error, dict):
        return msgspec.structs.replace(found, parameter=str(error.get("param") or ""))
    if isinstance(found, InvalidRequest) and _BAD_KEY.search(found.message):
        # xAI answers a bad key with 400 and a code that means no more than that.
        return AuthRejected(**{name: getattr(found, name) for name in found.__struct_fields__})
    return by_prose(found)


def masked(text: str) -> str:
    """A vendor's words without a key: some repeat a refused one, whole if it is short."""
    return _KEY.sub("***", text)


def codes_in(*values: Json) -> list[str | int | None]:
    """Every word that stands where vendors put codes: outer ones first, and at each level the code before the type.

    OpenRouter and other gateways pass the upstream's body through as a text under `raw`.
    """
    level: list[Json] = list(values)
    found: list[str | int | None] = []
    while level:
        objects = [value for value in level if isinstance(value, dict)]
        for key in CODE_KEYS:
            found += [word for value in objects if isinstance(word := value.get(key), str | int)]
        raw = [decode_json(text) for value in objects if isinstance(text := value.get("raw"), str) and text[:1] in "{["]
        level = [inner for value in objects for inner in value.values() if isinstance(inner, dict | list)]
        level += [inner for value in level if isinstance(value, list) for inner in value]
        level += [value for value in raw if not isinstance(value, NotJson)]
    return list(dict.fromkeys(found))


def _error_in(value: Json) -> Json:
    """What stands under `error`, or the value itself; the first of a list."""
    if isinstance(value, list) and value:
        return _error_in(value[0])
    error: Json = value.get("error") if isinstance(value, dict) else None
    return error or value


def _message(error: Json, whole: Json) -> str:
    """The vendor's words, wherever they stand; the JSON itself where there are none."""
    if isinstance(error, str):
        return error
    for place in (error, whole):
        if isinstance(place, dict):
            for key in ("message", "detail", "msg", "error"):
                words = place.get(key)
                if isinstance(words, str) and words:
                    return words
                if words and key in ("message", "detail"):
                    return encode_json(words).decode()
    return encode_json(whole).decode() if whole else ""


def _wait_in(value: Json) -> float | None:
    """Seconds to wait by the body: a number under a key that says so, or Google's delay, which ends in s."""
    level: list[Json] = [value]
    while level:
        objects = [inner for inner in level if isinstance(inner, dict)]
        for place in objects:
            for key in WAIT_KEYS:
                seconds = _seconds(place.get(key))
                if seconds is not None:
                    return seconds
        inside = [inner for place in objects for inner in place.values()]
        inside += [inner for place in level if isinstance(place, list) for inner in place]
        level = [inner for inner in inside if isinstance(inner, dict | list)]
    return None


def _seconds(value: Json) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?s?", value):
        return float(value.removesuffix("s"))
    return None
