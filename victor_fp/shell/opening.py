"""The way to the key of a catalogue entry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr
from returns.result import Result

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.redaction import Secret

if TYPE_CHECKING:
    from victor_fp.core.faults import Fault
    from victor_fp.shell.line import FindSecret


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
    from victor_fp.shell.credentials.lookup import find_credential

    return find_credential(spec, argument, environment).map(lambda found: None if found is None else found.secret)
