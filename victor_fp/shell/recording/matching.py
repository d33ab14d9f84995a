"""Matching of requests with recorded exchanges, and the differences if none matches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from victor_fp.core.security.redaction import cut_text
from victor_fp.shell.recording.exchange import Exchange, RecordedRequest

Matching: TypeAlias = Literal["strict", "loose"]
"""`strict`: method, URL and body are equal, JSON bodies as values; each exchange is used once. `loose`: method, path,
model and whether it is a stream are equal; the exchanges are used in order, and the last one is repeated."""

_MAX_SHOWN = 5
_MAX_VALUE = 60
_MISSING: Any = object()


def find_exchange(
    exchanges: Sequence[Exchange], uses: Sequence[int], request: RecordedRequest, matching: Matching
) -> int | None:
    """Return the index of the matching exchange; `uses` counts how often each was used."""
    same = [index for index, one in enumerate(exchanges) if is_same(one.request, request)]
    unused = next((index for index in same if not uses[index]), None)
    if unused is not None or matching == "strict":
        return unused
    alike = same or [index for index, one in enumerate(exchanges) if is_alike(one.request, request)]
    return next((index for index in alike if not uses[index]), alike[-1] if alike else None)


def is_same(one: RecordedRequest, other: RecordedRequest) -> bool:
    """Return whether two requests are equal, without headers."""
    return (
        one.method == other.method
        and one.url == other.url
        and (one.body == other.body or _is_same_json(one.body, other.body))
    )


def is_alike(one: RecordedRequest, other: RecordedRequest) -> bool:
    """Return whether two requests have the same method, path, model and streaming."""
    return _make_kind_key(one) == _make_kind_key(other)


def explain_missing(exchanges: Sequence[Exchange], uses: Sequence[int], request: RecordedRequest, location: str) -> str:
    """Explain why no exchange matches: the closest recorded request, and the differences."""
    lead = f"no recording of {request.method} {request.url} in {location}"
    if not exchanges:
        return f"{lead}, which is empty. Record with --record, or mode='record'"
    if any(is_same(one.request, request) for one in exchanges):
        times = sum(is_same(one.request, request) for one in exchanges)
        return f"{lead}: the request was recorded {times} times, and all were used. Record again, or use match='loose'"
    number, differences = min(
        ((index, list_differences(one.request, request)) for index, one in enumerate(exchanges)),
        key=lambda found: (uses[found[0]] > 0, len(found[1])),
    )
    shown = "; ".join(differences[:_MAX_SHOWN])
    more = f"; and {len(differences) - _MAX_SHOWN} more" if len(differences) > _MAX_SHOWN else ""
    return f"{lead}. The closest, exchange {number + 1}, differs: {shown}{more}"


def list_differences(recorded: RecordedRequest, request: RecordedRequest) -> list[str]:
    """Return the differences, as `path: recorded value, now value`."""
    found = [
        f"{name}: recorded {_show(was)}, now {_show(now)}"
        for name, was, now in (("method", recorded.method, request.method), ("url", recorded.url, request.url))
        if was != now
    ]
    was, now = _read_json(recorded.body), _read_json(request.body)
    if was is _MISSING or now is _MISSING:
        if recorded.body != request.body:
            found.append(f"body: recorded {len(recorded.body)} bytes, now {len(request.body)} others")
        return found
    return [*found, *_compare("body", was, now)]


def _compare(path: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*was, *now]):
            yield from _compare(f"{path}.{name}", was.get(name, _MISSING), now.get(name, _MISSING))
    elif isinstance(was, list) and isinstance(now, list):
        for index in range(max(len(was), len(now))):
            yield from _compare(
                f"{path}[{index}]",
                was[index] if index < len(was) else _MISSING,
                now[index] if index < len(now) else _MISSING,
            )
    elif was != now:
        yield f"{path}: recorded {_show(was)}, now {_show(now)}"


def _show(value: Any) -> str:
    return "nothing" if value is _MISSING else cut_text(json.dumps(value, ensure_ascii=False), _MAX_VALUE)


def _read_json(body: bytes) -> Any:
    if not body:
        return _MISSING
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _MISSING


def _is_same_json(one: bytes, other: bytes) -> bool:
    first, second = _read_json(one), _read_json(other)
    return first is not _MISSING and second is not _MISSING and bool(first == second)


def _make_kind_key(request: RecordedRequest) -> tuple[object, ...]:
    body = _read_json(request.body)
    fields = body if isinstance(body, dict) else {}
    return request.method, urlsplit(request.url).path, fields.get("model"), bool(fields.get("stream"))
