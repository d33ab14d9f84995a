"""Keys by name, as the tutorial's providers ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from returns.result import Failure, Result, Success

from victor_fp.config.api_keys import (
    delete_api_key,
    find_api_key,
    get_api_key,
    key_query_from_name,
    list_stored_names,
    migrate_api_keys,
    store_api_key,
)
from victor_fp.core.faults import CredentialMissing, InvalidRequest
from victor_fp.shell.credentials.key_file import KeyFile, KeyStoreFailure
from victor_fp.shell.credentials.key_ring import NoKeyRing


class FakeKeyring:
    """A keyring that drops the given keys."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self.keys: dict[str, str] = {}
        self.forgetful = forgetful

    def read(self, name: str, /) -> Result[str | None, KeyStoreFailure]:
        return Success(self.keys.get(name))

    def store(self, name: str, secret: str, /) -> Result[None, KeyStoreFailure]:
        if not self.forgetful:
            self.keys[name] = secret
        return Success(None)

    def remove(self, name: str, /) -> Result[bool, KeyStoreFailure]:
        return Success(self.keys.pop(name, None) is not None)


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    return {"VICTOR_FP_CONFIG_DIR": str(tmp_path)}


def open_key_file(world: dict[str, str]) -> KeyFile:
    return KeyFile(Path(world["VICTOR_FP_CONFIG_DIR"]) / "keys.json")


def test_the_tutorial_function_finds_keys_in_variable_and_file(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", world["VICTOR_FP_CONFIG_DIR"])
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("CUSTOM_LLM_API_KEY", raising=False)
    assert get_api_key("custom_llm") is None

    store_api_key("custom_llm", "from-file")
    assert get_api_key("custom_llm") == "from-file"

    monkeypatch.setenv("CUSTOM_LLM_API_KEY", "from-env")
    assert get_api_key("custom_llm") == "from-env"


def test_unknown_name_is_used_for_its_variable() -> None:
    wanted = key_query_from_name(" Custom-LLM ")

    assert (wanted.name, wanted.variables) == ("custom-llm", ("CUSTOM_LLM_API_KEY",))


def test_missing_key_fault_lists_searched_locations(world: dict[str, str]) -> None:
    fault = find_api_key("custom_llm", world, key_ring=NoKeyRing()).failure()

    assert isinstance(fault, CredentialMissing)
    assert "CUSTOM_LLM_API_KEY" in fault.message
    assert "victor keys set custom_llm" in fault.message


@pytest.mark.parametrize("name", ["", "  ", "../x", "a b", "a/b", "-rf"])
def test_invalid_name_is_rejected(world: dict[str, str], name: str) -> None:
    assert isinstance(store_api_key(name, "k", environment=world).failure(), InvalidRequest)


@pytest.mark.parametrize("secret", ["", "  \n", "sk-canary with space", "sk-canary\nsk-two"])
def test_invalid_key_is_rejected_without_quoting_it(world: dict[str, str], secret: str) -> None:
    refused = store_api_key("openai", secret, environment=world)

    assert isinstance(refused.failure(), InvalidRequest)
    assert "canary" not in repr(refused)


def test_key_is_stored_in_the_selected_store(world: dict[str, str]) -> None:
    ring = FakeKeyring()

    assert store_api_key("custom", "one", keyring=True, environment=world, key_ring=ring) == Success(
        "keyring victor_fp/custom"
    )
    assert ring.keys == {"custom": "one"}
    assert store_api_key("custom", "two\n", environment=world, key_ring=ring) == Success(
        f"file {open_key_file(world).path}"
    )
    assert open_key_file(world).read() == Success({"custom": "two"})
    assert delete_api_key("custom", keyring=True, key_ring=ring) == Success(True)
    assert delete_api_key("custom", environment=world) == Success(True)
    assert delete_api_key("custom", environment=world) == Success(False)


def test_keys_move_into_the_keyring_and_leave_the_file(world: dict[str, str]) -> None:
    ring = FakeKeyring()
    for name in ("openai", "custom"):
        store_api_key(name, f"key-of-{name}", environment=world)

    assert migrate_api_keys(environment=world, key_ring=ring) == Success(("openai", "custom"))
    assert ring.keys == {"openai": "key-of-openai", "custom": "key-of-custom"}
    assert open_key_file(world).read() == Success({})


def test_a_keyring_that_does_not_store_a_key_loses_none(world: dict[str, str]) -> None:
    store_api_key("custom", "one", environment=world)

    moved = migrate_api_keys(environment=world, key_ring=FakeKeyring(forgetful=True))

    assert moved.failure().reason == "did not keep the key (not moved: custom; moved: none)"
    assert open_key_file(world).read() == Success({"custom": "one"})


def test_keys_are_kept_if_the_keyring_is_unavailable(world: dict[str, str]) -> None:
    store_api_key("custom", "one", environment=world)

    assert isinstance(migrate_api_keys(environment=world, key_ring=NoKeyRing()), Failure)
    assert open_key_file(world).read() == Success({"custom": "one"})


def test_keys_of_known_names_move_back_into_the_file(world: dict[str, str]) -> None:
    ring = FakeKeyring()
    for name in list_stored_names():
        ring.store(name, f"key-of-{name}")

    assert migrate_api_keys(to_keyring=False, environment=world, key_ring=ring) == Success(list_stored_names())
    assert open_key_file(world).read() == Success({name: f"key-of-{name}" for name in list_stored_names()})
    assert ring.keys == {}


def test_a_key_that_cannot_be_moved_does_not_keep_the_others(world: dict[str, str]) -> None:
    class Choosy(FakeKeyring):
        def store(self, name: str, secret: str, /) -> Result[None, KeyStoreFailure]:
            if name == "bad":
                return Failure(KeyStoreFailure(store="keyring", location="test", reason="refused"))
            return super().store(name, secret)

    ring = Choosy()
    for name in ("bad", "openai"):
        store_api_key(name, f"key-of-{name}", environment=world)

    moved = migrate_api_keys(environment=world, key_ring=ring)

    assert moved.failure().reason == "refused (not moved: bad; moved: openai)"
    assert (ring.keys, open_key_file(world).read()) == ({"openai": "key-of-openai"}, Success({"bad": "key-of-bad"}))
