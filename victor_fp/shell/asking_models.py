"""Asking a vendor about its models, over a line; what cannot be asked or read is None or a fault, never an exception."""

from __future__ import annotations

from returns.result import Failure, Result, Success

from victor_fp.core.answers import Asked, placed
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols import Codec, Discovery, ModelInfo
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.call import exchanged
from victor_fp.shell.line import Line

MOST_PAGES = 20
"""Pages of a list of models that are followed; vendors give up to a thousand models on each."""


async def models_listed(line: Line) -> Result[list[ModelInfo], Fault]:
    """All models on offer; an empty list where the vendor has no list."""
    match outcome(await line.ready()):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            discovery = speaker.discovery
            if discovery is None:
                return Success([])
            return await _fetch_pages(line, speaker, discovery)


async def _fetch_pages(line: Line, codec: Codec, discovery: Discovery) -> Result[list[ModelInfo], Fault]:
    """Every page of the list, up to a bound; a page that was asked for already ends it."""
    models: dict[str, ModelInfo] = {}
    asked: set[str] = set()
    request: HttpRequest | None = discovery.list_request()
    while request is not None and request.url not in asked and len(asked) < MOST_PAGES:
        asked.add(request.url)
        match outcome(await _fetched(line, codec, request)):
            case Failure(fault):
                return Failure(fault)
            case Success(body):
                for info in discovery.read_list(body):
                    models.setdefault(info.id, info)
                request = None if discovery.next_page is None else discovery.next_page(body)
    return Success(list(models.values()))


async def model_found(line: Line, model: str) -> Result[ModelInfo, Fault]:
    """What the vendor tells of one model."""
    match outcome(await line.ready(model)):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            pass
    discovery = speaker.discovery
    found: ModelInfo | None = None
    refusal: Fault | None = None
    if discovery is not None and discovery.model_request is not None and discovery.read_model is not None:
        match outcome(await _fetched(line, speaker, discovery.model_request(model), model)):
            case Success(body):
                found = discovery.read_model(model, body)
            case Failure(fault):
                refusal = fault
    if discovery is not None and (
        discovery.model_request is None
        or (discovery.list_has_limits and (found is None or found.context_window is None))
    ):
        match outcome(await models_listed(line)):
            case Success(models):
                found = next((info for info in models if info.id == model), found)
            case Failure(fault):
                refusal = refusal or fault
    if found is None and refusal is not None:
        return Failure(refusal)
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
