"""Amazon Bedrock on loopback: a provider with keys of a fake environment, and what its server returns and checks."""

from __future__ import annotations

import hashlib
import hmac
import sys
from typing import Any
from urllib.parse import quote

import pytest
from returns.result import Failure, Success

from tests import aws_frames
from tests.fake_runtime import FakeRuntime
from tests.loopback import Loopback, Received, Talk
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.requests import Endpoint
from victor_fp.core.result import outcome
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.classes import make_provider_class

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEY, SECRET_KEY, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-1"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
REGION = {"AWS_REGION": "eu-west-1"}
HI = [Message(role="user", content="Hi")]
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}


@pytest.fixture
def no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", str(tmp_path))


def build_bedrock_endpoint(base_url: str | None = None, **settings: str) -> Endpoint:
    match outcome(build_endpoint(CATALOGUE.find("bedrock").unwrap(), base_url=base_url, settings=settings)):
        case Success(found):
            return found
        case Failure(fault):
            raise AssertionError(fault)


def make_bedrock(url: str, variables: dict[str, str] | None = None, **options: Any) -> BaseProvider:
    runtime = FakeRuntime(variables={**KEYS, **REGION} if variables is None else variables)
    made: BaseProvider = make_provider_class(CATALOGUE.find("bedrock").unwrap())(
        base_url=url, runtime=runtime, max_retries=0, **options
    )
    return made


async def answer_converse(talk: Talk, received: Received) -> None:
    await talk.answer(ANSWER)


async def stream_converse(talk: Talk, received: Received) -> None:
    await talk.send_head(content_type="application/vnd.amazon.eventstream")
    story = [
        aws_frames.encode_event("messageStart", {"role": "assistant"}),
        aws_frames.encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        aws_frames.encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
        aws_frames.encode_event("contentBlockStop", {"contentBlockIndex": 0}),
        aws_frames.encode_event("messageStop", {"stopReason": "end_turn"}),
        aws_frames.encode_event("metadata", {"usage": ANSWER["usage"], "metrics": {"latencyMs": 9}}),
    ]
    data = b"".join(story)
    for start in range(0, len(data), 50):
        await talk.send_chunk(data[start : start + 50])
    await talk.end()


def compute_signature(received: Received, region: str = "eu-west-1") -> str:
    """What the server makes of the request it got, by the rules alone (AWS, "Create a signed API request")."""
    authorization = received.headers["authorization"]
    fields = dict(part.split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    names = fields["SignedHeaders"].split(";")
    path, _, query = received.path.partition("?")
    canonical = "\n".join(
        [
            received.method,
            # The path that is sent is encoded once more, but for its slashes.
            quote(path, safe="/-_.~"),
            query,
            *(f"{name}:{' '.join(received.headers[name].split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(received.body).hexdigest(),
        ]
    )
    moment = received.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    key = f"AWS4{SECRET_KEY}".encode()
    for word in (moment[:8], region, "bedrock", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={fields['SignedHeaders']}, Signature=" + (
        hmac.new(key, text.encode(), "sha256").hexdigest()
    )


def get_received(loopback: Loopback, place: int = 0) -> Received:
    return loopback.received[place]


def get_failure(result: Any) -> Any:
    match result:
        case Failure(fault):
            return fault
        case other:
            raise AssertionError(other)


@pytest.fixture
def without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
