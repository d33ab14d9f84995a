"""Families of batch APIs over datasets, whose parts are at signed addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from tests.avro_files import RECORD, write_avro
from tests.batches.vendor import BatchVendor, Job, parse_form, read_lines
from tests.loopback import Received
from victor_fp.core.faults import ServerFailed


class CohereVendor(BatchVendor):
    """Datasets that are validated, bodies of their own, and Avro files as results; lists are oldest first."""

    name = "cohere"
    path = ""
    states = frozenset({"completed", "failed", "cancelled"})
    stores_token = True
    refused = ServerFailed

    def __init__(self) -> None:
        super().__init__()
        self.checks: dict[str, int] = {}
        """How often a dataset is still being processed when it is asked for."""
        self.parts: list[bytes] = []
        self.is_invalid = False

    def handle(self, received: Received) -> tuple[int, Any]:
        path, _, query = received.path.partition("?")
        if path.startswith("/parts/"):
            assert "authorization" not in received.headers
            assert parse_qs(query)["Signature"] == ["s1"]
            return 200, self.parts[int(path.rpartition("/")[2])]
        match received.method, path.strip("/").split("/"):
            case "POST", ["v1", "datasets"]:
                return self.upload(received, parse_qs(query))
            case "GET", ["v1", "datasets", identifier] if identifier in self.files:
                return 200, {"dataset": self.show_input(identifier)}
            case "GET", ["v1", "datasets", identifier] if identifier.removeprefix("out-") in self.jobs:
                return 200, {"dataset": self.show_output(identifier, received.headers["host"])}
            case "POST", ["v2", "batches"]:
                return self.create(received.json())
            case "GET", ["v2", "batches"]:
                assert parse_qs(query)["page_size"] == ["1000"]
                return 200, {"batches": [self.show(job) for job in self.jobs.values()]}
            case "POST", ["v2", "batches", last] if last.endswith(":cancel"):
                self.jobs[last.removesuffix(":cancel")].state = "cancelling"
                return 200, {}
            case "GET", ["v2", "batches", identifier] if identifier in self.jobs:
                return 200, {"batch": self.show(self.jobs[identifier])}
            case _:
                return 404, {"message": "nothing here"}

    def upload(self, received: Received, query: dict[str, list[str]]) -> tuple[int, Any]:
        assert query["type"] == ["batch-chat-v2-input"]
        assert query["name"][0].startswith("victor-fp-")
        assert b'name="data"' in received.body
        fields, file = parse_form(received)
        assert fields == {}
        identifier = f"dataset-{len(self.files) + 1}"
        self.files[identifier] = file
        return 200, {"id": identifier}

    def show_input(self, identifier: str) -> dict[str, Any]:
        is_waiting = self.checks.get(identifier, 0) > 0
        self.checks[identifier] = self.checks.get(identifier, 0) - 1
        state = "failed" if self.is_invalid else "processing" if is_waiting else "validated"
        error = "row 1: unknown role" if self.is_invalid else None
        return {"id": identifier, "validation_status": state, "validation_error": error, "dataset_parts": []}

    def show_output(self, identifier: str, host: str) -> dict[str, Any]:
        records = [self.record(*result) for result in self.jobs[identifier.removeprefix("out-")].results]
        self.parts = [write_avro(RECORD, records[:1]), write_avro(RECORD, records[1:], "deflate")]
        parts = [
            {"id": f"p{index}", "name": "rows", "index": index, "url": f"http://{host}/parts/{index}?Signature=s1"}
            for index in range(len(self.parts))
        ]
        return {"id": identifier, "validation_status": "validated", "dataset_parts": list(reversed(parts))}

    def create(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        assert set(wanted) == {"name", "input_dataset_id", "model"}
        lines = read_lines(self.files[wanted["input_dataset_id"]])
        assert all(set(line) == {"custom_id", "body"} for line in lines)
        requests = {line["custom_id"]: self.to_live(line["body"]) for line in lines}
        job = Job(f"batch-{len(self.jobs) + 1}", requests, wanted["model"], {"name": wanted["name"]})
        job.input_file = wanted["input_dataset_id"]
        self.jobs[job.id] = job
        return 200, {"batch": self.show(job)}

    def to_live(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a live call; those of datasets have lists of parts only."""
        assert "model" not in body
        for message in body["messages"]:
            (part,) = message["content"]
            assert set(part) == {"type", "text"}
            message["content"] = part["text"]
        return body

    def show(self, job: Job) -> dict[str, Any]:
        words = {"pending": "QUEUED", "cancelling": "CANCELING", "cancelled": "CANCELED"}
        ends = [end for _, end, *_ in job.results]
        is_over = job.state in ("completed", "cancelled")
        return {
            "id": job.id,
            "name": job.metadata["name"],
            "status": f"BATCH_STATUS_{words.get(job.state, job.state.upper())}",
            "status_reason": "line 1 is not valid" if job.state == "failed" else "",
            "created_at": f"2023-11-14T22:13:{19 + int(job.id.rpartition('-')[2])}Z",
            "model": job.model,
            "input_dataset_id": job.input_file,
            "output_dataset_id": f"out-{job.id}" if is_over and job.results and not job.is_lost else "",
            "num_records": len(job.requests),
            "num_successful_records": ends.count("answered"),
            "num_failed_records": ends.count("failed"),
        }

    def record(self, identifier: str, end: str, _: int, answer: Any) -> dict[str, Any]:
        if end == "answered":
            return {"custom_id": identifier, "body": answer, "error": ""}
        return {"custom_id": identifier, "body": None, "error": answer["message"]}

    def completion(self, text: str) -> Any:
        return {
            "id": "c-1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
            "usage": {
                "billed_units": {"input_tokens": 5, "output_tokens": 2},
                "tokens": {"input_tokens": 5, "output_tokens": 2},
            },
        }

    def refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"message": message}

    def text_of(self, body: Any) -> str:
        return str(body["messages"][-1]["content"])
