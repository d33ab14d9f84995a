"""Telemetry of operations: the observer interface, and the observer that writes structured logs.

An observer is notified when an operation begins, and returns a callback for its end. Exceptions of observers are logged
and never affect the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.security.redaction import redact_text
from victor_fp.core.telemetry.metrics import NOT_FAILURES, Sample
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.runtime import LOGGER


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The start of an operation."""

    provider: str
    """Provider of the first target."""
    model: str
    address: str | None
    spec: CallSpec
    operation: str = "chat"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an operation. The sample names the target that responded, or failed last."""

    sample: Sample
    operation: str = "chat"
    address: str | None = None
    """Base URL of that target."""
    answer: CompletionResponse | StreamChunk | None = None
    """The response, or the final chunk."""
    text: str | None = None
    """The text of a stream, if an observer has `wants_content`."""
    chunk_gaps: Sequence[float] = ()
    """Seconds between the batches of a stream."""
    fault: Fault | None = None
    attempts: Sequence[Attempt] = ()


OnEnd: TypeAlias = Callable[[Ended], None]
"""Called at the end of an operation."""


class Observer(Protocol):
    """Observes operations."""

    @property
    def wants_content(self) -> bool:
        """Whether the observer receives the text of streams. Default if the attribute is missing: False."""
        ...

    def begun(self, operation: Begun) -> OnEnd | None:
        """Handle the start of an operation; the returned callback is called at its end."""
        ...


def notify_begin(observers: Iterable[Observer], operation: Begun) -> list[OnEnd]:
    """Notify all observers; return the callbacks for the end."""
    on_end: list[OnEnd] = []
    for observer in observers:
        try:
            function = observer.begun(operation)
        except Exception:
            _log_failure(observer)
        else:
            if function is not None:
                on_end.append(function)
    return on_end


def notify_end(on_end: Iterable[OnEnd], ending: Ended) -> None:
    """Call all callbacks for the end."""
    for function in on_end:
        try:
            function(ending)
        except Exception:
            _log_failure(function)


def has_content_observer(observers: Iterable[Observer]) -> bool:
    """Return whether any observer receives the text of streams."""
    return any(map(_is_content_observer, observers))


def _is_content_observer(observer: Observer) -> bool:
    try:
        return bool(observer.wants_content)
    except Exception:  # missing, or a property that raises
        return False


def _log_failure(observer: object) -> None:
    logging.getLogger(LOGGER).warning("an observer failed: %s", type(observer).__name__, exc_info=True)


class LogObserver:
    """Logs each operation: DEBUG for success, INFO for success after several attempts, WARNING for failure.

    The record's `victor_fp` attribute is a dict with the details, for JSON formatters. It contains neither prompts nor
    responses, and messages are redacted.
    """

    wants_content = False

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(LOGGER)
        if logger is None and not self._logger.handlers:
            self._logger.addHandler(logging.NullHandler())

    def begun(self, operation: Begun) -> OnEnd | None:  # noqa: ARG002  the end has all details
        """Return the callback that logs the end."""
        return self.log

    def is_enabled(self, sample: Sample) -> bool:
        """Return whether an operation is logged; if not, its details need not be collected."""
        return self._logger.isEnabledFor(choose_level(sample))

    def log(self, ending: Ended) -> None:
        """Log the end of an operation."""
        sample = ending.sample
        if self.is_enabled(sample):
            target = f"{sample.provider} {sample.model}"
            message = f"{target}: {sample.outcome} after {sample.seconds:.3f} s, {sample.tries} attempts"
            self._logger.log(choose_level(sample), to_log_line(message), extra={"victor_fp": collect_facts(ending)})


def to_log_line(text: str) -> str:
    r"""Show line ends and other characters that cannot be printed as escapes, since a vendor or a user may have chosen them.

    >>> to_log_line("500\nok")
    '500\\nok'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def choose_level(sample: Sample) -> int:
    """Return the log level for an operation."""
    if sample.outcome not in NOT_FAILURES:
        return logging.WARNING
    return logging.INFO if sample.tries > 1 else logging.DEBUG


def collect_facts(ending: Ended) -> Mapping[str, object]:
    """Return the details of the record."""
    facts: dict[str, object] = {
        name: value for name, value in msgspec.to_builtins(ending.sample).items() if value is not None
    }
    if ending.fault is not None:
        fault = ending.fault
        facts["fault"] = {
            "kind": type(fault).__name__,
            "message": redact_text(fault.message, names=True),
            "status": fault.status,
            "code": fault.code,
            "request_id": fault.request_id,
            "retry_after": fault.retry_after,
        }
    if len(ending.attempts) > 1:
        facts["attempts"] = [
            {**msgspec.to_builtins(attempt), "message": redact_text(attempt.message, names=True)}
            for attempt in ending.attempts
        ]
    return facts
