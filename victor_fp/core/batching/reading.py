"""Helpers of the families' readers: times, error messages, and JSONL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec


def parse_time(value: object) -> float | None:
    """Parse a vendor's time, in seconds or RFC 3339, to seconds since 1970; None if invalid.

    >>> parse_time(1700000000), parse_time("2023-11-14T22:13:20Z"), parse_time("soon")
    (1700000000.0, 1700000000.0, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 < value < 1e11 else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_end(value: object) -> float | None:
    """Parse the time of an end like `parse_time`; a date without a time of day is the end of that day.

    >>> parse_end("2023-11-14T22:13:20Z"), parse_end("2023-11-14") == parse_time("2023-11-15")
    (1700000000.0, True)
    """
    found = parse_time(value)
    is_day = isinstance(value, str) and len(value) == len("2023-11-14")
    return found + 86_400.0 if found is not None and is_day else found


def parse_count(value: object) -> int | None:
    """Parse a count, which proto3 JSON writes as a string; None if invalid.

    >>> parse_count("12"), parse_count(12), parse_count("-1")
    (12, 12, None)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:15])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def cut_last_segment(name: str) -> str:
    """Return the last segment of a resource name.

    >>> cut_last_segment("projects/p/batches/7")
    '7'
    """
    return name.rpartition("/")[2]


def describe_error(error: object) -> str:
    """Return a vendor's error, a text or an object with a message, as text of at most 500 characters."""
    if isinstance(error, Mapping):
        inner = error.get("error")
        if isinstance(inner, Mapping | str):
            return describe_error(inner)
        return str(error.get("message") or error.get("code") or "")[:500]
    return "" if error is None else str(error)[:500]


def find_error_code(error: object) -> str:
    """Return the code of a vendor's error in lower case; empty if it has none."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code.lower() if isinstance(code, str) else ""


def iterate_lines(data: bytes) -> Iterator[bytes]:
    """Iterate over the lines of JSONL data that are not blank."""
    return (line for line in data.split(b"\n") if line.strip())


def encode_body(body: object) -> bytes:
    """Encode a decoded body as JSON for the protocol's decoder."""
    return b"" if body is None else msgspec.json.encode(body)
