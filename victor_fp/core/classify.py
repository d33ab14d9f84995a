"""From an error's code, status and headers to a Fault. Codes and statuses decide, never digits in prose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from victor_fp.core.faults import (
    ContextLengthExceeded,
    Fault,
    InvalidRequest,
    ModelNotFound,
    recast,
)
from victor_fp.core.requests import Endpoint
from victor_fp.core.statuses import kind_of_status

FaultType: TypeAlias = type[Fault]
Codes: TypeAlias = Mapping[str, FaultType]
"""A vendor's codes, lower case, and what they mean."""

LONGEST = 2000
"""Characters of a vendor's words that a fault repeats."""
_PAGE = re.compile(r"<(!doctype )?html\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray")


def classified(
    endpoint: Endpoint,
    *,
    status: int | None,
    message: str,
    codes: Codes,
    said: Iterable[str | int | None] = (),
    headers: Mapping[str, str] | None = None,
    model: str | None = None,
    retry_after: float | None = None,
    maybe_billed: bool = False,
) -> Fault:
    """The fault for an error.

    `said` are the words that stand where this vendor puts codes, most telling first; the first that `codes` knows
    decides, else the status, else ServerFailed. `retry_after` is what the body says, for when the headers do not.
    `status` None is an error inside a stream or a 200 body. The message is never empty.
    """
    headers = headers or {}
    words = [str(word) for word in said if word is not None and word != ""]
    kind = next((codes[word.lower()] for word in words if word.lower() in codes), None)
    if kind is None:
        kind = kind_of_status(status if status is not None else _status_among(words))
    waited = retry_after_of(headers)
    return kind(
        provider=endpoint.spec.name,
        model=model,
        message=message.strip()[:LONGEST] or _unsaid(status),
        status=status,
        code=words[0] if words else None,
        request_id=next((headers[name] for name in _REQUEST_IDS if name in headers), None),
        retry_after=waited if waited is not None else retry_after,
        maybe_billed=maybe_billed,
    )


def prose(body: bytes) -> str:
    """What a body that is no JSON says: a page's title, or its beginning."""
    text = body[: 4 * LONGEST].decode("utf-8", "replace").strip()
    if not _PAGE.match(text):
        return text[:LONGEST]
    title = _TITLE.search(text)
    return title[1] if title is not None and title[1] else "an HTML page"


def _unsaid(status: int | None) -> str:
    """In place of the words of a vendor that says nothing."""
    return "the server reports an error" if status is None else f"HTTP {status}"


def _status_among(words: Iterable[str]) -> int | None:
    """A status that a vendor repeats as a code inside a stream's error."""
    return next((int(word) for word in words if re.fullmatch(r"[45]\d\d", word)), None)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds, or a date measured against the `date` header)."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None or given is None:
        return seconds
    from email.utils import parsedate_to_datetime  # loads a tree of modules for a rare form

    try:
        wait = parsedate_to_datetime(given) - parsedate_to_datetime(headers["date"])
    except (KeyError, TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) else None


TOO_LONG = re.compile(
    r"prompt (is )?too long|maximum context length|context length exceeded|exceeds? the (maximum|model's) (number of|context)"
    r"|input tokens? exceeded|exceeds? the available context|context (window|size) (exceeded|of)|too many tokens|reduce the length",
    re.IGNORECASE,
)
"""Prose by which vendors without a code for it say that a prompt does not fit; used on 400 and 413 only."""

NO_MODEL = re.compile(
    r"\bmodels?\b.{0,100}?(not found|not exist|not a valid|not available|removed|end of its life|deprecated|is invalid)"
    r"|not a valid model|supported API model names|on-demand throughput|unknown model",
    re.IGNORECASE,
)
"""Prose by which vendors without a code for it say that there is no such model; used on 400 and 404 only."""


def by_prose(fault: Fault) -> Fault:
    """A plain InvalidRequest made more exact where only prose tells; everything else as it is."""
    if not isinstance(fault, InvalidRequest) or fault.status not in (400, 413, 422, None):
        return fault
    if TOO_LONG.search(fault.message):
        return recast(ContextLengthExceeded, fault)
    if fault.status == 400 and NO_MODEL.search(fault.message):
        return recast(ModelNotFound, fault)
    return fault
