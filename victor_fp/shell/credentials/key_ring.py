"""Keys in the operating system's keyring, asked in a way that neither prompts, nor hangs, nor raises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import cache
from threading import Thread
from typing import Protocol, TypeVar, cast

from returns.result import Failure, Result, Success

from victor_fp.shell.credentials.key_file import StoreUnusable

T = TypeVar("T")

SERVICE = "victor_fp"
READ_PATIENCE = 2.0
"""Seconds to wait for an answer; a D-Bus peer that never answers is a thing that happens."""
WRITE_PATIENCE = 60.0
"""Seconds for a change: the system may ask its user to unlock the keyring."""
INSTALL = "pip install 'victor_fp[keyring]'"


class KeyRing(Protocol):
    """Somewhere that holds a key per name."""

    def read(self, name: str, /) -> Result[str | None, StoreUnusable]:
        """The key, None where there is none."""
        ...

    def store(self, name: str, secret: str, /) -> Result[None, StoreUnusable]:
        """Put a key under `name`, in place of what stood there."""
        ...

    def remove(self, name: str, /) -> Result[bool, StoreUnusable]:
        """Take the key away; False where there was none."""
        ...


class Backend(Protocol):
    """What this module needs of a backend of the `keyring` library."""

    @property
    def priority(self) -> float:
        """How good it is; zero or less is no keyring."""
        ...

    def get_password(self, service: str, username: str, /) -> str | None:
        """The password, None where there is none."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a password."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget a password."""
        ...


class NotInstalled(Exception):
    """The extra `keyring` is missing."""


class Unusable(Exception):
    """A backend that holds nothing, or nothing now."""


def system_backend() -> Callable[[], Backend]:
    """The library's choice of a backend, to be called where a hang does no harm: it may speak to D-Bus."""
    try:
        import keyring
    except ImportError as error:
        raise NotInstalled from error
    return cast("Callable[[], Backend]", keyring.get_keyring)


class SystemKeyRing:
    """The operating system's keyring through the `keyring` library, loaded on first use.

    Every question runs in a thread of its own with a bound on the wait. After one that was not answered no more are asked.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[], Backend]] = system_backend,
        *,
        read_patience: float = READ_PATIENCE,
        write_patience: float = WRITE_PATIENCE,
    ) -> None:
        self._load = load
        self._read_patience = read_patience
        self._write_patience = write_patience
        self._stuck: StoreUnusable | None = None

    def read(self, name: str) -> Result[str | None, StoreUnusable]:
        """The key, None where there is none. A locked keyring stays locked and counts as unusable."""
        return self._ask(lambda backend: _unlocked(backend).get_password(SERVICE, name), self._read_patience)

    def store(self, name: str, secret: str) -> Result[None, StoreUnusable]:
        """Put a key under `name`; the system may ask its user to unlock the keyring."""
        return self._ask(lambda backend: backend.set_password(SERVICE, name, secret), self._write_patience)

    def remove(self, name: str) -> Result[bool, StoreUnusable]:
        """Take the key away; False where there was none."""
        return self._ask(lambda backend: _delete(backend, name), self._write_patience)

    def _ask(self, question: Callable[[Backend], T], patience: float) -> Result[T, StoreUnusable]:
        if self._stuck:
            return Failure(self._stuck)
        try:
            choose = self._load()
        except NotInstalled:
            return Failure(_unusable("not installed", INSTALL))
        answers: list[Result[T, StoreUnusable]] = []
        asking = Thread(target=lambda: answers.append(_answer(choose, question)), daemon=True, name="victor_fp-keyring")
        asking.start()
        asking.join(patience)
        if not answers:
            self._stuck = _unusable(f"did not answer within {patience:g} s")
            return Failure(self._stuck)
        return answers[0]


@cache
def system_key_ring() -> KeyRing:
    """This process's keyring; nothing is loaded before it is asked."""
    return SystemKeyRing()


class NoKeyRing:
    """A keyring that is not there."""

    def read(self, _name: str, /) -> Result[str | None, StoreUnusable]:
        """Nothing."""
        return Failure(_unusable("not used"))

    def store(self, _name: str, _secret: str, /) -> Result[None, StoreUnusable]:
        """Refused."""
        return Failure(_unusable("not used"))

    def remove(self, _name: str, /) -> Result[bool, StoreUnusable]:
        """Refused."""
        return Failure(_unusable("not used"))


def _answer(choose: Callable[[], Backend], question: Callable[[Backend], T]) -> Result[T, StoreUnusable]:
    """Backends raise what they like, even what is no `Exception`; an error's text may quote the secret, its class does not."""
    try:
        backend = choose()
        if not _holds_keys(backend):
            return Failure(_unusable("no backend on this machine"))
        return Success(question(backend))
    except Unusable as error:
        return Failure(_unusable(str(error), "unlock it"))
    except BaseException as error:
        return Failure(_unusable(f"failed ({type(error).__name__})"))


def _holds_keys(backend: Backend) -> bool:
    """The library's stand-ins for "none" have a priority of zero or less; a chain is as good as its links."""
    links = getattr(backend, "backends", None)
    return bool(links) if links is not None else backend.priority > 0


def _unlocked(backend: Backend) -> Backend:
    """The backend, unless reading would make the desktop ask its user to unlock or to create a keyring."""
    links = getattr(backend, "backends", None) or (backend,)
    if any(type(link).__module__ == "keyring.backends.SecretService" for link in links):
        import secretstorage

        with closing(secretstorage.dbus_init()) as connection:
            if secretstorage.Collection(connection).is_locked():
                raise Unusable("locked")
    return backend


def _delete(backend: Backend, name: str) -> bool:
    if backend.get_password(SERVICE, name) is None:
        return False
    backend.delete_password(SERVICE, name)
    return True


def _unusable(reason: str, remedy: str = "") -> StoreUnusable:
    return StoreUnusable(store="keyring", place=SERVICE, reason=reason, remedy=remedy)
