"""API keys by provider name: find, store, delete and migrate them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.result import outcome
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials.key_file import KeyFile, KeyStoreFailure, open_key_file
from victor_fp.shell.credentials.key_ring import KeyRing, get_system_key_ring
from victor_fp.shell.credentials.lookup import Credential, KeyQuery, build_key_query, find_key, find_key_problem

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


def get_api_key(name: str) -> str | None:
    """Return the key for provider `name` from the environment, keyring or key file; None if there is none.

    Any name is accepted: for `custom_llm` the variable is CUSTOM_LLM_API_KEY.
    """
    match outcome(find_api_key(name)):
        case Success(credential):
            return credential.secret.get_secret_value() if credential else None
        case Failure(_):
            return None


def find_api_key(
    name: str,
    environment: Mapping[str, str] | None = None,
    *,
    key_ring: KeyRing | None = None,
    key_file: KeyFile | None = None,
) -> Result[Credential | None, Fault]:
    """Like `get_api_key`, but return the key with its location, or CredentialMissing with the searched locations."""
    variables = os.environ if environment is None else environment
    return find_key(key_query_from_name(name), None, variables, key_ring=key_ring, key_file=key_file)


def key_query_from_name(name: str) -> KeyQuery:
    """Return the key query for a provider's name or alias; an unknown name is used unchanged."""
    plain = name.strip().lower()
    match outcome(ProviderRegistry.catalogue().find(plain)):
        case Success(spec):
            return build_key_query(spec)
        case Failure(_):
            pass
    variable = re.sub(r"[^A-Z0-9]", "_", plain.upper()) + "_API_KEY"
    return KeyQuery(name=plain, provider=plain, title=plain, variables=(variable,))


def store_api_key(
    name: str,
    secret: str,
    *,
    keyring: bool = False,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[str, Fault | KeyStoreFailure]:
    """Store a key in the key file or the keyring; return its location."""
    stored_as = key_query_from_name(name).name
    if not _NAME.fullmatch(stored_as):
        return Failure(
            InvalidRequest(message=f"{name!r} is not a valid provider name: use letters, digits, '.', '_' and '-'")
        )
    if not isinstance(secret, str):
        kind = type(secret).__name__
        return Failure(InvalidRequest(provider=stored_as, message=f"the key must be str, got {kind}: decode it first"))
    if not secret.strip():
        return Failure(InvalidRequest(provider=stored_as, message="the key is empty"))
    if problem := find_key_problem(secret):
        return Failure(InvalidRequest(provider=stored_as, message=f"the key {problem}"))
    if keyring:
        stored = (key_ring or get_system_key_ring()).store(stored_as, secret.strip())
        return stored.map(lambda _: f"keyring victor_fp/{stored_as}")
    file = open_key_file(os.environ if environment is None else environment)
    return file.store(stored_as, secret.strip()).map(lambda _: f"file {file.location}")


def delete_api_key(
    name: str,
    *,
    keyring: bool = False,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[bool, KeyStoreFailure]:
    """Delete a key from the key file or the keyring; False if there is none."""
    stored_as = key_query_from_name(name).name
    if keyring:
        return (key_ring or get_system_key_ring()).remove(stored_as)
    return open_key_file(os.environ if environment is None else environment).remove(stored_as)


def migrate_api_keys(
    *,
    to_keyring: bool = True,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[tuple[str, ...], KeyStoreFailure]:
    """Move all keys from the file to the keyring, or back; return the names moved.

    A key is removed from the old store only after it was read back from the new one. A key that cannot be moved is
    kept, the others are moved, and the failure names it. Keyrings cannot be listed: moving back covers the names of the
    catalogue.
    """
    ring = key_ring or get_system_key_ring()
    file = open_key_file(os.environ if environment is None else environment)
    return (_move_to_ring if to_keyring else _move_to_file)(ring, file)


def list_stored_names() -> tuple[str, ...]:
    """Return the names under which built-in providers' keys are stored, in the catalogue's order."""
    wanted = (build_key_query(spec) for spec in ProviderRegistry.catalogue() if spec.key_variables)
    return tuple(dict.fromkeys(key.name for key in wanted))


def _move_to_ring(ring: KeyRing, file: KeyFile) -> Result[tuple[str, ...], KeyStoreFailure]:
    match outcome(file.read()):
        case Failure(failure):
            return Failure(failure)
        case Success(keys):
            return _collect_moves((name, _move_into_ring(ring, file, name, secret)) for name, secret in keys.items())


def _move_to_file(ring: KeyRing, file: KeyFile) -> Result[tuple[str, ...], KeyStoreFailure]:
    return _collect_moves((name, _move_into_file(ring, file, name)) for name in list_stored_names())


def _collect_moves(
    moves: Iterable[tuple[str, Result[bool, KeyStoreFailure]]],
) -> Result[tuple[str, ...], KeyStoreFailure]:
    """Return the names moved, or the first failure with the names that were not moved."""
    moved: list[str] = []
    failed: dict[str, KeyStoreFailure] = {}
    for name, move in moves:
        match outcome(move):
            case Failure(failure):
                failed[name] = failure
            case Success(True):
                moved.append(name)
            case Success(_):
                continue
    if not failed:
        return Success(tuple(moved))
    first = next(iter(failed.values()))
    reason = f"{first.reason} (not moved: {', '.join(failed)}; moved: {', '.join(moved) or 'none'})"
    return Failure(msgspec.structs.replace(first, reason=reason))


def _move_into_ring(ring: KeyRing, file: KeyFile, name: str, secret: str) -> Result[bool, KeyStoreFailure]:
    def verify(found: str | None) -> Result[bool, KeyStoreFailure]:
        lost = KeyStoreFailure(store="keyring", location=f"victor_fp/{name}", reason="did not keep the key")
        return file.remove(name) if found == secret else Failure(lost)

    return ring.store(name, secret).bind(lambda _: ring.read(name)).bind(verify)


def _move_into_file(ring: KeyRing, file: KeyFile, name: str) -> Result[bool, KeyStoreFailure]:
    """Move a key if the keyring has it; return whether it had."""

    def move(secret: str | None) -> Result[bool, KeyStoreFailure]:
        if secret is None:
            return Success(False)  # noqa: FBT003  the value of a Result
        return file.store(name, secret).bind(lambda _: ring.remove(name)).map(lambda _: True)

    return ring.read(name).bind(move)
