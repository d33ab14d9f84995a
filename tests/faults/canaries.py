"""Seeded keys of every kind, providers that use them, servers that repeat them, and all visible representations."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import random
import string
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from returns.result import Result, Success

from tests.acme import HI, SPEC, build_acme
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import Auth
from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest
from victor_fp.core.security.secrets import HiddenValuesDict
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.classes import make_provider_class

_LUCK = random.Random(20)


def make_canary(prefix: str) -> str:
    return prefix + "".join(_LUCK.choices(string.ascii_letters + string.digits, k=32))


KEY = make_canary("sk-canary-")
AWS_KEY, AWS_SECRET, AWS_SESSION = make_canary("AKIA"), make_canary("aws/"), make_canary("IQoJ+/")
TOKEN, PROOF = make_canary("ya29."), make_canary("proof/")
CANARIES = (KEY, AWS_SECRET, AWS_SESSION, TOKEN, PROOF)
MODEL = "m-1"


class GoogleToken:
    """Google's credentials, fetched."""

    token = TOKEN

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {TOKEN}"


def make_plain(name: str, url: str, **more: Any) -> BaseProvider:
    made: BaseProvider = make_provider_class(CATALOGUE.find(name).unwrap())(
        api_key=KEY, base_url=url, max_retries=1, runtime=FakeRuntime(), **more
    )
    return made


def make_bedrock(url: str, **more: Any) -> BaseProvider:
    if find_spec("botocore") is None:
        pytest.skip("the extra `bedrock` is not installed")
    variables = {
        "AWS_ACCESS_KEY_ID": AWS_KEY,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_SESSION_TOKEN": AWS_SESSION,
        "AWS_REGION": "eu-west-1",
    }
    place = FakeRuntime(
        variables=HiddenValuesDict(variables)
    )  # as the real environment, it is handed on without being shown
    kind = make_provider_class(CATALOGUE.find("bedrock").unwrap())
    made: BaseProvider = kind(base_url=url, max_retries=1, runtime=place, **more)
    return made


def make_vertex(url: str, **more: Any) -> BaseProvider:
    if find_spec("google.auth") is None or find_spec("requests") is None:
        pytest.skip("the extra `vertex` is not installed")
    from victor_fp.shell.credentials.google_token import GoogleSigner

    spec = CATALOGUE.find("vertex").unwrap()
    place = FakeRuntime(variables={"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"})
    signer = GoogleSigner(spec, GoogleToken())
    made: BaseProvider = make_provider_class(spec)(base_url=url, max_retries=1, runtime=place, sign=signer, **more)
    return made


def make_signed(url: str, **more: Any) -> BaseProvider:
    """A signature in a header of its own, besides a token in another one."""

    async def sign(request: HttpRequest) -> Result[HttpRequest, Fault]:
        headers = {**request.headers, "x-acme-proof": f"HMAC {PROOF}", "x-acme-session-token": TOKEN}
        return Success(replace(request, headers=headers))

    spec = replace(SPEC, auth=Auth(kind="google", header="x-acme-proof", scheme="HMAC"))
    made: BaseProvider = make_provider_class(spec)(
        base_url=url, max_retries=1, runtime=FakeRuntime(), sign=sign, **more
    )
    return made


KINDS: dict[str, Callable[..., BaseProvider]] = {
    "bearer": lambda url, **more: build_acme(url, api_key=KEY, max_retries=1, runtime=FakeRuntime(), **more),
    "api-key": lambda url, **more: make_plain("azure", url, **more),
    "x-api-key": lambda url, **more: make_plain("anthropic", url, **more),
    "x-goog-api-key": lambda url, **more: make_plain("google", url, **more),
    "cohere": lambda url, **more: make_plain("cohere", url, **more),
    "responses": lambda url, **more: make_plain("openai-responses", url, **more),
    "replicate": lambda url, **more: make_plain("replicate", url, **more),
    "mistral": lambda url, **more: make_plain("mistral", url, **more),
    "sigv4": make_bedrock,
    "google-token": make_vertex,
    "signature": make_signed,
}


def repeat_headers(received: Received) -> str:
    """All that a careless vendor could repeat."""
    return f"bad key in {json.dumps(dict(received.headers))}"


def build_error(said: str) -> dict[str, Any]:
    """An error in everybody's form at once."""
    return {
        "type": "error",
        "message": said,
        "detail": said,
        "error": {"message": said, "type": said, "code": said, "status": said, "param": said},
    }


async def answer_401(talk: Talk, received: Received) -> None:
    said = repeat_headers(received)
    await talk.answer(build_error(said), 401, x_request_id=said)


async def answer_500(talk: Talk, received: Received) -> None:
    said = repeat_headers(received)
    await talk.answer(build_error(said), 500, request_id=said)


async def answer_html(talk: Talk, received: Received) -> None:
    await talk.answer(f"<html>{repeat_headers(received)}</html>", 403, content_type="text/html")


async def refuse_in_200(talk: Talk, received: Received) -> None:
    said = build_error(repeat_headers(received))
    if received.json().get("stream") or "tream" in received.path:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_chunk(f"event: error\ndata: {json.dumps(said)}\n\n".encode())
        await talk.end()
    else:
        await talk.answer(said)


async def reset_connection(talk: Talk, _: Received) -> None:
    await talk.reset()


async def answer_redirect(talk: Talk, received: Received) -> None:
    await talk.answer(b"", 307, location=f"http://127.0.0.1:9/{repeat_headers(received)}")


class CapturedLogs(logging.Handler):
    """Everything that anybody logs, at any level, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record) + repr(record.__dict__))


def render_error(error: BaseException) -> str:
    """Every way in which an exception comes before people's eyes, the variables of its frames among them."""
    reported = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    reported += render_frames(error)
    if isinstance(error, ProviderError):
        reported += repr(error.fault) + error.message + repr(error.details) + repr(error.raw_error) + repr(vars(error))
        reported += repr(error.__reduce__()) + repr(pickle.dumps(error)) + str(pickle.loads(pickle.dumps(error)))
    return reported


def render_frames(error: BaseException) -> str:
    """The variables of each frame, of causes and contexts too, and the attributes of what they hold: as error trackers show them."""
    reported: list[str] = []
    chain: list[BaseException] = [error]
    for one in chain:
        chain += [cause for cause in (one.__cause__, one.__context__) if cause is not None and cause not in chain]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                where = f"\n{frame.f_code.co_filename}:{frame.f_code.co_name} "
                reported += [
                    where + name + repr(value) + render_attributes(value) for name, value in frame.f_locals.items()
                ]
    return "".join(reported)


def render_attributes(thing: object) -> str:
    """An object's attributes; those of a secret itself are where it is."""
    return repr(vars(thing)) if hasattr(thing, "__dict__") and not isinstance(thing, type | SecretStr) else ""


def render_pickle(thing: object) -> str:
    """The pickle, or the refusal."""
    try:
        return repr(pickle.dumps(thing))
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return render_error(error)


def render_provider(provider: Any) -> str:
    """All that a provider shows of itself."""
    lines = [one.connection for one in getattr(provider, "_providers", (provider,))]
    reported = [str(provider), *(repr(line.transport) + repr(line.endpoint) for line in lines)]
    for thing in (provider, *lines):
        reported += [repr(thing), render_attributes(thing), repr(thing.__getstate__()), render_pickle(thing)]
        reported += [render_pickle(copy.copy(thing)), repr(copy.copy(thing))]
    reported += [
        repr(dataclasses.replace(line)) + render_attributes(line.find_secret) + render_attributes(line.signer)
        for line in lines
    ]
    return "".join(reported)


async def collect_failures(provider: BaseProvider) -> str:
    """What a call, a stream and a question about models show when they fail."""
    reported = ""
    with pytest.raises(ProviderError) as caught:
        await provider.chat(HI, model=MODEL)
    reported += render_error(caught.value)
    with pytest.raises(ProviderError) as caught:
        async for _ in provider.stream(HI, model=MODEL):
            pass
    reported += render_error(caught.value)
    reported += repr(await provider.chat_result(HI, model=MODEL))
    reported += "".join([repr(result) async for result in provider.stream_result(HI, model=MODEL)])
    try:
        reported += repr(await provider.list_models())
    except Exception as error:
        reported += render_error(error)
    return reported


def check_clean(text: str) -> None:
    for secret in CANARIES:
        at = text.find(secret)
        assert at < 0, f"a secret is shown: {text[max(0, at - 200) : at]}<here>"


ANSWERS = (answer_401, refuse_in_200, answer_500, answer_html, reset_connection, answer_redirect)
