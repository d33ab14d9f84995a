"""The file of keys: readable by the owner only, written atomically, and every error is a value."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from returns.result import Success

from victor_fp.shell.credentials import key_file as module
from victor_fp.shell.credentials.key_file import KeyFile, KeyStoreFailure, find_config_directory, open_key_file

posix = pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")


def get_failure(file: KeyFile) -> KeyStoreFailure:
    unusable = file.read().failure()
    assert isinstance(unusable, KeyStoreFailure)
    return unusable


def test_stored_keys_are_read_and_removed(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "new" / "keys.json")

    assert file.read() == Success({})
    assert file.store("openai", "one") == Success(None)
    assert file.store("groq", "two") == Success(None)
    assert file.store("openai", "three") == Success(None)
    assert file.read() == Success({"openai": "three", "groq": "two"})
    assert file.remove("openai") == Success(True)
    assert file.remove("openai") == Success(False)
    assert file.read() == Success({"groq": "two"})


@posix
def test_only_the_owner_can_read_file_and_directory(tmp_path: Path) -> None:
    path = tmp_path / "victor_fp" / "keys.json"
    before = os.umask(0)
    try:
        KeyFile(path).store("openai", "one")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["keys.json", "keys.lock"]


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_open_to_others_is_neither_read_nor_changed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    KeyFile(path).store("openai", "one")
    path.chmod(mode)
    content = path.read_bytes()

    unusable = get_failure(KeyFile(path))
    stored = KeyFile(path).store("groq", "two")

    assert unusable.reason == f"can be read by others (mode {mode:04o})"
    assert unusable.remedy == f"chmod 600 {path}"
    assert stored.failure() == unusable
    assert path.read_bytes() == content


@posix
def test_a_pipe_or_directory_in_its_place_does_not_block(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.json", tmp_path / "folder.json"
    os.mkfifo(pipe, 0o600)
    folder.mkdir(0o700)

    assert get_failure(KeyFile(pipe)).reason == "is not a regular file"
    assert get_failure(KeyFile(folder)).reason == "is not a regular file"


@pytest.mark.parametrize("content", [b"not json sk-canary", b'["sk-canary"]', b"\xff\xfe", b'{"openai": "sk-canary"'])
def test_a_malformed_file_is_rejected_without_being_quoted_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    path.chmod(0o600)

    assert get_failure(KeyFile(path)).reason == "is not a JSON object"
    assert "canary" not in repr(get_failure(KeyFile(path)))
    assert KeyFile(path).store("openai", "x").failure() == get_failure(KeyFile(path))
    assert path.read_bytes() == content


def test_an_empty_file_has_no_keys_and_invalid_values_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"\n")
    path.chmod(0o600)
    assert KeyFile(path).read() == Success({})

    path.write_bytes(b'{"openai": "one", "version": 1, "more": {"a": "b"}}')
    assert KeyFile(path).read() == Success({"openai": "one"})


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b" " * (module.MAX_BYTES + 1))
    path.chmod(0o600)

    assert get_failure(KeyFile(path)).reason == "is too large for a key file"


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "keys.json"
    real.write_text("{}")
    real.chmod(0o600)
    link.symlink_to(real)

    KeyFile(link).store("openai", "one")

    assert link.is_symlink()
    assert KeyFile(real).read() == Success({"openai": "one"})


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission_is_a_fault(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    assert "cannot be written" in KeyFile(tmp_path / "keys.json").store("a", "b").failure().reason


def test_a_file_where_the_directory_should_be_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    file = KeyFile(tmp_path / "taken" / "keys.json")

    assert file.read() == Success({})
    assert "cannot be written" in file.store("a", "b").failure().reason


@posix
def test_processes_that_store_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    program = (
        "import sys; from pathlib import Path; from victor_fp.shell.credentials.key_file import KeyFile\n"
        "f = KeyFile(Path(sys.argv[1]))\n"
        "for i in range(10): assert f.store(f'{sys.argv[2]}-{i}', 'k').value_or(1) is None"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("a", "b", "c")]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]

    assert len(KeyFile(path).read().value_or({})) == 30


def test_waiting_for_another_change_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.05)
    with open(tmp_path / "keys.lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        unusable = KeyFile(tmp_path / "keys.json").store("a", "b").failure()

    assert unusable.reason == "is being changed by another process"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VICTOR_FP_CONFIG_DIR": "/own", "XDG_CONFIG_HOME": "/xdg", "HOME": "/home/u"}, "/own"),
        ({"XDG_CONFIG_HOME": "/xdg", "HOME": "/home/u"}, "/xdg/victor_fp"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/home/u"}, "/home/u/.config/victor_fp"),
        ({"HOME": "/home/u"}, "/home/u/.config/victor_fp"),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
@posix
def test_the_directory_follows_the_environment(environment: dict[str, str], expected: str | None) -> None:
    assert find_config_directory(environment) == (Path(expected) if expected else None)


def test_without_a_home_nothing_is_read_and_storing_says_what_to_set() -> None:
    file = open_key_file({})

    assert file.read() == Success({})
    assert file.store("a", "b").failure().remedy == "set HOME or VICTOR_FP_CONFIG_DIR"


@pytest.mark.parametrize(
    "bad",
    ["9" * 5000, "1e999", '"\\ud800"', "NaN", "[" * 50 + "]" * 50, "null", "-" + "9" * 5000, '{"a": "\\udfff"}'],
    ids=["integer", "float", "surrogate", "nan", "nested", "null", "negative", "surrogate inside"],
)
def test_a_bad_entry_does_not_affect_the_others(tmp_path: Path, bad: str) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.store("groq", "two")
    (tmp_path / "keys.json").write_text('{"bad": ' + bad + ', "openai": "one"}')

    assert file.read() == Success({"openai": "one"})
    assert file.store("groq", "two") == Success(None)
    assert file.read() == Success({"openai": "one", "groq": "two"})
    assert '"bad"' in (tmp_path / "keys.json").read_text()
    assert file.remove("bad") == Success(True)


@pytest.mark.parametrize(
    ("name", "secret"), [("openai", "\ud800"), ("\udfff", "one"), ("openai", "x" * module.MAX_BYTES)], ids=str.__len__
)
def test_a_key_that_the_file_cannot_hold_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, secret: str
) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.store("groq", "two")
    before = (tmp_path / "keys.json").read_bytes()

    reason = file.store(name, secret).failure().reason

    assert reason.startswith("cannot hold the key")
    assert (tmp_path / "keys.json").read_bytes() == before


def test_a_key_that_is_not_text_is_rejected_with_its_type(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    reason = file.store("openai", b"canary").failure().reason  # type: ignore[arg-type]  # as untyped callers may
    assert reason == "cannot hold the key: it is bytes, not str"
    assert not (tmp_path / "keys.json").exists()
