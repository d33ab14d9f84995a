"""An error, wherever it stands, becomes a Fault, by the codes and words that chats have as well."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_chat.codes import CODES
from victor_fp.core.protocols.openai_chat.errors import codes_in, fault_of
from victor_fp.core.protocols.openai_chat.errors import fault as chat_fault
from victor_fp.core.requests import Endpoint


def fault(endpoint: Endpoint, dialect: ResponsesDialect, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault of an answer with status >= 400, whatever its body is."""
    return chat_fault(endpoint, dialect, status, headers, body)


def fault_within(endpoint: Endpoint, dialect: ResponsesDialect, error: Json, *, model: str | None = None) -> Fault:
    """The fault of an error inside a stream or an answer with status 200."""
    return fault_of(endpoint, dialect, {"error": error}, model=model)


def telling(dialect: ResponsesDialect, error: Json) -> bool:
    """Whether one of an error's codes says what went wrong."""
    known = {**CODES, **dialect.codes}
    return any(str(word).lower() in known for word in codes_in(error))
