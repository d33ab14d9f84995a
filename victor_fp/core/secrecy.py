"""What is used and not seen: secrets, and mappings that may hold some, stay out of reprs and pickles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import SecretStr

V = TypeVar("V")

NOT_PICKLED = "a secret is not pickled: give the other process its own key, or let it look one up"
HIDDEN = "..."

_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_TELLING = frozenset(
    {
        "apikey",
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "key",
        "passphrase",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
    }
)
_PASSWORD = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")


class Secret(SecretStr):
    """A SecretStr that also stays out of pickles. Copies are the secret itself."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def kept_secret(key: str | SecretStr | None) -> Secret | None:
    """A key as it is held."""
    if key is None or isinstance(key, Secret):
        return key
    return Secret(key.get_secret_value() if isinstance(key, SecretStr) else key)


class Veiled(dict[str, V]):
    """A dict that shows its names and no values; one that holds a secret is not pickled."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {HIDDEN}' for name in self)}}}"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if any(secrets_in(self)):
            raise TypeError(NOT_PICKLED)
        return type(self), (dict(self),)

    def __copy__(self) -> Veiled[V]:
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Veiled[V]:
        from copy import deepcopy

        return type(self)({name: deepcopy(value, memo) for name, value in self.items()})


class VeiledView(Mapping[str, V]):
    """Another mapping as it is now, such as the environment, with its values unseen."""

    __slots__ = ("_seen",)

    def __init__(self, seen: Mapping[str, V]) -> None:
        self._seen = seen

    def __getitem__(self, name: str) -> V:
        return self._seen[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def __repr__(self) -> str:
        return f"<{len(self)} variables>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NOT_PICKLED)


def secrets_in(values: Mapping[str, object]) -> Iterator[str]:
    """The secrets among keywords or headers: what is held as one, and texts whose names say so."""
    for name, value in values.items():
        match value:
            case SecretStr():
                yield value.get_secret_value()
            case Mapping():
                yield from secrets_in({f"{name}.{inner}": held for inner, held in value.items()})
            case str() if value and sounds_secret(name):
                yield value
            case bytes() if value and sounds_secret(name):
                yield value.decode("latin-1")
            case _:
                pass


def sounds_secret(name: str) -> bool:
    """Whether a keyword's or header's name says that its value is a secret.

    >>> sounds_secret("aws_secret_access_key"), sounds_secret("X-Api-Key"), sounds_secret("max_tokens")
    (True, True, False)
    """
    return not _TELLING.isdisjoint(word.lower() for word in _WORDS.findall(name))


def without_password(address: str) -> str:
    """An address without the user and password that may stand in it.

    >>> without_password("https://me:hunter2@gateway.test/v1")
    'https://...@gateway.test/v1'
    """
    return _PASSWORD.sub(HIDDEN, address)
