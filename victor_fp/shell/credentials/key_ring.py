"""Keys in the operating system's keyring. Reading does not prompt, hang or raise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import cache
from threading import Thread
from typing import Protocol, TypeVar, cast

from returns.result import Failure, Result, Success

from victor_fp.shell.credentials.key_file import KeyStoreFailure

T = TypeVar("T")

SERVICE = "victor_fp"
READ_TIMEOUT = 2.0
"""Seconds to wait for a response; D-Bus peers sometimes never respond."""
WRITE_TIMEOUT = 60.0
"""Seconds for a change: the system may ask the user to unlock the keyring."""
INSTALL = "pip install 'victor_fp[keyring]'"


class KeyRing(Protocol):
    """A store with one key per name."""

    def read(self, name: str, /) -> Result[str | None, KeyStoreFailure]:
        """Return the key; None where there is none."""
        ...

    def store(self, name: str, secret: str, /) -> Result[None, KeyStoreFailure]:
        """Store a key under `name`, replacing the one that is there."""
        ...

    def remove(self, name: str, /) -> Result[bool, KeyStoreFailure]:
        """Remove the key; False where there is none."""
        ...


class KeyringBackend(Protocol):
    """The part of a `keyring` backend that is used here."""

    @property
    def priority(self) -> float:
        """Its priority; zero or less marks a backend that stores nothing."""
        ...

    def get_password(self, service: str, username: str, /) -> str | None:
        """Return the password; None where there is none."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Store a password."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Delete a password."""
        ...


class NotInstalled(Exception):
    """The extra `keyring` is missing."""


class Unusable(Exception):
    """A backend that cannot be read now."""


def load_backend() -> Callable[[], KeyringBackend]:
    """Return the function that chooses a backend; it may use D-Bus and hang, so it is called in a thread."""
    try:
        import keyring
    except ImportError as error:
        raise NotInstalled from error
    return cast("Callable[[], KeyringBackend]", keyring.get_keyring)


class SystemKeyRing:
    """The operating system's keyring through the `keyring` library, loaded on first use.

    Every operation runs in its own thread with a timeout. After one that timed out, the keyring is not used again.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[], KeyringBackend]] = load_backend,
        *,
        read_timeout: float = READ_TIMEOUT,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        self._load = load
        self._read_timeout = read_timeout
        self._write_timeout = write_timeout
        self._stuck: KeyStoreFailure | None = None

    def read(self, name: str) -> Result[str | None, KeyStoreFailure]:
        """Return the key; None where there is none. A locked keyring is not unlocked and counts as unusable."""
        return self._ask(lambda backend: _read_password(_require_unlocked(backend), name), self._read_timeout)

    def store(self, name: str, secret: str) -> Result[None, KeyStoreFailure]:
        """Store a key under `name`; the system may ask the user to unlock the keyring."""
        return self._ask(lambda backend: backend.set_password(SERVICE, name, secret), self._write_timeout)

    def remove(self, name: str) -> Result[bool, KeyStoreFailure]:
        """Remove the key; False where there is none."""
        return self._ask(lambda backend: _delete(backend, name), self._write_timeout)

    def _ask(self, operation: Callable[[KeyringBackend], T], timeout: float) -> Result[T, KeyStoreFailure]:
        if self._stuck:
            return Failure(self._stuck)
        try:
            choose = self._load()
        except NotInstalled:
            return Failure(_build_failure("not installed", INSTALL))
        answers: list[Result[T, KeyStoreFailure]] = []
        thread = Thread(target=lambda: answers.append(_run(choose, operation)), daemon=True, name="victor_fp-keyring")
        thread.start()
        thread.join(timeout)
        if not answers:
            self._stuck = _build_failure(f"did not respond within {timeout:g} s")
            return Failure(self._stuck)
        return answers[0]


@cache
def get_system_key_ring() -> KeyRing:
    """Return this process's keyring; the library is loaded on first use."""
    return SystemKeyRing()


class NoKeyRing:
    """A keyring that is never used."""

    def read(self, _name: str, /) -> Result[str | None, KeyStoreFailure]:
        """Fail: not used."""
        return Failure(_build_failure("not used"))

    def store(self, _name: str, _secret: str, /) -> Result[None, KeyStoreFailure]:
        """Fail: not used."""
        return Failure(_build_failure("not used"))

    def remove(self, _name: str, /) -> Result[bool, KeyStoreFailure]:
        """Fail: not used."""
        return Failure(_build_failure("not used"))


def _run(choose: Callable[[], KeyringBackend], operation: Callable[[KeyringBackend], T]) -> Result[T, KeyStoreFailure]:
    """Run an operation and catch everything it raises.

    Backends may even raise a BaseException. Only its class is reported, because the message may quote the secret.
    """
    try:
        backend = choose()
        if not _can_store(backend):
            return Failure(_build_failure("no backend on this machine"))
        return Success(operation(backend))
    except Unusable as error:
        return Failure(_build_failure(*error.args))
    except BaseException as error:
        return Failure(_build_failure(f"failed ({type(error).__name__})"))


def _can_store(backend: KeyringBackend) -> bool:
    """Return whether a backend stores anything: the null and fail backends have a priority of zero or less."""
    links = getattr(backend, "backends", None)
    return bool(links) if links is not None else backend.priority > 0


def _require_unlocked(backend: KeyringBackend) -> KeyringBackend:
    """Return the backend. Raises Unusable if reading would make the desktop prompt to unlock or create a keyring."""
    links = getattr(backend, "backends", None) or (backend,)
    if any(type(link).__module__ == "keyring.backends.SecretService" for link in links):
        import secretstorage

        with closing(secretstorage.dbus_init()) as connection:
            if secretstorage.Collection(connection).is_locked():
                raise Unusable("locked", "unlock it")
    return backend


def _read_password(backend: KeyringBackend, name: str) -> str | None:
    found: object = backend.get_password(SERVICE, name)
    if found is not None and not isinstance(found, str):
        raise Unusable(f"returned {type(found).__name__}, expected str")
    return found


def _delete(backend: KeyringBackend, name: str) -> bool:
    if backend.get_password(SERVICE, name) is None:
        return False
    backend.delete_password(SERVICE, name)
    return True


def _build_failure(reason: str, remedy: str = "") -> KeyStoreFailure:
    return KeyStoreFailure(store="keyring", location=SERVICE, reason=reason, remedy=remedy)
