"""AWS Signature Version 4 with botocore's signer and credential chain.

botocore runs in a worker thread, since refreshing credentials reads files and the network; one lookup serves all requests.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any, Protocol

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import CredentialMissing, Fault, InvalidRequest
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.transport.interception import VARIABLE, is_offline

_REGION = re.compile(r"[./]([a-z]{2,3}(?:-[a-z]+)+-\d+)\.")
"""A region in a host name."""
CHAIN = ("environment AWS_ACCESS_KEY_ID", "AWS profiles, SSO, web identity, container and instance roles")


class _ThreadLogFilter(logging.Filter):
    """Drops botocore's log records from signing threads, because at DEBUG it logs session tokens."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  logging's signature
        """Return whether to log the record; called in the thread that logs."""
        return get_ident() not in self._threads

    @contextmanager
    def mute_thread(self) -> Iterator[None]:
        """Drop the records of the current thread inside the block."""
        logging.getLogger("botocore.auth").addFilter(self)
        self._threads.add(get_ident())
        try:
            yield
        finally:
            self._threads.discard(get_ident())


_LOG_FILTER = _ThreadLogFilter()


class AwsCredentials(Protocol):
    """The part of botocore's credentials that is used here."""

    def get_frozen_credentials(self) -> Any:
        """Return key, secret and token, refreshed if necessary; may block."""
        ...


class AwsSigner:
    """Signs requests for one service and region with credentials from AWS's default chain."""

    def __init__(
        self, endpoint: Endpoint, environment: Mapping[str, str], credentials: AwsCredentials | None = None
    ) -> None:
        self._spec = endpoint.spec
        self._region = endpoint.settings.get("region") or _find_region(endpoint.base_url)
        self._profile = endpoint.settings.get("profile")
        self._environment = environment
        self._credentials = credentials
        self._lock = Lock()

    async def __call__(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """Return the signed request, or CredentialMissing if there are no credentials."""
        return await asyncio.to_thread(self._sign, request)

    def _sign(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        if not self._region:
            message = f"{self._spec.title}: signing requires the setting region (or set AWS_REGION)"
            return Failure(InvalidRequest(provider=self._spec.name, code="setting_missing", message=message))
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
        except ModuleNotFoundError:
            return Failure(self._build_missing_fault("signing requires the extra: pip install 'victor-fp[bedrock]'"))
        match outcome(self._load_credentials()):
            case Failure(fault):
                return Failure(fault)
            case Success(credentials):
                pass
        signed = AWSRequest(method=request.method, url=request.url, headers=dict(request.headers), data=request.body)
        with _LOG_FILTER.mute_thread():
            SigV4Auth(credentials, self._spec.auth.service, self._region).add_auth(signed)
        headers = {str(name).lower(): str(value) for name, value in signed.headers.items()}
        return Success(msgspec.structs.replace(request, headers=headers))

    def _load_credentials(self) -> Result[Any, Fault]:
        """Return the credentials, refreshed if necessary."""
        from botocore.exceptions import BotoCoreError

        try:
            with self._lock:
                if self._credentials is None:
                    self._credentials = self._find_credentials()
                if self._credentials is None and is_offline():
                    return Failure(
                        self._build_missing_fault(f"{VARIABLE} is set, so only the environment was searched")
                    )
                if self._credentials is None:
                    return Failure(self._build_missing_fault("no AWS credentials were found"))
                return Success(self._credentials.get_frozen_credentials())
        except BotoCoreError as error:
            return Failure(self._build_missing_fault(str(error)))

    def _find_credentials(self) -> Any:
        """Find credentials in botocore's order: the environment, unless a profile is set; then the other sources of its chain."""
        from botocore.credentials import Credentials
        from botocore.session import Session

        key, secret = self._environment.get("AWS_ACCESS_KEY_ID"), self._environment.get("AWS_SECRET_ACCESS_KEY")
        if key and secret and self._profile in (None, self._environment.get("AWS_PROFILE")):
            return Credentials(key, secret, self._environment.get("AWS_SESSION_TOKEN"))
        # Other sources may be servers.
        return None if is_offline() else Session(profile=self._profile).get_credentials()

    def _build_missing_fault(self, reason: str) -> CredentialMissing:
        variables = self._spec.key_variables
        looked_in = (*(f"environment {name}" for name in variables), *CHAIN)
        ways = f"set {variables[0]}, or configure AWS credentials" if variables else "configure AWS credentials"
        return CredentialMissing(
            provider=self._spec.name,
            message=f"no credentials for {self._spec.title}: {reason}. To fix it, {ways}.",
            looked_in=looked_in,
        )


def _find_region(url: str) -> str | None:
    """Return the region in the name of an AWS host.

    >>> _find_region("https://vpce-1a.bedrock-runtime.us-gov-west-1.vpce.amazonaws.com")
    'us-gov-west-1'
    """
    found = _REGION.search(url)
    return found[1] if found else None
