"""The specification of a call: one immutable value, made by `providers/calls.py` from the arguments of the public methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from victor_fp.core.resilience.queue import Priority
from victor_fp.core.types import Message, ToolDefinition


class CallSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call, independent of the target."""

    messages: tuple[Message, ...] = ()
    texts: tuple[str, ...] = ()
    """The texts to embed, or the documents to rerank."""
    query: str = ""
    """The query that documents are ranked for."""
    background_id: str = ""
    """The vendor's id of a background response."""
    background_tool_names: Mapping[str, str] = {}
    """The names of its tools, as in `HttpRequest.tool_names`."""
    model: str = ""
    """For the first target; empty: the target's own model. Other targets always use their own."""
    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[ToolDefinition, ...] | None = None
    options: Mapping[str, Any] = {}
    """As passed by the caller, without those that the engine handles."""
    stream: bool = False
    timeout: float | None = None
    """Seconds for one attempt; None: that of the target."""
    deadline: float | None = None
    """Seconds in total; None: the sum over all possible attempts."""
    priority: Priority = Priority.NORMAL
    repairs: int = 0
    """Maximum number of times that a response that does not match `response_format` is requested again."""
    max_retries: int | None = None
    """Maximum number of retries at each target; None: that of the target's policy."""
