"""A vendor of batches on loopback: it stores jobs, returns results out of order, expires, cancels, duplicates a line and loses a file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Received, Talk
from tests.openai_shapes import build_body, build_error
from victor_fp.core.faults import Fault, InvalidRequest

Answer = Callable[[Any], tuple[int, Any]]
"""From the body of a request to status and body of its answer."""


@dataclass
class Job:
    """One batch at the vendor."""

    id: str
    requests: dict[str, Any]
    """Bodies by id, in the order of submission."""
    model: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    input_file: str = ""
    state: str = "pending"
    results: list[tuple[str, str, int, Any]] = field(default_factory=list)
    """Id, end (answered, failed, expired, cancelled), status and body."""
    is_lost: bool = False
    """The results are gone, though the batch is over."""


class BatchVendor(ABC):
    """What the families have in common; each has its own protocol."""

    name: str
    """Of the catalogue's entry."""
    path = "/v1"
    """Of the base URL."""
    model = "m-1"
    states = frozenset({"completed", "failed", "expired", "cancelled"})
    """How a batch may end."""
    stores_token = False
    """Whether a batch can be found by our mark."""
    settings: Mapping[str, Any] = {}
    """Settings that its provider requires."""
    refused: type[Fault] = InvalidRequest
    """The fault of a row that is refused: a vendor may say no status."""
    lists_unbegun = False
    """Whether results say of a request that it was not begun."""
    cancels = True
    """Whether a batch can be cancelled."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, bytes] = {}
        self.faults: list[tuple[int, Any]] = []
        """Answers to the next requests in place of the real ones."""
        self.hang_on_create = False
        """The next creation works, and its answer never comes."""
        self.received: list[Received] = []

    async def __call__(self, talk: Talk, received: Received) -> None:
        self.received.append(received)
        if self.faults:
            status, body = self.faults.pop(0)
            await talk.answer(body, status)
            return
        count = len(self.jobs)
        status, answer = self.handle(received)
        if self.hang_on_create and len(self.jobs) > count:
            self.hang_on_create = False
            await talk.reset()
            return
        await talk.answer(answer, status)

    @abstractmethod
    def handle(self, received: Received) -> tuple[int, Any]:
        """Status and body of the answer to a request."""

    @abstractmethod
    def build_completion(self, text: str) -> Any:
        """The body of an answer with this text."""

    @abstractmethod
    def build_refusal(self, message: str) -> tuple[int, Any]:
        """Status and body of a refusal that no repetition helps."""

    @abstractmethod
    def get_text(self, body: Any) -> str:
        """The last text of a request's body."""

    def run(self, job: Job, count: int | None = None) -> None:
        """Answer this many requests, all where it is None, in the reverse order; "refuse" in a text is refused."""
        for identifier, body in list(job.requests.items())[:count]:
            text = self.get_text(body)
            if "refuse" in text:
                job.results.insert(0, (identifier, "failed", *self.build_refusal("not this one")))
            else:
                job.results.insert(0, (identifier, "answered", 200, self.build_completion(text.upper())))

    def finish(self, state: str = "completed", count: int | None = None) -> Job:
        """Bring the latest batch to its end, with this many requests answered."""
        job = list(self.jobs.values())[-1]
        self.run(job, count)
        if count is not None and state in ("expired", "cancelled") and self.lists_unbegun:
            job.results += [(identifier, state, 0, None) for identifier in list(job.requests)[count:]]
        job.state = state
        return job


class ChatVendor(BatchVendor):
    """A vendor whose bodies are those of Chat Completions."""

    def build_completion(self, text: str) -> Any:
        return build_body(text)

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, build_error(message, "invalid_value", "invalid_request_error")

    def get_text(self, body: Any) -> str:
        return str(body["messages"][-1]["content"])


def parse_form(received: Received) -> tuple[dict[str, str], bytes]:
    """The fields and the file of an uploaded form."""
    boundary = received.headers["content-type"].partition("boundary=")[2].encode()
    fields: dict[str, str] = {}
    file = b""
    for part in received.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        disposition = head.decode().partition("\r\n")[0]
        name = disposition.partition('name="')[2].partition('"')[0]
        if 'filename="' in disposition:
            file = content
        else:
            fields[name] = content.decode()
    return fields, file


def read_lines(data: bytes) -> list[Any]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def write_lines(lines: list[Any]) -> bytes:
    """A JSONL file of objects."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
