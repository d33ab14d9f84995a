"""Lookup of a provider's API key: argument, then environment, then keyring, then key file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import CredentialMissing, Fault
from victor_fp.core.result import outcome
from victor_fp.core.security.secrets import MistypedSecret, Secret, to_secret
from victor_fp.shell.credentials.key_file import KeyFile, KeyStoreFailure, open_key_file
from victor_fp.shell.credentials.key_ring import SERVICE, KeyRing, get_system_key_ring

CredentialSource: TypeAlias = Literal["argument", "environment", "keyring", "file"]


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and where it was found."""

    secret: SecretStr
    source: CredentialSource
    location: str
    """The argument's or variable's name, the keyring's service and entry, or the file's path."""


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which key to look for, and under which names."""

    name: str
    """The name in keyring and file."""
    provider: str
    title: str
    variables: tuple[str, ...] = ()
    optional: bool = False


def build_key_query(spec: ProviderSpec) -> KeyQuery:
    """Return the query for a catalogue entry. A key is optional if requests can be signed without one."""
    return KeyQuery(
        name=spec.key_name or spec.name,
        provider=spec.name,
        title=spec.title or spec.name,
        variables=spec.key_variables,
        optional=spec.key_optional or spec.auth.kind != "key",
    )


def find_credential(
    spec: ProviderSpec,
    argument: str | SecretStr | None,
    environment: Mapping[str, str],
    *,
    key_ring: KeyRing | None = None,
    key_file: KeyFile | None = None,
) -> Result[Credential | None, Fault]:
    """Return the key for `spec`; None if it has none and needs none; otherwise CredentialMissing with every location tried.

    Does not prompt or use the network. A keyring that does not respond delays the process by its timeout once.
    """
    query = build_key_query(spec)
    if spec.auth.kind == "none" and not spec.key_variables:
        return find_key(msgspec.structs.replace(query, name=""), argument, {})
    return find_key(query, argument, environment, key_ring=key_ring, key_file=key_file)


def find_key(
    query: KeyQuery,
    argument: str | SecretStr | None,
    environment: Mapping[str, str],
    *,
    key_ring: KeyRing | None = None,
    key_file: KeyFile | None = None,
) -> Result[Credential | None, Fault]:
    """Like `find_credential`, for a key without a catalogue entry. With an empty name no store is read."""
    tried: list[str] = []
    remedies: list[str] = []
    for source, location, found in _iterate_locations(query, argument, environment, key_ring, key_file):
        match found:
            case MistypedSecret(kind=kind):
                failed = (*tried, f"{source} {location}: expected str, got {kind}")
                return Failure(_build_missing(query, failed, ("decode the key",)))
            case KeyStoreFailure(reason=reason, remedy=remedy):
                tried.append(f"{source} {location}: {reason}")
                remedies += [remedy] * (source == "file" and bool(remedy))
            case None:
                tried.append(f"{source} {location}: no key")
            case str() if not found.strip():
                tried.append(f"{source} {location}: empty")
            case str():
                if problem := find_key_problem(found):
                    failed = (*tried, f"{source} {location}: {problem}")
                    return Failure(_build_missing(query, failed, ("correct the key",)))
                return Success(Credential(secret=Secret(found.strip()), source=source, location=location))
            case _:
                tried.append(f"{source} {location}: expected str, got {type(found).__name__}")
    return Success(None) if query.optional else Failure(_build_missing(query, tuple(tried), tuple(remedies)))


def find_key_problem(key: str) -> str:
    """Return why a key cannot be sent in a header, without quoting it; empty if it can."""
    text = key.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return "is enclosed in quotes"  # kept by tools that read environment files without a shell
    if any(character.isspace() for character in text):
        return "contains white space"
    return "" if text.isascii() and text.isprintable() else "contains characters that are not valid in a header"


_Location: TypeAlias = tuple[CredentialSource, str, object]
"""Source, location, and content: the key, None, or the reason why the store cannot be read."""


def _iterate_locations(
    query: KeyQuery,
    argument: str | SecretStr | None,
    environment: Mapping[str, str],
    ring: KeyRing | None,
    file: KeyFile | None,
) -> Iterator[_Location]:
    """Yield the locations in order; each is read only when its turn comes."""
    given = to_secret(argument)
    yield (
        "argument",
        "api_key",
        given if given is None or isinstance(given, MistypedSecret) else given.get_secret_value(),
    )
    for variable in query.variables:
        yield "environment", variable, environment.get(variable)
    if not query.name:
        return
    match outcome((ring or get_system_key_ring()).read(query.name)):
        case Success(secret):
            yield "keyring", f"{SERVICE}/{query.name}", secret
        case Failure(failure):
            yield "keyring", f"{SERVICE}/{query.name}", failure
    file = file or open_key_file(environment)
    match outcome(file.read()):
        case Success(keys):
            yield "file", file.location, keys.get(query.name)
        case Failure(failure):
            yield "file", file.location, failure


def _build_missing(query: KeyQuery, tried: tuple[str, ...], remedies: tuple[str, ...]) -> CredentialMissing:
    ways = [f"set {query.variables[0]}"] if query.variables else []
    ways = [*remedies, *ways, f"run: victor keys set {query.name}", "pass the argument api_key"]
    return CredentialMissing(
        provider=query.provider,
        message=f"no usable key for {query.title}. Looked at {'; '.join(tried)}. To fix it, {', or '.join(ways)}.",
        looked_in=tried,
    )
