"""Keys by provider name, for people who write their own providers: found, stored and removed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from returns.result import Failure, Result, Success

from victor_fp.core.catalogue import built_in, find
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import KeyFile, StoreUnusable, key_file
from victor_fp.shell.credentials.key_ring import KeyRing, system_key_ring
from victor_fp.shell.credentials.lookup import Credential, KeyWanted, find_key, key_wanted_by, unsendable

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


def get_api_key(name: str) -> str | None:
    """The key stored or set for provider `name`: environment, then keyring, then file; None where there is none.

    Works for any name: `custom_llm` is also looked for in the variable CUSTOM_LLM_API_KEY.
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
    """As `get_api_key`, with the place it was found in, or CredentialMissing that names the places looked at."""
    world = os.environ if environment is None else environment
    return find_key(key_wanted(name), None, world, key_ring=key_ring, key_file=key_file)


def key_wanted(name: str) -> KeyWanted:
    """What is looked for under a provider's name or alias; a name nobody knows stands for itself."""
    plain = name.strip().lower()
    match outcome(find(plain)):
        case Success(spec):
            return key_wanted_by(spec)
        case Failure(_):
            pass
    variable = re.sub(r"[^A-Z0-9]", "_", plain.upper()) + "_API_KEY"
    return KeyWanted(name=plain, provider=plain, title=plain, variables=(variable,))


def store_api_key(
    name: str,
    secret: str,
    *,
    keyring: bool = False,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[str, Fault | StoreUnusable]:
    """Put a key into the file of keys, or the keyring; the place it went to."""
    stored_as = key_wanted(name).name
    if not _NAME.fullmatch(stored_as):
        return Failure(
            InvalidRequest(message=f"{name!r} is no provider's name: letters, digits, '.', '_' and '-' make one")
        )
    if not secret.strip():
        return Failure(InvalidRequest(provider=stored_as, message="the key is empty"))
    if wrong := unsendable(secret):
        return Failure(InvalidRequest(provider=stored_as, message=f"the key {wrong}"))
    if keyring:
        stored = (key_ring or system_key_ring()).store(stored_as, secret.strip())
        return stored.map(lambda _: f"keyring victor_fp/{stored_as}")
    file = key_file(os.environ if environment is None else environment)
    return file.store(stored_as, secret.strip()).map(lambda _: f"file {file.place}")


def delete_api_key(
    name: str,
    *,
    keyring: bool = False,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[bool, StoreUnusable]:
    """Take a key out of the file of keys, or the keyring; False where there was none."""
    stored_as = key_wanted(name).name
    if keyring:
        return (key_ring or system_key_ring()).remove(stored_as)
    return key_file(os.environ if environment is None else environment).remove(stored_as)


def migrate_api_keys(
    *,
    to_keyring: bool = True,
    environment: Mapping[str, str] | None = None,
    key_ring: KeyRing | None = None,
) -> Result[tuple[str, ...], StoreUnusable]:
    """Move every key of the file into the keyring, or those of known names back; the names moved.

    A key is removed from where it was only after it has been read back from where it went. A keyring cannot be listed, so
    the way back covers the names of the catalogue and of the file.
    """
    ring = key_ring or system_key_ring()
    file = key_file(os.environ if environment is None else environment)
    return (_into_ring if to_keyring else _into_file)(ring, file)


def stored_names() -> tuple[str, ...]:
    """The names that built-in providers' keys are stored under, each once, in the catalogue's order."""
    wanted = (key_wanted_by(spec) for spec in built_in().values() if spec.key_variables)
    return tuple(dict.fromkeys(key.name for key in wanted))


def _into_ring(ring: KeyRing, file: KeyFile) -> Result[tuple[str, ...], StoreUnusable]:
    moved: list[str] = []
    match outcome(file.read()):
        case Failure(unusable):
            return Failure(unusable)
        case Success(keys):
            for name, secret in keys.items():
                match outcome(_moved_into_ring(ring, file, name, secret)):
                    case Failure(unusable):
                        return Failure(unusable)
                    case Success(_):
                        moved.append(name)
    return Success(tuple(moved))


def _moved_into_ring(ring: KeyRing, file: KeyFile, name: str, secret: str) -> Result[bool, StoreUnusable]:
    def arrived(found: str | None) -> Result[bool, StoreUnusable]:
        lost = StoreUnusable(store="keyring", place=f"victor_fp/{name}", reason="did not keep the key")
        return file.remove(name) if found == secret else Failure(lost)

    return ring.store(name, secret).bind(lambda _: ring.read(name)).bind(arrived)


def _moved_into_file(ring: KeyRing, file: KeyFile, name: str, secret: str) -> Result[bool, StoreUnusable]:
    return file.store(name, secret).bind(lambda _: ring.remove(name))


def _into_file(ring: KeyRing, file: KeyFile) -> Result[tuple[str, ...], StoreUnusable]:
    moved: list[str] = []
    for name in stored_names():
        match outcome(ring.read(name)):
            case Failure(unusable):
                return Failure(unusable)
            case Success(None):
                continue
            case Success(str() as secret):
                match outcome(_moved_into_file(ring, file, name, secret)):
                    case Failure(unusable):
                        return Failure(unusable)
                    case Success(_):
                        moved.append(name)
    return Success(tuple(moved))
