"""Types for secrets: keys and mappings that keep secret values out of reprs and pickles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import SecretStr

from victor_fp.core.security.redaction import HIDDEN, is_secret_name

V = TypeVar("V")

NOT_PICKLED = "secrets cannot be pickled: pass a key to the other process, or let it look one up"


class Secret(SecretStr):
    """A SecretStr that cannot be pickled. Copying returns the same object."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class MistypedSecret(Secret):
    """Placeholder for a key that is not a str, such as bytes of a secret manager; the key itself is not kept."""

    def __init__(self, kind: str) -> None:
        super().__init__("\0")  # invalid in a header, so that it is never sent
        self.kind = kind


def to_secret(key: str | SecretStr | None) -> Secret | None:
    """Wrap a key; one that is not a str is replaced by a `MistypedSecret`.

    Does not raise: the frames of a traceback would show the key.
    """
    if key is None or isinstance(key, Secret):
        return key
    value: object = key.get_secret_value() if isinstance(key, SecretStr) else key
    return Secret(value) if isinstance(value, str) else MistypedSecret(type(value).__name__)


class HiddenValuesDict(dict[str, V]):
    """A dict whose repr shows names only; it cannot be pickled if it contains a secret."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {HIDDEN}' for name in self)}}}"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if any(find_secrets(self)):
            raise TypeError(NOT_PICKLED)
        return type(self), (dict(self),)

    def __copy__(self) -> HiddenValuesDict[V]:
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> HiddenValuesDict[V]:
        from copy import deepcopy

        return type(self)({name: deepcopy(value, memo) for name, value in self.items()})


class HiddenValuesView(Mapping[str, V]):
    """A live view of another mapping, such as the environment, whose repr hides the values."""

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


def find_secrets(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the secrets among keywords or headers: `SecretStr` values, and strings with a secret name."""
    for name, value in values.items():
        match value:
            case SecretStr():
                yield value.get_secret_value()
            case Mapping():
                yield from find_secrets({f"{name}.{inner}": held for inner, held in value.items()})
            case str() if value and is_secret_name(name):
                yield value
            case bytes() if value and is_secret_name(name):
                yield value.decode("latin-1")
            case _:
                pass
