"""What an exception that is not ours stands for: its response's status, its transport's failure, or code that stumbled."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.classification.statuses import fault_type_for_status
from victor_fp.core.faults import Fault, InvalidResponse, ServerFailed
from victor_fp.shell.transport.errors import Stage, fault_from_error, known_fault_from_error

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, NameError, AssertionError, NotImplementedError)
"""What code raises that stumbles over an answer, or over itself."""
_DECODERS = frozenset({"msgspec", "pydantic_core", "orjson", "simplejson", "ujson"})


def fault_of_stranger(error: BaseException, *, reading: bool = False) -> Fault:
    """The nearest fault for any exception; `reading` once a part of the answer had come."""
    words = f"{type(error).__name__}: {error}"
    status = _status_of(error)
    if status is not None:
        return fault_type_for_status(status)(message=words, status=status)
    stage: Stage = "reading" if reading else "opening"
    known = known_fault_from_error(error, stage)
    if known is not None:
        return known
    if isinstance(error, _UNREADABLE) or type(error).__module__.partition(".")[0] in _DECODERS:
        return InvalidResponse(message=words, maybe_billed=True)
    return (
        fault_from_error(error, stage) if isinstance(error, OSError) else ServerFailed(message=words, maybe_billed=True)
    )


def _status_of(error: BaseException) -> int | None:
    """The HTTP status that clients put on the response, or on the error itself; only one that is an error's."""
    response = getattr(error, "response", None)
    found = [getattr(thing, name, None) for thing in (response, error) for name in ("status_code", "status", "code")]
    if isinstance(response, Mapping) and isinstance(facts := response.get("ResponseMetadata"), Mapping):  # botocore's
        found.append(facts.get("HTTPStatusCode"))
    return next((status for status in found if isinstance(status, int) and 400 <= status < 600), None)
