"""Asking a vendor about its models, over a line; what cannot be asked or read is None or a fault, never an exception."""

from __future__ import annotations

from returns.result import Failure, Result, Success

from victor_fp.core.answers import Asked, placed
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols import Codec, ModelInfo
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.call import exchanged
from victor_fp.shell.line import Line


async def models_listed(line: Line) -> Result[list[ModelInfo], Fault]:
    """All models on offer; an empty list where the vendor has no list."""
    match outcome(await line.ready()):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            discovery = speaker.discovery
            if discovery is None:
                return Success([])
            body = await _fetched(line, speaker, discovery.list_request())
            return body.map(discovery.read_list).map(list)


async def model_found(line: Line, model: str) -> Result[ModelInfo, Fault]:
    """What the vendor tells of one model."""
    match outcome(await line.ready(model)):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            pass
    discovery = speaker.discovery
    found: ModelInfo | None = None
    if discovery is not None and discovery.model_request is not None and discovery.read_model is not None:
        match outcome(await _fetched(line, speaker, discovery.model_request(model), model)):
            case Success(body):
                found = discovery.read_model(model, body)
            case Failure(fault):
                return Failure(fault)
    elif discovery is not None:
        match outcome(await models_listed(line)):
            case Success(models):
                found = next((info for info in models if info.id == model), None)
            case Failure(fault):
                return Failure(fault)
    if found is None:
        spec = line.endpoint.spec
        return Failure(InvalidResponse(provider=spec.name, model=model, message=f"{spec.title} tells nothing of it"))
    return Success(found)


async def tokens_counted(line: Line, request: ChatRequest) -> Result[int | None, Fault]:
    """The vendor's own count of a request's tokens; None where it has no way to count."""
    match outcome(await line.ready(request.model)):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            counting = speaker.counting
            if counting is None:
                return Success(None)
            match outcome(counting.request(request)):
                case Failure(fault):
                    return Failure(fault)
                case Success(built):
                    return (await _fetched(line, speaker, built, request.model)).map(counting.read)


async def _fetched(line: Line, speaker: Codec, request: HttpRequest, model: str | None = None) -> Result[bytes, Fault]:
    """One try, outside the breaker: a question about models is no evidence about answers."""
    asked = Asked(endpoint=line.endpoint, model=model)
    match outcome(await exchanged(line, request, line.timeout)):
        case Failure(fault):
            return Failure(line.shown(placed(asked, fault)))
        case Success((status, headers, body)):
            if status >= 300:
                return Failure(line.shown(placed(asked, speaker.error(status, headers, body))))
            return Success(body)
