"""Vendor, wording and status give the fault: typed details, bounded by the status, refined by phrases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalogue_samples import PROVIDERS as BY_PROTOCOL
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.classification.classifier import EVIDENCE_LIMIT, MESSAGE_LIMIT, make_evidence
from victor_fp.core.classification.details import read_body
from victor_fp.core.classification.phrases import COMMON_PHRASES, CONTEXT_OVERFLOW
from victor_fp.core.faults import (
    FAULT_TYPES,
    ContentRefused,
    Fault,
    FaultBase,
    InvalidRequest,
    InvalidResponse,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
    can_retry,
    is_breaker_failure,
    redact_fault,
    with_context,
)
from victor_fp.core.resilience.cooldown import Cooldown, record_fault

SETTINGS = {"endpoint": "https://x.test", "region": "r", "project": "p", "location": "l"}
PROVIDERS = sorted(CATALOGUE.names)
ONE_OF_EACH = tuple(BY_PROTOCOL.values())


def read_fault(provider: str, status: int, body: Any, headers: dict[str, str] | None = None) -> Fault:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replay.response(provider, status, headers or {}, data, settings=SETTINGS).failure()


def build_error_body(provider: str, message: str) -> dict[str, Any]:
    """An error body as the provider's protocol has it."""
    match provider:
        case "bedrock" | "cohere":
            return {"message": message}
        case "ollama":
            return {"error": message}
        case "replicate":
            return {"detail": message}
        case "anthropic":
            return {"type": "error", "error": {"type": "api_error", "message": message}}
        case _:
            return {"error": {"message": message}}


WORDINGS = (
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 197202 + 8192 > 200000, decrease input length",
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 289650 tokens.",
    "The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).",
    "Unable to submit request because the input token count is 1251952 but model only supports up to 1048576.",
    "Input is too long for requested model.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
    "The input (85050 tokens) is longer than the model's context length (32768 tokens).",
    "The prompt is too long: 40177, model maximum context length: 32767",
    "Prompt exceeds max length",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
    "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
    "prompt token count of 93854 exceeds the limit of 90000",
    "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "The prompt (total length 25938) is too long to fit into the model (context length 4096).",
    "the request exceeds the available context size, try increasing it",
    "Context size has been exceeded.",
    "Requested tokens (516) exceed context window of 512",
    "Trying to keep the first 4980 tokens when context the overflows. However, the model is loaded with 4096.",
    "Reached context length of 4096 tokens with model (arch: x) that does not currently support this.",
    "length of prompt_tokens (57535) must be less than max_seq_len (32768)",
    "Request body too large for gpt-4o model. Max size: 8000 tokens.",
    "model max length exceeded, max length:8192",
    "Input token length too long",
    "Total tokens of image and text exceed max message tokens. Request id: 0217",
    "You passed 9000 input tokens and requested 0 output tokens. However, the model's context length is only 8192 tokens.",
    "You passed 90000 input characters. However, the model's context length is only 8192 tokens (at most 81920 characters).",
    "AiError: The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (8192)",
    "Invalid input argument for Model 'm': the number of input tokens 4098 cannot exceed the total tokens limit 4096",
    "The maximum context length of DeepSeek-V3-0324 is 32768. However, answering your request will take 39732 tokens.",
    "input is too large to process. increase the physical batch size",
    "input is too large to process, please increase the physical batch size",
    "input prompt is too big compared to KV size, please increase KV size",
    "Prompt too long: 41911 tokens exceeds max context window of 32768 tokens",
    "the input length exceeds the context length",
    "prompt too long; exceeded max context length by 4 tokens",
    "too many tokens: total number of tokens (prompt and prediction) cannot exceed 2048 - received 6354.",
    "Cannot process new request: Prompt length (1251) exceeds maximum input length (1024).",
)


@pytest.mark.parametrize("provider", ONE_OF_EACH)
@pytest.mark.parametrize("status", [400, 413, 422, 500, 503])
def test_context_overflow_is_recognised_on_every_status(provider: str, status: int) -> None:
    for wording in WORDINGS:
        fault = read_fault(provider, status, build_error_body(provider, wording))
        assert type(fault).__name__ == "ContextLengthExceeded", wording
        assert not can_retry(fault), wording


@pytest.mark.parametrize("provider", ONE_OF_EACH)
def test_a_rate_limit_that_names_tokens_is_not_a_context_overflow(provider: str) -> None:
    for words in (
        "Too many tokens, please wait before trying again.",
        "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 8554, Requested 3082.",
        "This request would exceed your organization's rate limit of 30,000 input tokens per minute",
    ):
        assert isinstance(read_fault(provider, 429, build_error_body(provider, words)), RateLimited)


@pytest.mark.parametrize("provider", ONE_OF_EACH)
@pytest.mark.parametrize(
    "code", ["rate_limit_exceeded", "overloaded_error", "RESOURCE_EXHAUSTED", "server_error", "timeout"]
)
def test_a_final_status_is_never_retried_whatever_the_code_says(provider: str, code: str) -> None:
    body = {"error": {"message": "no", "code": code, "type": code, "status": code}, "code": code}
    for status in (400, 401, 402, 403, 404, 405, 413, 414, 422, 424, 451):
        fault = read_fault(provider, status, body, {"x-amzn-errortype": "ThrottlingException"})
        assert not can_retry(fault), status
        assert not isinstance(fault, RateLimited), status


@pytest.mark.parametrize("provider", [name for name in ONE_OF_EACH if name != "replicate"])
@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, "content_filter", "ContentRefused"),
        (400, "context_length_exceeded", "ContextLengthExceeded"),
        (400, "invalid_api_key", "AuthRejected"),
        (400, "DeploymentNotFound", "ModelNotFound"),
        (400, "unsupported_parameter", "UnsupportedParameter"),
        (429, "insufficient_quota", "QuotaExhausted"),
        (500, "overloaded_error", "Overloaded"),
        (503, "throttlingException", "RateLimited"),
    ],
)
def test_a_common_code_has_its_fault_in_every_protocol(provider: str, status: int, code: str, name: str) -> None:
    for error in ({"type": code, "message": "no"}, {"code": code, "type": "some_error", "message": "no"}):
        assert type(read_fault(provider, status, {"error": error})).__name__ == name


STATUSLESS = (
    ("invalid_request_error", "InvalidRequest"),
    ("invalid_image_url", "InvalidRequest"),
    ("payload_too_large", "InvalidRequest"),
    ("not_found_error", "ModelNotFound"),
    ("authentication", "AuthRejected"),
    ("billing_error", "QuotaExhausted"),
    ("timeout_error", "TimedOut"),
    ("provider_overloaded", "Overloaded"),
    ("api_error", "ServerFailed"),
)


@pytest.mark.parametrize("provider", ["openai", "mistral", "openai-responses", "anthropic"])
@pytest.mark.parametrize(("code", "name"), STATUSLESS)
def test_a_code_stands_for_the_status_of_an_error_in_a_stream(provider: str, code: str, name: str) -> None:
    event = {"type": "error", "error": {"message": "no", "type": code}}
    fault = read_last_fault(provider, [STREAMS[provider], f"data: {json.dumps(event)}\n\n".encode()])
    assert type(fault).__name__ == name
    assert can_retry(fault) == (name in {"TimedOut", "Overloaded", "ServerFailed"})


@pytest.mark.parametrize(("status", "name"), [(503, "Overloaded"), (429, "RateLimited"), (500, "ServerFailed")])
def test_a_status_in_a_stream_outweighs_a_code_that_stands_for_one(status: int, name: str) -> None:
    event = {"error": {"message": "no", "type": "invalid_request_error", "code": status}}
    fault = read_last_fault("openai", [STREAMS["openai"], f"data: {json.dumps(event)}\n\n".encode()])
    assert type(fault).__name__ == name


def test_a_status_written_as_a_float_is_read_as_one() -> None:
    event = b'data: {"id":"1","choices":[],"error":{"message":"no","code":429.0}}\n\n'
    fault = read_last_fault("openai", [STREAMS["openai"], event])
    assert isinstance(fault, RateLimited)
    assert fault.code == "429"


def test_a_request_larger_than_the_limit_of_a_minute_is_never_retried() -> None:
    words = "Request too large for model `x` on tokens per minute (TPM): Limit 8000, Requested 42084"
    for status, kind in ((413, InvalidRequest), (429, RateLimited)):
        fault = read_fault(
            "groq", status, {"error": {"message": words, "type": "tokens", "code": "rate_limit_exceeded"}}
        )
        assert (type(fault), can_retry(fault)) == (kind, False)
    usual = read_fault("groq", 429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}})
    assert can_retry(usual)
    assert record_fault(Cooldown(), fault, 0.0) == Cooldown()
    assert record_fault(Cooldown(), usual, 0.0) != Cooldown()


@pytest.mark.parametrize("provider", ["openrouter", "openrouter-responses"])
@pytest.mark.parametrize("status", [400, 429])
def test_a_token_budget_of_openrouter_is_a_quota(provider: str, status: int) -> None:
    error = {"message": "Too many", "code": status, "metadata": {"error_type": "token_limit_exceeded"}}
    assert type(read_fault(provider, status, {"error": error})).__name__ == "QuotaExhausted"
    assert type(read_fault("openai", 429, {"error": {"code": "token_limit_exceeded"}})).__name__ == "RateLimited"


@pytest.mark.parametrize("provider", ["openrouter", "openrouter-responses"])
def test_the_upstream_error_of_a_gateway_is_classified_and_shown(provider: str) -> None:
    raw = json.dumps({"error": {"message": "prompt is too long: 5 > 4", "type": "invalid_request_error"}})
    for inner in (raw, json.loads(raw), json.dumps({"metadata": {"raw": raw}})):
        body = {"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": inner}}}
        fault = read_fault(provider, 502, body)
        assert type(fault).__name__ == "ContextLengthExceeded"
        assert fault.message == "Provider returned error: prompt is too long: 5 > 4"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"msg": "no"}, "no"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"errors": ["one", "one"]}, "one"),
        ({"detail": "no"}, "no"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "too big", "input": {"message": "secret prompt"}}]},
            "body.n: too big",
        ),
        ({"message": ["one", {"msg": "two"}]}, "one; two"),
        ({"error": "invalid_grant", "error_description": "Token expired"}, "invalid_grant: Token expired"),
        ({"title": "Bad", "detail": "so bad"}, "Bad: so bad"),
        ({"error": {"msg": "deep"}}, "deep"),
        ('{"error":{"message":"a text"}}', '{"error":{"message":"a text"}}'),
        ([{"error": {"message": "listed"}}], "listed"),
    ],
)
def test_messages_are_found_under_every_key(body: Any, message: str) -> None:
    assert read_fault("openai", 400, body).message == message


def test_a_code_that_repeats_the_status_is_ignored() -> None:
    assert read_fault("vllm", 400, {"error": {"message": "no", "code": 400}}).code is None
    both = {"error": {"message": "no", "code": 400, "type": "invalid_request_error"}}
    assert read_fault("llamacpp", 400, both).code == "invalid_request_error"


@pytest.mark.parametrize("provider", ONE_OF_EACH)
def test_a_404_of_a_web_server_names_the_address(provider: str) -> None:
    for body in (b"<html><title>404 Not Found</title></html>", b"404 page not found", b""):
        fault = read_fault(provider, 404, body)
        assert "check base_url" in fault.message
        assert "http" in fault.message
    named = read_fault(provider, 404, build_error_body(provider, "model 'x' not found"))
    assert "base_url" not in named.message


KEY = "zq-" + "A1b2C3d4" * 6


@pytest.mark.parametrize("lead", [0, 1990 - 20, MESSAGE_LIMIT - 1, EVIDENCE_LIMIT - 30, EVIDENCE_LIMIT])
@pytest.mark.parametrize("as_json", [True, False])
def test_no_part_of_a_key_survives_a_cut(lead: int, as_json: bool) -> None:
    text = "x" * lead + KEY + "y" * 5000
    body = json.dumps({"error": {"message": text}}).encode() if as_json else text.encode()
    fault = redact_fault(read_fault("openai", 401, body), KEY)
    assert not any(KEY[:4] in shown for shown in (fault.message, fault.evidence or ""))
    assert len(fault.message) <= MESSAGE_LIMIT + 20


def test_evidence_is_the_body_without_credentials_and_bounded() -> None:
    assert make_evidence(b'{ "error": {"api_key": "abc", "n": 1} }') == '{"error":{"api_key":"[redacted]","n":1}}'
    assert len((make_evidence("ü".encode() * 9000) or "").encode()) <= EVIDENCE_LIMIT
    assert make_evidence(b"") is None


def test_context_is_added_where_there_is_none_and_the_url_holds_no_secret() -> None:
    fault = with_context(ServerFailed(model="m"), "acme", "other", "https://u:p@x.test/v1?key=abc&alt=sse#f")
    assert (fault.provider, fault.model, fault.url) == ("acme", "m", "https://...@x.test/v1?key=...&alt=sse")
    assert with_context(fault, "b", None, "https://y.test") == fault


def test_the_union_lists_every_fault() -> None:
    assert set(FaultBase.__subclasses__()) == set(FAULT_TYPES)


@pytest.mark.parametrize(
    ("fault", "retry", "indicts"),
    [
        (InvalidRequest(status=400), False, False),
        (InvalidRequest(status=409), True, False),
        (InvalidRequest(status=425), True, False),
        (RateLimited(status=429), True, False),
        (RateLimited(status=413), False, False),
        (ServerFailed(status=424), False, True),
        (ServerFailed(), True, True),
        (TimedOut(phase="pool"), True, False),
        (TimedOut(), True, True),
        (InvalidResponse(), True, True),
    ],
)
def test_facts_that_depend_on_the_instance(fault: Fault, retry: bool, indicts: bool) -> None:
    assert (can_retry(fault), is_breaker_failure(fault)) == (retry, indicts)


def test_every_phrase_has_a_source_and_matches_its_own_words() -> None:
    for phrase in COMMON_PHRASES:
        assert phrase.source.startswith("https://")
        assert phrase.is_match(" 12 ".join(phrase.parts))
        assert not phrase.is_match((" " * 200).join(phrase.parts)) or len(phrase.parts) == 1
    assert len(CONTEXT_OVERFLOW) > 40


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["429", "rate_limit_error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "raw", "detail", "metadata", "status"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(PROVIDERS), st.sampled_from([400, 404, 413, 429, 500]), st.binary(max_size=200) | JSON)
def test_any_body_is_a_fault_with_a_message(provider: str, status: int, body: Any) -> None:
    fault = read_fault(provider, status, body)
    assert fault.message
    assert fault.code != str(status)


@pytest.mark.parametrize(
    "piece",
    [
        b'{"error":',
        b"[",
        b'{"raw":"',
        b"<html><title>",
        b"<title",
        b"provided: ",
        b"://a:",
        b"model ",
        b"requested ",
        b"api key = ",
    ],
)
def test_hostile_bodies_are_read_in_linear_work(piece: bytes) -> None:
    for size in (1, 1000, 100_000):
        assert read_body(piece * size) is not None
        assert read_fault("openai", 500, piece * min(size, 20_000)).message


STREAMS = {
    "openai": b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    "mistral": b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    "openai-responses": b'data: {"type":"response.created","response":{"id":"r"}}\n\n',
    "anthropic": b'event: message_start\ndata: {"type":"message_start","message":{"id":"a","content":[]}}\n\n',
    "google": b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}\n\n',
    "cohere": b'data: {"type":"message-start","id":"a"}\n\n',
    "replicate": b"event: output\ndata: hi\n\n",
}


def read_last_fault(provider: str, chunks: list[bytes]) -> Fault:
    *_, last = replay.stream(provider, 200, {}, chunks)
    return last.failure()


@pytest.mark.parametrize("provider", STREAMS)
@pytest.mark.parametrize(
    "error",
    [b'{"error":{"message":"prompt is too long: 5 > 4","type":"server_error"}}', b'{"detail":"prompt is too long"}'],
)
@pytest.mark.parametrize("ending", [b"\n\n", b"\n", b""])
def test_plain_json_in_an_event_stream_is_an_error(provider: str, error: bytes, ending: bytes) -> None:
    whole = STREAMS[provider] + error + ending
    for chunks in ([whole], [whole[i : i + 1] for i in range(len(whole))]):
        assert type(read_last_fault(provider, chunks)).__name__ == "ContextLengthExceeded"


def test_a_second_message_in_an_open_stream_is_an_invalid_response_and_a_repetition_is_not() -> None:
    start = STREAMS["anthropic"]
    assert isinstance(read_last_fault("anthropic", [start, start.replace(b'"id":"a"', b'"id":"b"')]), InvalidResponse)
    assert type(read_last_fault("anthropic", [start, start])).__name__ == "StreamTruncated"


@pytest.mark.parametrize(
    ("provider", "status", "error", "fault_type"),
    [
        (
            "google",
            400,
            {"status": "FAILED_PRECONDITION", "message": "User location is not supported"},
            PermissionRefused,
        ),
        ("groq", 400, {"code": "model_decommissioned", "message": "x"}, ModelNotFound),
        ("groq", 498, {"type": "capacity_exceeded", "message": "x"}, Overloaded),
        ("volcengine", 429, {"code": "ServerOverloaded", "type": "TooManyRequests", "message": "x"}, Overloaded),
    ],
)
def test_another_target_may_succeed(provider: str, status: int, error: dict[str, str], fault_type: type[Fault]) -> None:
    fault = replay.response(provider, status, {}, json.dumps({"error": error}).encode()).failure()
    assert isinstance(fault, fault_type)
    assert fault.allows_fallback


@pytest.mark.parametrize("provider", ["volcengine", "volcengine-responses"])
@pytest.mark.parametrize(
    ("status", "code", "fault_type"),
    [
        (403, "AccountOverdueError", QuotaExhausted),
        (400, "InputTextRiskDetection", ContentRefused),
        (400, "OutputTextSensitiveContentDetected", ContentRefused),
        (403, "AccessDenied", PermissionRefused),
    ],
)
def test_codes_of_volcengine_take_precedence_over_its_statuses(
    provider: str, status: int, code: str, fault_type: type[Fault]
) -> None:
    body = {"error": {"code": code, "message": "x", "type": "Forbidden" if status == 403 else "BadRequest"}}
    assert isinstance(replay.response(provider, status, {}, json.dumps(body).encode()).failure(), fault_type)
