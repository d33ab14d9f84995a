"""The families of batch APIs other than OpenAI's."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from tests.batches.openai_vendor import OpenAIVendor, ResponsesVendor
from tests.batches.vendor import BatchVendor, ChatVendor, Job, parse_form, read_lines, write_lines
from tests.loopback import Received
from tests.openai_shapes import build_error

CREATED = "2023-11-14T22:13:20Z"


class AnthropicVendor(BatchVendor):
    """Requests in the body, a stream of lines out."""

    name = "anthropic"
    path = ""
    states = frozenset({"completed", "expired", "cancelled"})
    lists_unbegun = True

    def handle(self, received: Received) -> tuple[int, Any]:
        path = received.path.partition("?")[0].removeprefix("/v1/messages/batches").strip("/")
        match received.method, path.split("/"):
            case "POST", [""]:
                requests = {one["custom_id"]: one["params"] for one in self.read(received)}
                job = Job(f"msgbatch_{len(self.jobs) + 1}", requests)
                self.jobs[job.id] = job
                return 200, self.show(job)
            case "GET", [""]:
                jobs = [self.show(job) for job in reversed(self.jobs.values())]
                return 200, {"data": jobs, "has_more": False, "first_id": None, "last_id": None}
            case "GET", [identifier] if identifier in self.jobs:
                return 200, self.show(self.jobs[identifier])
            case "POST", [identifier, "cancel"] if identifier in self.jobs:
                self.jobs[identifier].state = "cancelling"
                return 200, self.show(self.jobs[identifier])
            case "GET", [identifier, "results"] if identifier in self.jobs:
                return 200, write_lines([self.build_line(*result) for result in self.jobs[identifier].results])
            case _:
                return 404, {"type": "error", "error": {"type": "not_found_error", "message": "nothing here"}}

    def read(self, received: Received) -> list[dict[str, Any]]:
        requests: Any = received.json()["requests"]
        assert all(set(one) == {"custom_id", "params"} and "stream" not in one["params"] for one in requests)
        return list(requests)

    def show(self, job: Job) -> dict[str, Any]:
        is_over = job.state in self.states
        words = {"pending": "in_progress", "cancelling": "canceling"}
        ends = [end for _, end, *_ in job.results]
        return {
            "id": job.id,
            "type": "message_batch",
            "processing_status": "ended" if is_over else words.get(job.state, job.state),
            "request_counts": {
                "processing": len(job.requests) - len(ends),
                "succeeded": ends.count("answered"),
                "errored": ends.count("failed"),
                "canceled": ends.count("cancelled"),
                "expired": ends.count("expired"),
            },
            "created_at": CREATED,
            "expires_at": "2023-11-15T22:13:20Z",
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": CREATED if job.state in ("cancelling", "cancelled") else None,
            "results_url": "https://elsewhere.invalid/results" if is_over and not job.is_lost else None,
        }

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        results: dict[str, Any] = {
            "answered": {"type": "succeeded", "message": answer},
            "failed": {"type": "errored", "error": answer},
            "expired": {"type": "expired"},
            "cancelled": {"type": "canceled"},
        }
        return {"custom_id": identifier, "result": results[end]}

    def build_completion(self, text: str) -> Any:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m-1",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 5, "output_tokens": 2},
        }

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}}

    def get_text(self, body: Any) -> str:
        content = body["messages"][-1]["content"]
        return str(content if isinstance(content, str) else content[-1]["text"])


class GeminiVendor(BatchVendor):
    """A long-running operation with its results inside; counts are texts."""

    name = "google"
    path = "/v1beta"
    stores_token = True

    def handle(self, received: Received) -> tuple[int, Any]:
        path = received.path.partition("?")[0].removeprefix(self.path).strip("/")
        method, _, rest = path.partition("/")
        match received.method, method, rest:
            case "POST", "models", str() if rest.endswith(":batchGenerateContent"):
                batch: Any = received.json()["batch"]
                given = batch["inputConfig"]["requests"]["requests"]
                requests = {one["metadata"]["key"]: one["request"] for one in given}
                job = Job(f"batches/b{len(self.jobs) + 1}", requests, rest.partition(":")[0])
                job.metadata["name"] = batch["displayName"]
                self.jobs[job.id] = job
                return 200, self.show(job)
            case "GET", "batches", "":
                return 200, {"operations": [self.show(job) for job in reversed(self.jobs.values())]}
            case "GET", "batches", str() if path in self.jobs:
                return 200, self.show(self.jobs[path])
            case "POST", "batches", str() if rest.endswith(":cancel"):
                self.jobs[path.removesuffix(":cancel")].state = "cancelling"
                return 200, {}
            case _:
                return 404, {"error": {"code": 404, "message": "nothing here", "status": "NOT_FOUND"}}

    def show(self, job: Job) -> dict[str, Any]:
        words = {"completed": "SUCCEEDED", "cancelling": "RUNNING"}
        ends = [end for _, end, *_ in job.results]
        is_over = job.state in ("completed", "failed", "expired", "cancelled")
        shown: dict[str, Any] = {
            "name": job.id,
            "metadata": {
                "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
                "model": f"models/{job.model}",
                "displayName": job.metadata["name"],
                "state": f"BATCH_STATE_{words.get(job.state, job.state.upper())}",
                "createTime": CREATED,
                "batchStats": {
                    "requestCount": str(len(job.requests)),
                    "successfulRequestCount": str(ends.count("answered")),
                    "failedRequestCount": str(ends.count("failed")),
                },
            },
            "done": is_over,
        }
        if job.state == "failed":
            shown["error"] = {"code": 3, "message": "line 1 is not valid"}
        elif is_over and not job.is_lost:
            results = [self.build_line(*result) for result in job.results]
            shown["response"] = {"inlinedResponses": {"inlinedResponses": results}}
        return shown

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        return {"metadata": {"key": identifier}, ("response" if end == "answered" else "error"): answer}

    def build_completion(self, text: str) -> Any:
        return {
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
            "modelVersion": "m-1",
        }

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 400, {"code": 3, "message": message}

    def get_text(self, body: Any) -> str:
        return str(body["contents"][-1]["parts"][-1]["text"])


class MistralVendor(ChatVendor):
    """Jobs over uploaded files, whose model is the job's."""

    name = "mistral"
    stores_token = True

    def handle(self, received: Received) -> tuple[int, Any]:
        path = received.path.partition("?")[0].removeprefix(self.path).strip("/")
        match received.method, path.split("/"):
            case "POST", ["files"]:
                fields, file = parse_form(received)
                assert fields == {"purpose": "batch"}
                return 200, {"id": self.store(file), "object": "file", "purpose": "batch"}
            case "POST", ["batch", "jobs"]:
                wanted: Any = received.json()
                assert (wanted["endpoint"], wanted["timeout_hours"]) == ("/v1/chat/completions", 24)
                lines = read_lines(self.files[wanted["input_files"][0]])
                assert all(set(line) == {"custom_id", "body"} for line in lines)
                requests = {line["custom_id"]: line["body"] for line in lines}
                job = Job(f"job-{len(self.jobs) + 1}", requests, wanted["model"], wanted["metadata"])
                job.input_file = wanted["input_files"][0]
                self.jobs[job.id] = job
                return 200, self.show(job)
            case "GET", ["batch", "jobs"]:
                query = parse_qs(received.path.partition("?")[2])
                page, size = (int(query[name][0]) for name in ("page", "page_size"))
                jobs = [self.show(job) for job in reversed(self.jobs.values())]
                return 200, {"object": "list", "total": len(jobs), "data": jobs[page * size : (page + 1) * size]}
            case "GET", ["batch", "jobs", identifier] if identifier in self.jobs:
                return 200, self.show(self.jobs[identifier])
            case "POST", ["batch", "jobs", identifier, "cancel"] if identifier in self.jobs:
                self.jobs[identifier].state = "cancelling"
                return 200, self.show(self.jobs[identifier])
            case "GET", ["files", identifier, "content"] if identifier in self.files:
                return 200, self.files[identifier]
            case _:
                return 404, {"object": "error", "message": "nothing here", "type": "not_found"}

    def store(self, file: bytes) -> str:
        identifier = f"file-{len(self.files) + 1}"
        self.files[identifier] = file
        return identifier

    def show(self, job: Job) -> dict[str, Any]:
        words = {
            "pending": "QUEUED", "completed": "SUCCESS", "failed": "FAILED", "expired": "TIMEOUT_EXCEEDED",
            "cancelling": "CANCELLATION_REQUESTED", "cancelled": "CANCELLED",
        }  # fmt: skip
        ends = [end for _, end, *_ in job.results]
        shown: dict[str, Any] = {
            "id": job.id,
            "object": "batch",
            "input_files": [job.input_file],
            "endpoint": "/v1/chat/completions",
            "model": job.model,
            "metadata": job.metadata,
            "status": words.get(job.state, job.state.upper()),
            "created_at": 1_700_000_000,
            "completed_at": 1_700_000_600 if job.state in self.states else None,
            "errors": [{"message": "line 1 is not valid", "count": 1}] if job.state == "failed" else [],
            "total_requests": len(job.requests),
            "completed_requests": len(ends),
            "succeeded_requests": ends.count("answered"),
            "failed_requests": ends.count("failed"),
            "output_file": None,
            "error_file": None,
        }
        if job.state in ("completed", "expired", "cancelled") and not job.is_lost:
            done = [self.build_line(*result) for result in job.results if result[1] == "answered"]
            failed = [self.build_line(*result) for result in job.results if result[1] == "failed"]
            shown["output_file"] = self.store(write_lines(done)) if done else None
            shown["error_file"] = self.store(write_lines(failed)) if failed else None
        return shown

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        return {"custom_id": identifier, "response": {"status_code": status, "body": answer}, "error": None}

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return 422, {"object": "error", "message": message, "type": "invalid_request_error", "code": "1000"}


class XAIVendor(ChatVendor):
    """Created empty and filled in calls; pages of results; counters in place of a state."""

    name = "xai"
    stores_token = True
    states = frozenset({"completed", "cancelled", "failed"})
    page = 2
    operation = "chat_get_completion"
    expire_time = "2999-12-31"

    def handle(self, received: Received) -> tuple[int, Any]:
        path, _, query = received.path.partition("?")
        path = path.removeprefix(self.path).strip("/")
        match received.method, path.split("/"):
            case "POST", ["batches"]:
                job = Job(f"batch_{len(self.jobs) + 1}", {}, metadata={"name": str(received.json()["name"])})
                self.jobs[job.id] = job
                return 200, self.show(job)
            case "GET", ["batches"]:
                return 200, {"batches": [self.show(job) for job in reversed(self.jobs.values())]}
            case "POST", ["batches", identifier, "requests"]:
                items: Any = received.json()["batch_requests"]
                for item in items:
                    self.jobs[identifier].requests[item["batch_request_id"]] = self.get_body(item["batch_request"])
                return 200, {}
            case "GET", ["batches", identifier, "results"]:
                start = int(query.partition("pagination_token=")[2] or 0)
                results = [] if self.jobs[identifier].is_lost else self.jobs[identifier].results
                shown: dict[str, Any] = {
                    "results": [self.build_line(*one) for one in results[start : start + self.page]]
                }
                if start + self.page < len(results):
                    shown["pagination_token"] = str(start + self.page)
                return 200, shown
            case "POST", ["batches", last] if last.endswith(":cancel"):
                self.jobs[last.removesuffix(":cancel")].state = "cancelling"
                return 200, {}
            case "GET", ["batches", identifier] if identifier in self.jobs:
                return 200, self.show(self.jobs[identifier])
            case _:
                return 404, build_error("nothing here", "not_found", "invalid_request_error")

    def get_body(self, request: dict[str, Any]) -> Any:
        assert set(request) == {self.operation}
        return request[self.operation]

    def show(self, job: Job) -> dict[str, Any]:
        ends = [end for _, end, *_ in job.results]
        is_over = job.state in self.states
        return {
            "batch_id": job.id,
            "name": job.metadata["name"],
            "create_time": CREATED,
            "expire_time": self.expire_time,
            "cancel_time": CREATED if job.state in ("cancelling", "cancelled", "failed") else None,
            "cancel_by_xai_message": "line 1 is not valid" if job.state == "failed" else None,
            "state": {
                "num_requests": len(job.requests),
                "num_pending": 0 if is_over else len(job.requests),
                "num_success": ends.count("answered"),
                "num_error": ends.count("failed"),
                "num_cancelled": len(job.requests) - len(ends) if job.state == "cancelled" else 0,
            },
        }

    def build_line(self, identifier: str, end: str, status: int, answer: Any) -> dict[str, Any]:
        result = (
            {"response": {self.operation: answer}}
            if end == "answered"
            else {"error": {"code": status, "message": answer["error"]["message"]}}
        )
        return {"batch_request_id": identifier, "batch_result": result}


class OpenRouterVendor(OpenAIVendor):
    """Requests in the body, results in the batch; only an ended batch can be deleted, and its results with it."""

    name = "openrouter"
    cancels = False
    path = "/api/v1"
    stores_token = False
    lists_unbegun = False

    def handle(self, received: Received) -> tuple[int, Any]:
        path = received.path.partition("?")[0].removeprefix(self.path).strip("/")
        match received.method, path.split("/"):
            case "POST", ["batches"]:
                wanted: Any = received.json()
                assert list(wanted) == ["endpoint", "model", "requests"]
                requests = {one["custom_id"]: one["body"] for one in wanted["requests"]}
                job = Job(f"batch_{len(self.jobs) + 1}", requests, wanted["model"])
                self.jobs[job.id] = job
                return 202, self.show(job)
            case "GET", ["batches"]:
                query = parse_qs(received.path.partition("?")[2])
                jobs = [*reversed(self.jobs.values())]
                start = 0
                if "after" in query:
                    start = [job.id for job in jobs].index(query["after"][0]) + 1
                page = [{**self.show(job), "results": None} for job in jobs[start : start + int(query["limit"][0])]]
                has_more = start + len(page) < len(jobs)
                last = page[-1]["id"] if page else None
                return 200, {"object": "list", "data": page, "has_more": has_more, "last_id": last}
            case "DELETE", ["batches", identifier] if identifier in self.jobs:
                if self.jobs[identifier].state in ("pending", "running"):
                    return 409, {"error": {"code": 409, "message": "the batch has not ended"}}
                del self.jobs[identifier]
                return 200, {"id": identifier, "object": "batch"}
            case _:
                return super().handle(received)

    def show(self, job: Job) -> dict[str, Any]:
        shown = super().show(job)
        for name in ("input_file_id", "output_file_id", "error_file_id", "errors", "metadata", "expires_at"):
            shown.pop(name)
        is_over = job.state in ("completed", "failed", "expired", "cancelled")
        has_results = is_over and not job.is_lost
        return shown | {
            "model": job.model,
            "error": {"message": "line 1 is not valid"} if job.state == "failed" else None,
            "results": [self.build_line(*result) for result in job.results] if has_results else [],
        }


class XAIResponsesVendor(XAIVendor):
    """The same for Responses."""

    name = "xai-responses"
    operation = "responses"

    def build_completion(self, text: str) -> Any:
        return ResponsesVendor().build_completion(text)

    def get_text(self, body: Any) -> str:
        return ResponsesVendor().get_text(body)


class OpenRouterResponsesVendor(OpenRouterVendor, ResponsesVendor):
    """The same for Responses."""

    name = "openrouter-responses"
