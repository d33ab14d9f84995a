"""Vendors that read requests from a bucket of the caller and write results to it."""

from __future__ import annotations

import json
from base64 import b32decode
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from returns.result import Result, Success

from tests.batches.other_vendors import CREATED, AnthropicVendor, GeminiVendor
from tests.batches.vendor import BatchVendor, Job, read_lines, write_lines
from tests.loopback import Received
from victor_fp.core.faults import Fault


class MemoryObjects:
    """A store in memory that gives objects in small pieces."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def write(self, url: str, data: bytes) -> Result[None, Fault]:
        self.objects[url] = data
        return Success(None)

    async def list(self, prefix: str) -> Result[tuple[str, ...], Fault]:
        assert prefix.endswith("/")
        return Success(tuple(url for url in self.objects if url.startswith(prefix)))

    async def read(self, url: str) -> AsyncGenerator[Result[bytes, Fault], None]:
        data = self.objects[url]
        for start in range(0, len(data), 100):
            yield Success(data[start : start + 100])


class VertexVendor(GeminiVendor):
    """Batch prediction jobs, whose results have the request; the id is in its labels."""

    name = "vertex"
    place = "/v1/projects/p/locations/us-central1"
    path = f"{place}/publishers/google"
    publisher = "google"
    stranger: Mapping[str, Any] = {"request": {"labels": {"victor-fp-id-0": "on2heylom5sxe"}}}
    """A line of a request that was not submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, Any] = {}
        self.store = MemoryObjects()
        self.settings = {"batch_location": "gs://bucket/jobs/", "batch_store": self.store}

    def handle(self, received: Received) -> tuple[int, Any]:
        path, _, query = received.path.removeprefix(self.place).partition("?")
        match received.method, path.strip("/").split("/"):
            case "POST", ["batchPredictionJobs"]:
                wanted: Any = received.json()
                assert (
                    wanted["inputConfig"]["instancesFormat"] == wanted["outputConfig"]["predictionsFormat"] == "jsonl"
                )
                assert wanted["model"] == f"publishers/{self.publisher}/models/{self.model}"
                lines = read_lines(self.store.objects[wanted["inputConfig"]["gcsSource"]["uris"][0]])
                self.lines |= {self.split(line)[0]: line for line in lines}
                name = f"projects/1/locations/us-central1/batchPredictionJobs/{len(self.jobs) + 1}"
                job = Job(name, dict(map(self.split, lines)), wanted["model"], {"name": wanted["displayName"]})
                job.input_file = wanted["outputConfig"]["gcsDestination"]["outputUriPrefix"]
                self.jobs[job.id] = job
                return 200, self.show(job)
            case "GET", ["batchPredictionJobs"]:
                assert query == "pageSize=100"
                return 200, {"batchPredictionJobs": [self.show(job) for job in self.jobs.values()]}
            case "POST", ["batchPredictionJobs", last] if last.endswith(":cancel"):
                self.jobs[self.find(last.removesuffix(":cancel"))].state = "cancelling"
                return 200, {}
            case "GET", ["batchPredictionJobs", last] if self.find(last):
                return 200, self.show(self.jobs[self.find(last)])
            case _:
                return 404, {"error": {"code": 404, "message": "nothing here", "status": "NOT_FOUND"}}

    def find(self, last: str) -> str:
        return next((name for name in self.jobs if name.endswith(f"/{last}")), "")

    def split(self, line: dict[str, Any]) -> tuple[str, Any]:
        assert set(line) == {"request"}
        request = dict(line["request"])
        labels = request.pop("labels")
        pieces = [labels[f"victor-fp-id-{number}"] for number in range(len(labels))]
        assert all(len(piece) <= 63 and piece == piece.lower() for piece in pieces)
        text = "".join(pieces).upper()
        return b32decode(text + "=" * (-len(text) % 8)).decode(), request

    def show(self, job: Job) -> dict[str, Any]:
        words = {"completed": "SUCCEEDED"}
        ends = [end for _, end, *_ in job.results]
        is_over = job.state in self.states
        shown: dict[str, Any] = {
            "name": job.id,
            "displayName": job.metadata["name"],
            "model": job.model,
            "state": f"JOB_STATE_{words.get(job.state, job.state.upper())}",
            "createTime": f"2023-11-14T22:13:{job.id.rpartition('/')[2].zfill(2)}Z",
        }
        if job.state == "failed":
            shown["error"] = {"code": 3, "message": "line 1 is not valid"}
        elif is_over and not job.is_lost:
            directory = f"{job.input_file}/prediction-model-{CREATED}"
            results = write_lines([self.build_line(*result) for result in job.results])
            self.store.objects[f"{directory}/predictions.jsonl"] = results
            self.store.objects[f"{directory}/incremental_predictions.jsonl"] = results
            shown["outputInfo"] = {"gcsOutputDirectory": directory}
            shown["completionStats"] = {
                "successfulCount": str(ends.count("answered")),
                "failedCount": str(ends.count("failed")),
                "incompleteCount": str(len(job.requests) - len(ends)),
            }
        return shown

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        error = f"Bad Request: {json.dumps(answer)}"
        return {
            **self.lines.get(identifier, self.stranger),
            "status": "" if end == "answered" else error,
            "response": answer if end == "answered" else {},
            "processed_time": CREATED,
        }

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


class VertexClaudeVendor(VertexVendor):
    """The same for Claude, with the id in a field."""

    name = "vertex-anthropic"
    path = VertexVendor.place
    publisher = "anthropic"
    stranger = {"custom_id": "stranger", "request": {}}  # noqa: RUF012  read only

    def split(self, line: dict[str, Any]) -> tuple[str, Any]:
        assert set(line) == {"custom_id", "request"}
        assert line["request"]["anthropic_version"] == "vertex-2023-10-16"
        return line["custom_id"], line["request"]

    def build_completion(self, text: str) -> Any:
        return AnthropicVendor().build_completion(text)

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return AnthropicVendor().build_refusal(message)

    def get_text(self, body: Any) -> str:
        return AnthropicVendor().get_text(body)


class BedrockVendor(BatchVendor):
    """Model invocation jobs over records of Converse."""

    name = "bedrock"
    path = ""
    stores_token = True

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryObjects()
        self.settings = {
            "region": "eu-west-1",
            "batch_location": "s3://bucket/jobs",
            "batch_role": "arn:aws:iam::123456789012:role/batches",
            "batch_store": self.store,
        }

    def handle(self, received: Received) -> tuple[int, Any]:
        path, _, query = received.path.strip("/").partition("?")
        match received.method, path.split("/"):
            case "POST", ["model-invocation-job"]:
                wanted: Any = received.json()
                assert wanted["roleArn"] == self.settings["batch_role"]
                assert wanted["timeoutDurationInHours"] == 24
                assert len(wanted["jobName"]) <= 63
                lines = read_lines(self.store.objects[wanted["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]])
                assert all(set(line) == {"recordId", "modelInput"} for line in lines)
                requests = {line["recordId"]: line["modelInput"] for line in lines}
                self.check_records(wanted["modelInvocationType"], list(requests.values()))
                name = f"arn:aws:bedrock:eu-west-1:123456789012:model-invocation-job/job{len(self.jobs) + 1}"
                job = Job(name, requests, wanted["modelId"], {"token": wanted["clientRequestToken"]})
                job.input_file = wanted["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
                self.jobs[job.id] = job
                return 200, {"jobArn": job.id}
            case "GET", ["model-invocation-jobs"]:
                assert query == "maxResults=100&sortBy=CreationTime&sortOrder=Descending"
                return 200, {"invocationJobSummaries": [self.show(job) for job in reversed(self.jobs.values())]}
            case "GET", ["model-invocation-job", last] if self.find(last):
                return 200, self.show(self.jobs[self.find(last)])
            case "POST", ["model-invocation-job", last, "stop"] if self.find(last):
                self.jobs[self.find(last)].state = "cancelling"
                return 200, {}
            case _:
                return 404, {"message": "nothing here"}

    def check_records(self, kind: str, records: list[Any]) -> None:
        if kind == "Converse":
            assert not any("toolConfig" in record or "anthropic_version" in record for record in records)
        else:
            assert kind == "InvokeModel"
            assert {record["anthropic_version"] for record in records} == {"bedrock-2023-05-31"}
            assert not any("model" in record or "stream" in record for record in records)

    def find(self, last: str) -> str:
        return next((name for name in self.jobs if name.endswith(f"/{last}")), "")

    def show(self, job: Job) -> dict[str, Any]:
        words = {"pending": "Scheduled", "cancelling": "Stopping", "cancelled": "Stopped"}
        ends = [end for _, end, *_ in job.results]
        if job.state in ("completed", "expired", "cancelled") and not job.is_lost:
            folder = f"{job.input_file}{job.id.rpartition('/')[2]}"
            results = write_lines([self.build_line(*result) for result in job.results])
            self.store.objects[f"{folder}/records.jsonl.out"] = results
            self.store.objects[f"{folder}/manifest.json.out"] = b'{"totalRecordCount": 4}'
        return {
            "jobArn": job.id,
            "modelId": job.model,
            "clientRequestToken": job.metadata["token"],
            "status": words.get(job.state, job.state.title()),
            "message": "line 1 is not valid" if job.state == "failed" else None,
            "submitTime": CREATED,
            "jobExpirationTime": "2023-11-15T22:13:20Z",
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": job.input_file}},
            "totalRecordCount": len(job.requests),
            "processedRecordCount": len(ends),
            "successRecordCount": ends.count("answered"),
            "errorRecordCount": ends.count("failed"),
        }

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        output = {"modelOutput": answer} if end == "answered" else {"error": answer}
        return {"recordId": identifier, "modelInput": {}, **output}

    def build_completion(self, text: str) -> Any:
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
            "metrics": {"latencyMs": 1},
        }

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"errorCode": 400, "errorMessage": message}

    def get_text(self, body: Any) -> str:
        return str(body["messages"][-1]["content"][-1]["text"])
