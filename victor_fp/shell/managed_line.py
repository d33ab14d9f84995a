"""A line of the catalogue as a source: one try is one exchange over it, without the line's own breaker and retries."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.answers import Asked
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.request_building.chat import build_chat_request
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.tool_calling.hearing import hearing
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.call import attempted
from victor_fp.shell.line import Line
from victor_fp.shell.managed_source import Asking
from victor_fp.shell.transport.protocol import Transport, TransportResponse
from victor_fp.shell.trying import Try

_NOTHING: Mapping[str, str] = {}


class LineSource:
    """A provider of the catalogue."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._scope: str | None = None

    @property
    def name(self) -> str:
        """The entry's name."""
        return self._line.endpoint.spec.name

    @property
    def address(self) -> str | None:
        """The base URL."""
        return self._line.endpoint.base_url

    async def scope(self) -> Result[str, Fault]:
        """A digest of base URL and key, once the key was looked up."""
        if self._scope is None:
            match outcome(await self._line.ready()):
                case Failure(fault):
                    return Failure(fault)
                case Success():
                    self._scope = scope_of(self.name, self._line.endpoint.base_url, self._line.secret)
        return Success(self._scope or "")

    async def prepare(self, asking: Asking, model: str, options: Mapping[str, object]) -> PreparedLine | Fault:
        """Options read, the conversation checked, the request written."""
        line = self._line
        match outcome(await line.ready(model)):
            case Failure(fault):
                return fault
            case Success(speaker):
                pass
        request = build_chat_request(
            self.name,
            asking.messages,
            model=model,
            temperature=asking.temperature,
            max_tokens=asking.max_tokens,
            tools=asking.tools,
            stream=asking.stream,
            options=options,
        )
        match outcome(request):
            case Failure(fault):
                return fault
            case Success(chat):
                speaker = hearing(speaker, chat)
        match outcome(speaker.request(chat)):
            case Failure(fault):
                return fault
            case Success(built):
                asked = Asked(endpoint=line.endpoint, model=model, adjustments=built.adjustments)
                return PreparedLine(line, speaker, asked, built)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._line.transport.aclose()


class PreparedLine:
    """One call over a line, with an ear of its own on the line's wire."""

    __slots__ = ("_asked", "_ear", "_line", "_request", "_speaker")

    def __init__(self, line: Line, speaker: Codec, asked: Asked, request: HttpRequest) -> None:
        self._ear = _Ear(line.transport)
        self._line = object.__new__(Line)  # a copy at a tenth of the price: one is made for each call
        self._line.__dict__.update(line.__dict__, transport=self._ear)
        self._speaker = speaker
        self._asked = asked
        self._request = request

    @property
    def heard(self) -> Mapping[str, str]:
        """The headers of the latest answer."""
        return self._ear.heard

    async def attempt(self, timeout: float) -> Result[CompletionResponse, Fault]:
        """One try."""
        self._ear.heard = _NOTHING
        return await attempted(self._line, self._speaker, self._asked, self._request, timeout)

    def pieces(self, timeout: float, left: float | None) -> Try:
        """One try of a stream."""
        self._ear.heard = _NOTHING
        moment = None if left is None else self._line.runtime.now() + left
        return Try(self._line, self._speaker, self._asked, self._request, timeout, moment)


class _Ear:
    """The wire, and what vendors say of budgets on it. It knows nobody: a call leaves no circle of references behind."""

    __slots__ = ("_wire", "heard")

    def __init__(self, wire: Transport) -> None:
        self._wire = wire
        self.heard = _NOTHING

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """As the line's wire does."""
        reply = await self._wire.open(request, secret, timeout)
        headers = getattr(reply, "headers", None)
        if headers is not None:
            self.heard = headers
        return reply

    async def aclose(self) -> None:
        """Nothing: the wire is not this call's."""


def scope_of(name: str, place: str | None, secret: SecretStr | None) -> str:
    """Place and key as a digest that tells neither; a key has too many bits to be found from it."""
    digest = sha256(f"{place}\0{'' if secret is None else secret.get_secret_value()}".encode()).hexdigest()
    return f"{name}:{digest[:16]}"
