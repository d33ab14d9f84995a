"""Where a provider's key is found: argument, then environment, then keyring, then the file of keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import CredentialMissing, Fault
from victor_fp.core.redaction import Secret
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import KeyFile, StoreUnusable, key_file
from victor_fp.shell.credentials.key_ring import SERVICE, KeyRing, system_key_ring

Source: TypeAlias = Literal["argument", "environment", "keyring", "file"]


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and where it was found."""

    secret: SecretStr
    source: Source
    place: str
    """The argument's or variable's name, the keyring's service and entry, or the file's path."""


class KeyWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key is looked for, and under which names."""

    name: str
    """What it is stored under in keyring and file."""
    provider: str
    title: str
    variables: tuple[str, ...] = ()
    optional: bool = False


def key_wanted_by(spec: ProviderSpec) -> KeyWanted:
    """The key of a catalogue entry. A place with a credential chain of its own (AWS, Google) can do without."""
    return KeyWanted(
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
    """The key for `spec`; None where it has none and needs none; CredentialMissing, with every place looked at, otherwise.

    Asks neither people nor the network. A keyring that hangs costs its patience once per process.
    """
    wanted = key_wanted_by(spec)
    if spec.auth.kind == "none" and not spec.key_variables:
        return find_key(msgspec.structs.replace(wanted, name=""), argument, {})
    return find_key(wanted, argument, environment, key_ring=key_ring, key_file=key_file)


def find_key(
    wanted: KeyWanted,
    argument: str | SecretStr | None,
    environment: Mapping[str, str],
    *,
    key_ring: KeyRing | None = None,
    key_file: KeyFile | None = None,
) -> Result[Credential | None, Fault]:
    """As `find_credential`, for a key that no catalogue entry describes. An empty name looks in no store."""
    looked_in: list[str] = []
    remedies: list[str] = []
    for source, place, found in _places(wanted, argument, environment, key_ring, key_file):
        match found:
            case StoreUnusable(reason=reason, remedy=remedy):
                looked_in.append(f"{source} {place}: {reason}")
                remedies += [remedy] * (source == "file" and bool(remedy))
            case None:
                looked_in.append(f"{source} {place}: nothing")
            case str() if not found.strip():
                looked_in.append(f"{source} {place}: empty")
            case _ if wrong := unsendable(found):
                return Failure(_missing(wanted, (*looked_in, f"{source} {place}: {wrong}"), ("give the key again",)))
            case _:
                return Success(Credential(secret=Secret(found.strip()), source=source, place=place))
    return Success(None) if wanted.optional else Failure(_missing(wanted, tuple(looked_in), tuple(remedies)))


def unsendable(key: str) -> str:
    """Why a key cannot travel in a header, without quoting it; empty where it can."""
    text = key.strip()
    if any(character.isspace() for character in text):
        return "holds white space within"
    return "" if text.isascii() and text.isprintable() else "holds characters that no key has"


_Place: TypeAlias = tuple[Source, str, "str | StoreUnusable | None"]


def _places(
    wanted: KeyWanted,
    argument: str | SecretStr | None,
    environment: Mapping[str, str],
    ring: KeyRing | None,
    file: KeyFile | None,
) -> Iterator[_Place]:
    """The places in order, each looked at only when its turn comes."""
    yield "argument", "api_key", argument.get_secret_value() if isinstance(argument, SecretStr) else argument
    for variable in wanted.variables:
        yield "environment", variable, environment.get(variable)
    if not wanted.name:
        return
    match outcome((ring or system_key_ring()).read(wanted.name)):
        case Success(secret):
            yield "keyring", f"{SERVICE}/{wanted.name}", secret
        case Failure(unusable):
            yield "keyring", f"{SERVICE}/{wanted.name}", unusable
    file = file or key_file(environment)
    match outcome(file.read()):
        case Success(keys):
            yield "file", file.place, keys.get(wanted.name)
        case Failure(unusable):
            yield "file", file.place, unusable


def _missing(wanted: KeyWanted, looked_in: tuple[str, ...], remedies: tuple[str, ...]) -> CredentialMissing:
    ways = [f"set {wanted.variables[0]}"] if wanted.variables else []
    ways = [*remedies, *ways, f"run: victor keys set {wanted.name}", "pass the argument api_key"]
    return CredentialMissing(
        provider=wanted.provider,
        message=f"no usable key for {wanted.title}. Looked at {'; '.join(looked_in)}. To mend it, {', or '.join(ways)}.",
        looked_in=looked_in,
    )
