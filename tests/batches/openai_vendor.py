"""Batches as OpenAI has them, and as Together differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.batches.vendor import ChatVendor, Job, parse_form, read_lines, write_lines
from tests.loopback import Received
from tests.openai_shapes import build_error


class OpenAIVendor(ChatVendor):
    """Files of lines in, files of lines out."""

    name = "openai"
    route = "/v1/chat/completions"
    stores_token = True
    lists_unbegun = True

    def handle(self, received: Received) -> tuple[int, Any]:
        path = received.path.partition("?")[0].removeprefix(self.path)
        match received.method, path.strip("/").split("/"):
            case "POST", ["files"]:
                return self.upload(received)
            case "POST", ["batches"]:
                return self.create(received.json())
            case "GET", ["batches"]:
                jobs = [self.show(job) for job in reversed(self.jobs.values())]
                return 200, {"object": "list", "data": jobs, "has_more": False, "first_id": None, "last_id": None}
            case "GET", ["batches", identifier] if identifier in self.jobs:
                return 200, self.show(self.jobs[identifier])
            case "POST", ["batches", identifier, "cancel"] if identifier in self.jobs:
                self.jobs[identifier].state = "cancelling"
                return 200, self.show(self.jobs[identifier])
            case "GET", ["files", identifier, "content"] if identifier in self.files:
                return 200, self.files[identifier]
            case _:
                return 404, build_error(f"nothing at {received.method} {path}", "not_found", "invalid_request_error")

    def upload(self, received: Received) -> tuple[int, Any]:
        fields, file = parse_form(received)
        assert fields == {"purpose": "batch"}
        return 200, {"id": self.store(file), "object": "file", "purpose": "batch", "bytes": len(file)}

    def store(self, file: bytes) -> str:
        identifier = f"file-{len(self.files) + 1}"
        self.files[identifier] = file
        return identifier

    def create(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        assert wanted["endpoint"] == self.route
        assert wanted["completion_window"] == "24h"
        requests = {}
        for line in read_lines(self.files[wanted["input_file_id"]]):
            self.check(line)
            requests[line["custom_id"]] = line["body"]
        job = Job(f"batch_{len(self.jobs) + 1}", requests, metadata=wanted.get("metadata") or {})
        job.input_file = wanted["input_file_id"]
        self.jobs[job.id] = job
        return 200, self.show(job)

    def check(self, line: dict[str, Any]) -> None:
        assert set(line) == {"custom_id", "method", "url", "body"}
        assert (line["method"], line["url"]) == ("POST", self.route)

    def show(self, job: Job) -> dict[str, Any]:
        words = {"pending": "validating", "running": "in_progress"}
        is_over = job.state in ("completed", "expired", "cancelled")
        shown: dict[str, Any] = {
            "id": job.id,
            "object": "batch",
            "endpoint": self.route,
            "input_file_id": job.input_file,
            "completion_window": "24h",
            "status": words.get(job.state, job.state),
            "created_at": 1_700_000_000,
            "expires_at": 1_700_086_400,
            "metadata": job.metadata,
            "errors": None,
            "output_file_id": None,
            "error_file_id": None,
            "request_counts": {
                "total": len(job.requests),
                "completed": sum(end == "answered" for _, end, *_ in job.results),
                "failed": sum(end != "answered" for _, end, *_ in job.results),
            },
        }
        if job.state == "failed":
            shown["errors"] = {
                "object": "list",
                "data": [{"code": "invalid_json_line", "message": "line 1", "line": 1}],
            }
        if is_over and job.results and not job.is_lost:
            done = [self.build_line(*result) for result in job.results if result[1] == "answered"]
            failed = [self.build_line(*result) for result in job.results if result[1] != "answered"]
            shown["output_file_id"] = self.store(write_lines(done)) if done else None
            shown["error_file_id"] = self.store(write_lines(failed)) if failed else None
        return shown

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "id": f"batch_req_{identifier}",
            "custom_id": identifier,
            "response": None,
            "error": None,
        }
        if end in ("expired", "cancelled"):
            whole["error"] = {"code": f"batch_{end}", "message": f"This request was not begun: the batch was {end}."}
        else:
            whole["response"] = {"status_code": status, "request_id": f"req_{identifier}", "body": answer}
        return whole


class ResponsesVendor(OpenAIVendor):
    """The same for OpenAI's Responses."""

    name = "openai-responses"
    route = "/v1/responses"

    def build_completion(self, text: str) -> Any:
        return {
            "id": "resp_1",
            "object": "response",
            "status": "completed",
            "model": "m-1",
            "output": [
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": text, "annotations": []}],
                }
            ],
            "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
        }

    def get_text(self, body: Any) -> str:
        content = body["input"][-1]["content"]
        return str(content if isinstance(content, str) else content[-1]["text"])


class ZaiVendor(OpenAIVendor):
    """The same with a route of its own."""

    name = "zai-china"
    path = "/api/paas/v4"
    route = "/v4/chat/completions"


class QwenVendor(OpenAIVendor):
    """The same without metadata."""

    name = "qwen"
    path = "/compatible-mode/v1"
    stores_token = False

    def create(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        assert "metadata" not in wanted
        return super().create(wanted)


class TogetherVendor(OpenAIVendor):
    """States in upper case, another upload, lines without a URL, lists without an object, times as text."""

    name = "together"
    stores_token = False

    def handle(self, received: Received) -> tuple[int, Any]:
        if (received.method, received.path) == ("POST", "/v1/files/upload"):
            fields, file = parse_form(received)
            assert fields["purpose"] == "batch-api"
            assert fields["file_type"] == "jsonl"
            assert fields["file_name"].endswith(".jsonl")
            return 200, {"id": self.store(file), "object": "file", "purpose": "batch-api", "FileType": "jsonl"}
        status, answer = super().handle(received)
        if (received.method, received.path) == ("POST", "/v1/batches"):
            return 201, {"job": answer, "warning": ""}
        if received.method == "GET" and received.path.partition("?")[0] == "/v1/batches":
            return status, answer["data"]
        return status, answer

    def check(self, line: dict[str, Any]) -> None:
        assert set(line) == {"custom_id", "body"}

    def show(self, job: Job) -> dict[str, Any]:
        shown = super().show(job)
        counts = shown.pop("request_counts")
        for name in ("metadata", "errors", "expires_at", "object"):
            shown.pop(name)
        shown |= {
            "status": {"cancelling": "IN_PROGRESS"}.get(job.state, shown["status"].upper()),
            "created_at": "2023-11-14T22:13:20Z",
            "job_deadline": "2023-11-15T22:13:20Z",
            "progress": 100.0 * counts["completed"] / max(1, counts["total"]),
            "user_id": "u-1",
        }
        return shown | ({"error": "line 1 cannot be read"} if job.state == "failed" else {})


class AzureVendor(OpenAIVendor):
    """The same below a resource's own address."""

    name = "azure"
    path = "/openai/v1"


class AzureResponsesVendor(ResponsesVendor):
    """The same for Responses."""

    name = "azure-responses"
    path = "/openai/v1"


class GroqVendor(OpenAIVendor):
    """The same."""

    name = "groq"
    path = "/openai/v1"


class MoonshotVendor(OpenAIVendor):
    """The same."""

    name = "moonshot"


class MoonshotChinaVendor(OpenAIVendor):
    """The same."""

    name = "moonshot-china"


class CerebrasVendor(OpenAIVendor):
    """The same with states of its own; a batch is cancelled by its deletion."""

    name = "cerebras"

    def handle(self, received: Received) -> tuple[int, Any]:
        if received.method == "DELETE":
            received = replace(received, method="POST", path=f"{received.path}/cancel")
        elif received.path.endswith("/cancel"):
            return 404, build_error("nothing here", "not_found", "invalid_request_error")
        return super().handle(received)

    def show(self, job: Job) -> dict[str, Any]:
        shown = super().show(job)
        return shown | {
            "status": {"validating": "queued", "in_progress": "running"}.get(shown["status"], shown["status"])
        }


class QwenChinaVendor(QwenVendor):
    """The same in another region."""

    name = "qwen-china"
