"""Events of a prediction's stream as deltas: output, logs, error and done, with text as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from victor_fp.core.deltas import Delta, ErrorReported, Stopped, StreamEnded, TextDelta
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, decode_lenient_json
from victor_fp.core.protocols.replicate.errors import fault_from_error, fault_from_status
from victor_fp.core.protocols.shared_events import is_error_object
from victor_fp.core.requests import Endpoint

_PROBLEM_FIELDS = ("error", "detail", "title")


class PredictionEvents(msgspec.Struct, frozen=True):
    """Reader of one stream, without state."""

    endpoint: Endpoint
    dialect: ReplicateDialect

    def read(self, frames: Sequence[Frame]) -> tuple[PredictionEvents, list[Delta]]:
        """Return the reader and the deltas of these events. Events such as logs are skipped."""
        deltas: list[Delta] = []
        for frame in frames:
            match frame.event:
                case "output":
                    deltas.append(TextDelta(frame.data.decode("utf-8", "replace")))
                case "error":
                    deltas.append(self._report_error(_read_value(frame)))
                case "done":
                    deltas += self._emit_done(_read_value(frame))
                case "" | "message":
                    # Without a name only a problem comes, such as that of a proxy in front of the stream.
                    value = _read_value(frame)
                    if isinstance(value, Mapping) and (
                        is_error_object(value) or any(value.get(name) for name in _PROBLEM_FIELDS)
                    ):
                        deltas.append(self._report_error(value))
                case _:
                    pass
        return self, deltas

    def finish(self) -> list[Delta]:
        """Return no deltas: nothing is buffered."""
        return []

    def _report_error(self, value: Json) -> Delta:
        return ErrorReported(fault_from_error(self.endpoint, self.dialect, value, maybe_billed=True))

    def _emit_done(self, value: Json) -> list[Delta]:
        reason = value.get("reason") if isinstance(value, Mapping) else None
        if reason is None:
            return [Stopped("stop"), StreamEnded()]
        status = {"error": "failed"}.get(str(reason), str(reason))
        return [ErrorReported(fault_from_status(self.endpoint, self.dialect, status, ""))]


def _read_value(frame: Frame) -> Json:
    """Return the data as a JSON object, or else as text."""
    value = decode_lenient_json(frame.data)
    return value if isinstance(value, dict) else frame.data.decode("utf-8", "replace")
