"""Families of batch APIs over datasets, whose parts are at signed addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.avro_files import RECORD, write_avro
from tests.batches.vendor import BatchVendor, ChatVendor, Job, parse_form, read_lines, write_lines
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
        """How often a dataset is still being processed when it is requested."""
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

    def build_completion(self, text: str) -> Any:
        return {
            "id": "c-1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
            "usage": {
                "billed_units": {"input_tokens": 5, "output_tokens": 2},
                "tokens": {"input_tokens": 5, "output_tokens": 2},
            },
        }

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"message": message}

    def get_text(self, body: Any) -> str:
        return str(body["messages"][-1]["content"])


class FireworksVendor(ChatVendor):
    """Jobs of an account over datasets that are created, filled and ready later; two files of results."""

    name = "fireworks"
    path = "/inference/v1"
    settings: Mapping[str, str] = {"account_id": "acct"}
    stores_token = True
    refused = ServerFailed
    root = "/v1/accounts/acct/"

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0
        """How often the next dataset is not ready yet."""
        self.counts: dict[str, str] = {}
        """Number of lines that a dataset was created with."""
        self.signed: list[bytes] = []

    def handle(self, received: Received) -> tuple[int, Any]:
        path, _, query = received.path.partition("?")
        if path.startswith("/files/"):
            assert "authorization" not in received.headers
            return 200, self.signed[int(path.rpartition("/")[2])]
        assert path.startswith(self.root)
        given = parse_qs(query)
        match received.method, path.removeprefix(self.root).split("/"):
            case "POST", ["datasets"]:
                return self.create_dataset(received.json())
            case "POST", ["datasets", last] if last.endswith(":upload"):
                return self.fill_dataset(last.removesuffix(":upload"), received)
            case "GET", ["datasets", last] if last.endswith(":getDownloadEndpoint"):
                return self.sign(last.removesuffix(":getDownloadEndpoint"), received.headers["host"])
            case "GET", ["datasets", identifier] if identifier in self.files:
                return 200, self.show_dataset(identifier)
            case "POST", ["batchInferenceJobs"]:
                return self.create(received.json(), given["batchInferenceJobId"][0])
            case "GET", ["batchInferenceJobs"]:
                assert (given["pageSize"], given["orderBy"]) == (["200"], ["created_time desc"])
                return 200, {"batchInferenceJobs": [self.show(job) for job in reversed(self.jobs.values())]}
            case "GET", ["batchInferenceJobs", identifier] if identifier in self.jobs:
                return 200, self.show(self.jobs[identifier])
            case "DELETE", ["batchInferenceJobs", identifier] if identifier in self.jobs:
                self.jobs[identifier].state = "cancelling"
                return 200, {}
            case _:
                return 404, {"code": 5, "details": [], "message": "resource not found"}

    def create_dataset(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        assert set(wanted) == {"datasetId", "dataset"}
        assert wanted["dataset"]["userUploaded"] == {}
        self.files[wanted["datasetId"]] = b""
        self.counts[wanted["datasetId"]] = wanted["dataset"]["exampleCount"]
        return 200, self.show_dataset(wanted["datasetId"])

    def fill_dataset(self, identifier: str, received: Received) -> tuple[int, Any]:
        fields, file = parse_form(received)
        assert (fields, self.files[identifier]) == ({}, b"")
        assert self.counts[identifier] == str(len(read_lines(file)))
        self.files[identifier] = file
        return 200, {"id": f"accounts/acct/datasets/{identifier}", "object": "file", "bytes": len(file)}

    def show_dataset(self, identifier: str) -> dict[str, Any]:
        is_ready = bool(self.files[identifier]) and self.checks <= 0
        self.checks -= bool(self.files[identifier])
        return {
            "name": f"accounts/acct/datasets/{identifier}",
            "state": "READY" if is_ready else "UPLOADING",
            "status": {"code": "OK", "message": ""},
            "userUploaded": {},
        }

    def create(self, wanted: dict[str, Any], identifier: str) -> tuple[int, Any]:
        assert set(wanted) == {"model", "inputDatasetId", "displayName"}
        if identifier in self.jobs:
            return 409, {"code": 6, "details": [], "message": "already exists"}
        dataset = wanted["inputDatasetId"].removeprefix("accounts/acct/datasets/")
        lines = read_lines(self.files[dataset])
        assert all(set(line) == {"custom_id", "body"} and "model" not in line["body"] for line in lines)
        requests = {line["custom_id"]: line["body"] for line in lines}
        job = Job(identifier, requests, wanted["model"], {"displayName": wanted["displayName"]})
        job.input_file = wanted["inputDatasetId"]
        self.jobs[identifier] = job
        return 200, self.show(job)

    def show(self, job: Job) -> dict[str, Any]:
        words = {"pending": "VALIDATING", "cancelling": "DELETING_CLEANING_UP"}
        ends = [end for _, end, *_ in job.results]
        has_output = not job.is_lost
        code = ("INVALID_ARGUMENT", "syntax error in line 1") if job.state == "failed" else ("OK", "")
        return {
            "name": f"accounts/acct/batchInferenceJobs/{job.id}",
            "displayName": job.metadata["displayName"],
            "createTime": "2023-11-14T22:13:20.029803417Z",
            "expireTime": "2023-11-15T22:13:20Z",
            "state": f"JOB_STATE_{words.get(job.state, job.state.upper())}",
            "status": {"code": code[0], "message": code[1]},
            "model": job.model,
            "inputDatasetId": job.input_file,
            "outputDatasetId": f"accounts/acct/datasets/out-{job.id}" if has_output else "",
            "jobProgress": {
                "totalInputRequests": len(job.requests),
                "totalProcessedRequests": len(ends),
                "successfullyProcessedRequests": ends.count("answered"),
                "failedRequests": ends.count("failed"),
                "outputRows": len(ends),
            }
            if ends
            else None,
            "continuedFromJobName": "",
            "waitingOnCapacity": False,
        }

    def sign(self, dataset: str, host: str) -> tuple[int, Any]:
        results = self.jobs[dataset.removeprefix("out-")].results
        done = [{"custom_id": name, "response": answer} for name, end, _, answer in results if end == "answered"]
        failed = [{"custom_id": name, "error": answer["error"]} for name, end, _, answer in results if end == "failed"]
        self.signed = [write_lines(done), write_lines(failed)]
        names = ("BIJOutputSet.jsonl", "error-data")
        urls = {
            f"dataset/{dataset}/{name}": f"http://{host}/files/{index}?X-Goog-Signature=s"
            for index, name in enumerate(names)
        }
        return 200, {"filenameToSignedUrls": urls}
