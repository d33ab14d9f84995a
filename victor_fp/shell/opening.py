"""What a line is made of: the wire that a catalogue entry asks for, and the way to its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from returns.result import Result

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.secrecy import Secret

if TYPE_CHECKING:
    from victor_fp.core.faults import Fault
    from victor_fp.core.requests import Endpoint, HttpRequest
    from victor_fp.shell.line import FindSecret
    from victor_fp.shell.wire import Reply, Wire


class LazyWire:
    """A wire that is made when something is first sent, so that making a provider loads no HTTP client."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._wire: Wire | None = None

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> Reply | Fault:
        """Send over the wire, made now if need be."""
        if self._wire is None:
            from victor_fp.shell.http import http_wire

            self._wire = http_wire(**self._options)
        return await self._wire.open(request, secret, timeout)

    async def aclose(self) -> None:
        """Close the wire, if it was made."""
        if self._wire is not None:
            await self._wire.aclose()


def wire_for(endpoint: Endpoint, **options: Any) -> Wire:
    """HTTP, or the engine in this process for the entry that is one."""
    if endpoint.spec.carrier == "in_process":
        from victor_fp.shell.local.engine import local_wire

        return local_wire(endpoint.settings)
    return LazyWire(options)


def key_finder(spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]) -> FindSecret:
    """A lookup to be made at the first call; it may touch keyring and files."""
    return partial(_found, spec, argument, environment)


def key_at_hand(spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]) -> SecretStr | None:
    """A key that needs no lookup: the argument's, or the environment's. Whatever is odd about it is left to the lookup."""
    if spec.auth.kind == "none":
        return None
    given = argument.get_secret_value() if argument is not None else None
    key = given or next((environment[name] for name in spec.key_variables if environment.get(name)), None)
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        return None
    return Secret(key)


def _found(
    spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]
) -> Result[SecretStr | None, Fault]:
    from victor_fp.shell.credentials import find_credential

    return find_credential(spec, argument, environment).map(lambda found: None if found is None else found.secret)
