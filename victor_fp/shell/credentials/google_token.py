"""Google Cloud access tokens from application default credentials, fetched and renewed by google-auth in a thread."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any, NoReturn, Protocol

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import AuthRejected, ConnectionFailed, CredentialMissing, Fault
from victor_fp.core.requests import SECRET, HttpRequest
from victor_fp.shell.transport.interception import VARIABLE, is_offline

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
LOCATIONS = (
    "environment GOOGLE_APPLICATION_CREDENTIALS",
    "gcloud's application default credentials",
    "metadata server",
)


class GoogleCredentials(Protocol):
    """The part of google-auth's credentials that is used here."""

    @property
    def token(self) -> Any:
        """The access token, once fetched."""
        ...

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        """Renew the token if necessary and add it to the headers."""
        ...


class GoogleSigner:
    """Adds a current access token to requests."""

    def __init__(self, spec: ProviderSpec, credentials: GoogleCredentials | None = None) -> None:
        self._spec = spec
        self._credentials = credentials
        self._transport: Any = None
        self._lock = Lock()

    async def __call__(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """Return the request with a token, or CredentialMissing if there are no credentials."""
        return await asyncio.to_thread(self._sign, request)

    def _sign(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        try:
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
        except ModuleNotFoundError:
            return Failure(self._build_missing_fault("tokens require the extra: pip install 'victor-fp[vertex]'"))
        carried: dict[str, str] = {}
        try:
            # One thread at a time, so that the first renews the token for all requests.
            with self._lock:
                credentials = self._load_credentials()
                credentials.before_request(self._transport, request.method, request.url, carried)
        except ModuleNotFoundError:
            return Failure(self._build_missing_fault("tokens require the extra: pip install 'victor-fp[vertex]'"))
        except DefaultCredentialsError as error:
            return Failure(self._build_missing_fault(_describe_error(error)))
        except RefreshError as error:
            message = f"no access token for {self._spec.title}: {_describe_error(error)}"
            if error.retryable:
                return Failure(ConnectionFailed(provider=self._spec.name, message=message))
            return Failure(AuthRejected(provider=self._spec.name, message=message))
        except TransportError as error:
            message = f"no access token for {self._spec.title}: {_describe_error(error)}"
            return Failure(ConnectionFailed(provider=self._spec.name, message=message))
        except GoogleAuthError as error:
            return Failure(self._build_missing_fault(_describe_error(error)))
        kept = {name: value for name, value in request.headers.items() if SECRET not in value}
        return Success(
            msgspec.structs.replace(
                request, headers={**kept, **{name.lower(): value for name, value in carried.items()}}
            )
        )

    def _load_credentials(self) -> GoogleCredentials:
        if self._transport is None:
            from google.auth.transport.requests import Request

            self._transport = _refuse if is_offline() else Request()
        if self._credentials is None:
            import google.auth

            if is_offline():  # the search ends at the metadata server
                _refuse()

            self._credentials = google.auth.default(scopes=list(SCOPES))[0]
        return self._credentials

    def _build_missing_fault(self, reason: str) -> CredentialMissing:
        variables = self._spec.key_variables
        ways = "run `gcloud auth application-default login`"
        ways += f", or set {variables[0]}" if variables else ""
        return CredentialMissing(
            provider=self._spec.name,
            message=f"no credentials for {self._spec.title}: {reason}. To fix it, {ways}.",
            looked_in=(*(f"environment {name}" for name in variables), *LOCATIONS),
        )


def _refuse(*_: object, **__: object) -> NoReturn:
    """Replace the transport of google-auth while offline, and raise its transport error."""
    from google.auth import exceptions

    error: Any = exceptions.DefaultCredentialsError
    raise error(f"{VARIABLE} is set, so no token is requested from Google")


def _describe_error(error: Exception) -> str:
    """Return the first line of the error without the response body, which may hold secrets."""
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.strip().partition("\n")[0][:300]
