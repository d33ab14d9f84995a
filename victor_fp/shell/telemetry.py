"""What is told of each operation, to whom: the seam for observers, and the one that writes structured logs.

An observer hears that an operation began and gives back what shall hear that it ended. Whatever an observer raises stays
here: watching a call never breaks it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.metrics import Sample
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.shell.managed_source import Asking

LOGGER = "victor_fp"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """An operation was begun."""

    provider: str
    """The first target's."""
    model: str
    address: str | None
    asking: Asking


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """It is over."""

    sample: Sample
    answer: CompletionResponse | StreamChunk | None = None
    """The whole answer, or the final chunk."""
    text: str | None = None
    """A streamed answer's text, where an observer asked for content."""
    fault: Fault | None = None
    attempts: Sequence[Attempt] = ()


Hear: TypeAlias = Callable[[Ended], None]


class Observer(Protocol):
    """Somebody who watches operations."""

    @property
    def wants_content(self) -> bool:
        """Whether the text of streamed answers is to be kept until their end."""
        ...

    def begun(self, operation: Begun) -> Hear | None:
        """An operation begins; what is given back hears its end."""
        ...


def begun(observers: Iterable[Observer], operation: Begun) -> list[Hear]:
    """Tell all of them."""
    listeners: list[Hear] = []
    for observer in observers:
        try:
            hear = observer.begun(operation)
        except Exception:
            _complain(observer)
        else:
            if hear is not None:
                listeners.append(hear)
    return listeners


def ended(listeners: Iterable[Hear], ending: Ended) -> None:
    """Tell all who listen."""
    for hear in listeners:
        try:
            hear(ending)
        except Exception:
            _complain(hear)


def _complain(observer: object) -> None:
    logging.getLogger(LOGGER).warning("an observer failed: %s", type(observer).__name__, exc_info=True)


_SECRETS = (
    # The names of headers and fields that hold keys, whatever follows them.
    re.compile(
        r"(?i)((?:authorization|api[-_ ]?key|x-goog-api-key|access[-_]?token|secret|password)[\"']?\s*[:=]\s*)"
        r"(?:bearer\s+|basic\s+)?[^\s\"',;&}]+"
    ),
    re.compile(r"(?i)(bearer\s+)[a-z0-9._~+/=-]{8,}"),
    # Vendors' own prefixes: OpenAI, Anthropic, OpenRouter, DeepSeek (sk-), Groq, xAI, Google, Hugging Face, AWS, ...
    re.compile(r"()\b(?:sk|pk|rk|gsk|xai|hf|pplx|csk|fw|nvapi|r8|tgp_v1|AIza|AKIA|ASIA|ya29)[-_.]?[A-Za-z0-9_-]{12,}"),
    # User and password in a URL.
    re.compile(r"(://)[^/\s:@]+:[^/\s@]+(?=@)"),
)


def redacted(text: str) -> str:
    """`text` without what looks like a key.

    >>> redacted("Incorrect API key provided: sk-abcdefghijklmnop")
    'Incorrect API key provided: <redacted>'
    """
    for pattern in _SECRETS:
        text = pattern.sub(r"\1<redacted>", text)
    return text


class LogObserver:
    """One log record for each operation: DEBUG where it went well, INFO where it took more than one try, WARNING where it failed.

    The facts are in the record's `victor_fp` attribute, a dict, for formatters that write JSON; neither prompts nor
    answers are among them, and messages are redacted.
    """

    wants_content = False

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(LOGGER)
        if logger is None and not self._logger.handlers:
            self._logger.addHandler(logging.NullHandler())

    def begun(self, operation: Begun) -> Hear | None:  # noqa: ARG002  the end tells all
        """Only the end is logged."""
        return self._ended

    def _ended(self, ending: Ended) -> None:
        sample = ending.sample
        level = level_of(sample)
        if not self._logger.isEnabledFor(level):
            return
        who = f"{sample.provider} {sample.model}"
        message = f"{who}: {sample.outcome} after {sample.seconds:.3f} s, {sample.tries} tries"
        self._logger.log(level, message, extra={"victor_fp": facts_of(ending)})


def level_of(sample: Sample) -> int:
    """How loud an operation's end is."""
    if sample.outcome not in {"ok", "left", "Cancelled"}:
        return logging.WARNING
    return logging.INFO if sample.tries > 1 else logging.DEBUG


def facts_of(ending: Ended) -> Mapping[str, object]:
    """What a record says."""
    facts: dict[str, object] = {
        name: value for name, value in msgspec.to_builtins(ending.sample).items() if value is not None
    }
    if ending.fault is not None:
        fault = ending.fault
        facts["fault"] = {
            "kind": type(fault).__name__,
            "message": redacted(fault.message),
            "status": fault.status,
            "code": fault.code,
            "request_id": fault.request_id,
            "retry_after": fault.retry_after,
        }
    if len(ending.attempts) > 1:
        facts["attempts"] = [
            {**msgspec.to_builtins(attempt), "message": redacted(attempt.message)} for attempt in ending.attempts
        ]
    return facts
