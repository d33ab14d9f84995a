"""`victor keys`: keys come in by prompt or pipe, and never show."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import KEY
from victor_fp.cli.app import app


def keys(*arguments: str, env: dict[str, str], stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["keys", *arguments], env=env, input=stdin)


def read_stored(world: dict[str, str]) -> dict[str, str]:
    path = Path(world["VICTOR_FP_CONFIG_DIR"]) / "keys.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    assert isinstance(found, dict)
    return found


def test_a_key_is_stored_listed_and_deleted_without_being_shown(world: dict[str, str]) -> None:
    results = [keys("set", "openai", env=world, stdin=f"{KEY}\n")]
    assert read_stored(world) == {"openai": KEY}
    results += [keys("list", env=world), keys(env=world)]
    assert [result.stdout for result in results[1:]] == [
        f"openai\tfile {world['VICTOR_FP_CONFIG_DIR']}/keys.json\n"
    ] * 2
    results += [keys("delete", "openai", env=world)]
    assert read_stored(world) == {}

    assert [result.exit_code for result in results] == [0, 0, 0, 0]
    assert KEY not in "".join(result.output for result in results)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_the_file_is_readable_by_its_owner_only(world: dict[str, str]) -> None:
    keys("--set", "openai", env=world, stdin=KEY)

    assert stat.S_IMODE((Path(world["VICTOR_FP_CONFIG_DIR"]) / "keys.json").stat().st_mode) == 0o600


def test_an_alias_stores_under_the_name(world: dict[str, str]) -> None:
    keys("set", "Claude", env=world, stdin=KEY)

    assert read_stored(world) == {"anthropic": KEY}


def test_a_key_on_the_command_line_is_refused_and_not_repeated(world: dict[str, str]) -> None:
    result = keys("set", "openai", KEY, env=world)

    assert result.exit_code == 2
    assert "history" in result.output
    assert KEY not in result.output
    assert read_stored(world) == {}


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (["set", "openai"], "", 2, "no key given"),
        (["set", "openai"], "two words\n", 2, "white space"),
        (["set", "../up"], "x\n", 2, "not a valid provider name"),
        (["delete", "openai"], "", 4, "has no key for openai"),
        (["set", "openai", "--keyring"], "x\n", 3, "no backend on this machine"),
        (["list", "--keyring"], "", 3, "no backend on this machine"),
        (["migrate"], "", 0, "nothing to move"),
        (["--keyring", "list"], "", 2, "after the command"),
    ],
)
def test_failures_are_reported(world: dict[str, str], arguments: list[str], stdin: str, code: int, says: str) -> None:
    result = keys(*arguments, env=world, stdin=stdin)

    assert result.exit_code == code
    assert says in result.stderr


def test_overridden_key_is_reported(world: dict[str, str]) -> None:
    result = keys("set", "openai", env=world | {"OPENAI_API_KEY": "sk-another"}, stdin=KEY)

    assert "environment OPENAI_API_KEY" in result.stderr
    assert "sk-another" not in result.stderr


def test_a_file_readable_by_others_is_an_error_with_advice(world: dict[str, str]) -> None:
    keys("set", "openai", env=world, stdin=KEY)
    path = Path(world["VICTOR_FP_CONFIG_DIR"]) / "keys.json"
    path.chmod(0o644)

    result = keys("set", "groq", env=world, stdin=KEY)

    assert result.exit_code == 3
    assert f"chmod 600 {path}" in result.stderr


@pytest.fixture
def ring() -> Iterator[dict[tuple[str, str], str]]:
    """A working keyring behind the library, and what it holds."""
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    kept: dict[tuple[str, str], str] = {}

    class FakeBackend(KeyringBackend):
        priority = cast("Any", 5.0)

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(cast("Any", FakeBackend)())
    yield kept
    keyring.set_keyring(before)
    KeyringBackend._classes.discard(FakeBackend)


def test_tutorial_commands_use_the_keyring(world: dict[str, str], ring: dict[tuple[str, str], str]) -> None:
    put = keys("--set", "custom_llm", "--keyring", env=world, stdin=f"{KEY}\n")

    assert (put.exit_code, ring) == (0, {("victor_fp", "custom_llm"): KEY})
    assert "get_api_key('custom_llm')" in put.stderr
    assert keys("delete", "custom_llm", "--keyring", env=world).exit_code == 0
    assert ring == {}


def test_keys_move_between_file_and_keyring(world: dict[str, str], ring: dict[tuple[str, str], str]) -> None:
    keys("set", "openai", env=world, stdin=KEY)

    assert keys("migrate", env=world).stderr == "victor: moved to the keyring: openai\n"
    assert (read_stored(world), ring) == ({}, {("victor_fp", "openai"): KEY})
    assert keys("list", "--keyring", env=world).stdout == "openai\tkeyring\n"
    assert keys("list", env=world).stdout == "openai\tkeyring victor_fp/openai\n"

    keys("migrate", "--file", env=world)
    assert (read_stored(world), ring) == ({"openai": KEY}, {})
