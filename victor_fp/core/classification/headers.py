"""Response headers of a failure: the time to wait, and the request id."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.classification.details import read_seconds

REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-debug-trace-id",
    "cf-ray",
)
"""Header names of request ids, most specific first."""


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: `retry-after-ms`, or `retry-after` in seconds or as a date relative to `date`."""
    milliseconds = read_seconds(headers.get("retry-after-ms", "").strip().removesuffix("ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    if given is None:
        return None
    seconds = read_seconds(given.strip())
    if seconds is not None:
        return seconds
    from email.utils import parsedate_to_datetime  # imported here, because it loads many modules and is rarely needed

    try:
        wait = parsedate_to_datetime(given) - parsedate_to_datetime(headers["date"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def read_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the vendor's id of the request."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), None)
