"""Functions shared by the families of batch APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.polling import compute_poll_delay
from victor_fp.core.batching.reading import encode_body, find_error_code, iterate_lines
from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchStatus, ItemResult
from victor_fp.core.classification.details import is_error
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, TimedOut
from victor_fp.core.json import Undecodable, WireDecoder
from victor_fp.core.protocols.batches.codec import ResultPage, StatusPage, SubmitStep
from victor_fp.core.requests import Endpoint, HttpRequest, build_missing_setting
from victor_fp.core.result import outcome

T = TypeVar("T")
P = TypeVar("P")

NAME_PREFIX = "victor-fp "
"""The name of a batch is this prefix and the token, for vendors that store a name."""

MAX_WAIT = 3600.0
"""Maximum number of seconds that is waited for a dataset to be processed; no vendor documents a number."""
NOT_STARTED: Mapping[str, Literal["expired", "cancelled"]] = {
    "batch_expired": "expired",
    "batch_cancelled": "cancelled",
    "batch_canceled": "cancelled",
}
"""Error codes of requests that were not started: OpenAI's guide to batches, "expiration"; Morph's documentation."""


class BatchEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its batch API and the operation of the requests."""

    endpoint: Endpoint
    support: BatchSupport
    route: str

    def build_invalid(self, message: str, body: bytes) -> Fault:
        """Return the fault for an unexpected response body."""
        evidence = body[:1000].decode("utf-8", "replace")
        return InvalidResponse(provider=self.endpoint.spec.name, message=message, evidence=evidence)

    def decode(self, decoder: WireDecoder[T], body: bytes, what: str) -> Result[T, Fault]:
        """Decode the body as its model; `what` names it in the error message."""
        found = decoder.decode(body)
        if isinstance(found, Undecodable):
            return Failure(self.build_invalid(f"{what} cannot be decoded: {found.reason}", body))
        return Success(found)

    def decode_with_id(
        self, decoder: WireDecoder[T], body: bytes, what: Literal["batch", "job"], read_id: Callable[[T], str | None]
    ) -> Result[T, Fault]:
        """Decode the body of a batch, which must have an id; `what` names it in the fault's message."""
        return self.decode(decoder, body, f"the {what}").bind(
            lambda found: (
                Success(found)
                if read_id(found)
                else Failure(self.build_invalid(f"the response contains no {what} id", body))
            )
        )

    def decode_page(
        self,
        decoder: WireDecoder[P],
        body: bytes,
        what: Literal["batches", "jobs"],
        read: Callable[[P], tuple[Sequence[T] | None, str | None]],
        read_status: Callable[[BatchHandle, T], BatchStatus],
    ) -> Result[StatusPage, Fault]:
        """Decode a page of batches, of which those without an id are left out.

        `read` returns the vendor's batches and the cursor of the next page, which is None or empty after the last.
        `read_status` decodes one batch, with a handle that has no id yet.
        """
        handle = BatchHandle(provider=self.endpoint.spec.name, id="")

        def read_page(page: P) -> Result[StatusPage, Fault]:
            batches, cursor = read(page)
            statuses = (read_status(handle, batch) for batch in batches or ())
            found = tuple(status for status in statuses if status.handle.id), cursor or None
            return self.reject_error(body).map(lambda _: found) if not batches else Success(found)

        return self.decode(decoder, body, f"the list of {what}").bind(read_page)

    def reject_error(self, body: bytes) -> Result[None, Fault]:
        """Return a fault if a body that lacks what was asked for is an error."""
        return Failure(self.build_invalid("the response is an error", body)) if is_error(body) else Success(None)

    def decode_field(
        self, decoder: WireDecoder[T], body: bytes, what: str, read: Callable[[T], str | None], field: str = "id"
    ) -> Result[str, Fault]:
        """Decode the body and return a field that must not be empty; `what` and `field` name it in the fault's message."""
        return self.decode(decoder, body, f"the {what}").bind(
            lambda found: (
                Success(value)
                if (value := read(found))
                else Failure(self.build_invalid(f"the response contains no {what} {field}", body))
            )
        )

    def build_handle(self, items: Sequence[BatchItem], token: str, input_id: str = "") -> BatchHandle:
        """Build the handle of a batch that is not created yet, and has no id."""
        return BatchHandle(
            provider=self.endpoint.spec.name,
            id="",
            model=items[0].model,
            count=len(items),
            token=token,
            input_id=input_id,
        )

    def compute_end(self, created: float | None) -> float | None:
        """Return when a batch created at `created` ends at the latest; None if that is not documented."""
        hours = self.support.limits.window_hours
        return None if created is None or not hours else created + hours * 3600.0

    def compute_delay(self, dataset: str, waited: float) -> Result[float, Fault]:
        """Return the seconds until a dataset that is being processed is asked for again; TimedOut if it took too long."""
        if waited >= MAX_WAIT:
            message = f"dataset {dataset} was still being processed after {waited:g} s"
            return Failure(TimedOut(provider=self.endpoint.spec.name, message=message, seconds=waited))
        return Success(compute_poll_delay(waited))

    def build_download(self, url: str, root: str) -> Result[HttpRequest, Fault]:
        """Build the request for a file at a signed URL, which no credentials are sent to.

        It must be encrypted, or at the endpoint itself, whose URL is `root`.
        """
        if urlsplit(url).scheme != "https" and not url.startswith(f"{root}/"):
            return Failure(self.build_invalid("the URL of a results file is missing or not valid", b""))
        return Success(HttpRequest(method="GET", url=url, is_presigned=True))

    def compute_expiry(self, created: float | None) -> float | None:
        """Return when the results of a batch created at `created` expire."""
        hours = self.support.limits.results_hours
        return None if created is None or hours is None else created + hours * 3600.0


def sort_page(page: StatusPage) -> StatusPage:
    """Sort the batches of a page, newest first, for vendors that document no order."""
    statuses, cursor = page
    return tuple(sorted(statuses, key=lambda status: status.created_at or 0.0, reverse=True)), cursor


def read_lines(
    decoder: WireDecoder[T], read: Callable[[T], ItemResult | None], data: bytes
) -> Result[ResultPage, Fault]:
    """Decode complete lines; one that cannot be decoded, or without an id, for which `read` returns None, is unreadable."""
    items: list[ItemResult] = []
    for text in iterate_lines(data):
        line = decoder.decode(text)
        item = None if isinstance(line, Undecodable) else read(line)
        items.append(build_unreadable(text) if item is None else item)
    return Success(ResultPage(tuple(items)))


def build_unreadable(data: bytes) -> ItemResult:
    """Return the result for data that cannot be decoded; the results after it can still be read."""
    return ItemResult(id="", end="unreadable", body=data[:1000])


def build_creation(request: HttpRequest, read_status: Callable[[bytes], Result[BatchStatus, Fault]]) -> SubmitStep:
    """Return the step that creates a batch; its response, which `read_status` decodes, has the batch's id."""
    return SubmitStep(
        request=request, read=lambda body: read_status(body).map(lambda status: status.handle), creates=True
    )


def wait_for_dataset(
    bound: BatchEndpoint,
    request: HttpRequest,
    read: Callable[[bytes], Result[bool, Fault]],
    dataset: str,
    following: SubmitStep,
    delay: float = 0.0,
    waited: float = 0.0,
) -> SubmitStep:
    """Return the step that asks for a dataset until it is ready, which is followed by `following`.

    `read` returns whether it is ready, or a fault if it will never be. `waited` are the seconds so far, with the delay.
    """

    def read_check(body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
        match outcome(read(body)):
            case Failure(fault):
                return Failure(fault)
            case Success(is_ready):
                if is_ready:
                    return Success(following)
        return bound.compute_delay(dataset, waited).map(
            lambda pause: wait_for_dataset(bound, request, read, dataset, following, pause, waited + pause)
        )

    return SubmitStep(request=request, read=read_check, delay=delay)


def read_answer(identifier: str, status: int | None, body: object, error: object, request_id: str | None) -> ItemResult:
    """Decode a result in OpenAI's form: a response with a status, or an error, whose code may mean that it was not started."""
    if status is not None and status < 400:
        return ItemResult(id=identifier, end="answered", status=status, body=encode_body(body), request_id=request_id)
    payload = error if body is None else body
    end: Literal["failed", "expired", "cancelled"] = NOT_STARTED.get(find_error_code(error), "failed")
    wrapped = payload if isinstance(payload, Mapping) and "error" in payload else {"error": payload}
    return ItemResult(id=identifier, end=end, status=status, body=encode_body(wrapped), request_id=request_id)


def find_folder(endpoint: Endpoint, scheme: str) -> Result[str, Fault]:
    """Return the URL of the folder for the objects of batches, the setting `batch_location`, without a slash at the end."""
    location = endpoint.settings.get("batch_location", "").rstrip("/")
    if not location:
        return Failure(build_missing_setting(endpoint, "batch_location"))
    if not location.startswith(scheme) or location == scheme.rstrip("/"):
        message = f"batch_location must be a URL such as {scheme}bucket/folder"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    return Success(location)


def join_lines(items: Sequence[BatchItem]) -> bytes:
    """Join the lines of items to the content of a file."""
    return b"\n".join(item.line for item in items) + b"\n"


def read_token(name: str | None, handle: BatchHandle) -> str:
    """Return the token in a batch's name; that of the handle if the name has none."""
    return name.removeprefix(NAME_PREFIX) if name and name.startswith(NAME_PREFIX) else handle.token


def list_raw_items(items: Sequence[BatchItem]) -> list[Any]:
    """Return encoded items for a list in a body; typed as Any, since the list's type is that of their model."""
    return [msgspec.Raw(item.line) for item in items]
