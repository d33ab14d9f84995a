"""The log of conversations: stored, searched, shown and deleted, and what is never stored."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import KEY, answer_hello, build_options, victor
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_chunks, build_error
from victor_fp.cli.app import app
from victor_fp.cli.commands import TargetOptions
from victor_fp.cli.conversation_log import choose_target
from victor_fp.cli.log_store import LoggedConversation, LoggedTurn, LogStore
from victor_fp.cli.state import find_state_directory, make_cleaner
from victor_fp.core.types import ImagePart, Message, TextPart

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SHOWN = NOON.astimezone().strftime("%Y-%m-%d %H:%M")


def turn(prompt: str, answer: str, model: str = "m-1") -> LoggedTurn:
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return LoggedTurn(
        provider="openai", model=model, messages=messages, prompt_tokens=5, completion_tokens=2, dollars=0.25
    )


def append(
    store: LogStore,
    conversation: int | None,
    one: LoggedTurn,
    *,
    minutes: int = 0,
    replaces: int | None = None,
    system: str | None = None,
) -> tuple[int, int]:
    now = NOON + timedelta(minutes=minutes)
    return store.append(conversation, one, system=system, replaces=replaces, now=now, clean=make_cleaner({})).unwrap()


@pytest.fixture
def store(world: dict[str, str]) -> LogStore:
    """The log that the command finds."""
    return LogStore(Path(world["VICTOR_FP_STATE_DIR"]) / "log.sqlite")


def run(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["log", *arguments], env=env)


def test_conversations_are_listed_latest_first(store: LogStore, world: dict[str, str]) -> None:
    first, _ = append(store, None, turn("Tell me\nof rivers", "Rhine"))
    second, _ = append(store, None, turn("Hi", "Hello", "m-2"), minutes=1)
    append(store, first, turn("And more", "Elbe"), minutes=2)

    for arguments in ((), ("list",), ("list", "-n", "2")):
        rows = [line.split("\t") for line in run(*arguments, env=world).stdout.splitlines()]
        assert [(row[0], row[2], row[3], row[4], row[5]) for row in rows] == [
            (str(first), "m-1", "openai", "2", "Tell me of rivers"),
            (str(second), "m-2", "openai", "1", "Hi"),
        ]
    assert len(run("list", "-n", "1", env=world).stdout.splitlines()) == 1


def test_a_conversation_is_shown_whole(store: LogStore, world: dict[str, str]) -> None:
    image = ImagePart(data=b"\x89PNG" * 500, media_type="image/png")
    messages = (
        Message(role="user", content=[image, TextPart(text="What is it?")]),
        Message(role="assistant", tool_calls=[{"id": "c", "name": "look", "arguments": {"at": 1}}]),
        Message(role="tool", name="look", tool_call_id="c", content="fur"),
        Message(role="assistant", content="A cat"),
    )
    number, _ = append(store, None, LoggedTurn(provider="openai", model="m-1", messages=messages), system="Be kind")
    append(store, number, turn("Sure?", "Yes"), system="Be kind")

    shown = run("show", str(number), env=world)

    assert shown.stdout.splitlines() == [
        f"conversation {number}",
        "",
        "system: Be kind",
        "",
        f"-- {SHOWN} openai/m-1",
        "user: [image (image/png, 2.0 kB)]",
        "What is it?",
        'assistant: look({"at":1})',
        "tool look: fur",
        "assistant: A cat",
        "",
        f"-- {SHOWN} openai/m-1",
        "user: Sure?",
        "assistant: Yes",
        "(tokens: 5 in, 2 out; cost: $0.25)",
    ]
    assert run("show", env=world).stdout == shown.stdout
    saved = json.loads(run("show", "--json", env=world).stdout)
    assert [one["role"] for one in saved] == ["system", "user", "assistant", "tool", "assistant", "user", "assistant"]
    assert Message.model_validate_json(json.dumps(saved[1])) == messages[0]


def test_a_search_finds_all_words_in_any_case_and_script(store: LogStore, world: dict[str, str]) -> None:
    number, _ = append(store, None, turn("Flüsse in EUROPA?", "Der Rhein. " + "x" * 500))
    append(store, number, turn("Was heißt 你好?", "Hello 100% _sure_"))

    def count_found(*words: str) -> int:
        return len(run("search", *words, env=world).stdout.splitlines())

    assert count_found("flüsse", "rhein") == count_found("FLÜSSE europa") == 1
    assert count_found("rhein", "hello") == 0
    assert count_found("HEISST", "你好") == count_found("100%") == count_found("_sure_") == 1
    assert count_found("%") == 1
    assert count_found("in") == 1
    assert "Rhein" in run("search", "rhein", env=world).stdout
    assert run("search", " ", env=world).exit_code == 2


def test_retried_turn_is_not_part_of_the_conversation(store: LogStore) -> None:
    number, old = append(store, None, turn("Hi", "One"))
    append(store, number, turn("Hi", "Two"), replaces=old)

    loaded = store.load(number).unwrap()

    assert loaded is not None
    assert [one.answer for one in loaded.turns] == ["Two"]
    assert [one.text for one in store.search("one", 5).unwrap()] == ["One"]


def test_a_log_of_an_earlier_version_is_continued(store: LogStore) -> None:
    number, _ = append(store, None, turn("One", "1"))
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("ALTER TABLE conversations DROP COLUMN options")
        database.execute("ALTER TABLE conversations DROP COLUMN settings")

    loaded = store.load(number).unwrap()
    assert loaded is not None
    assert (loaded.options, loaded.settings) == ((), ())
    append(store, number, turn("Two", "2"), minutes=1)
    loaded = store.load(number).unwrap()
    assert loaded is not None
    assert len(loaded.turns) == 2


def test_conversations_are_deleted_one_or_all(store: LogStore, world: dict[str, str]) -> None:
    numbers = [append(store, None, turn("canary-prompt", "canary-answer"))[0] for _ in range(3)]

    assert run("delete", str(numbers[0]), env=world).exit_code == 0
    assert run("delete", str(numbers[0]), env=world).exit_code == 4
    assert len(store.list_conversations(9).unwrap()) == 2
    assert run("delete", env=world).exit_code == run("delete", "1", "--all", env=world).exit_code == 2
    assert "deleted 2 conversations" in run("delete", "--all", env=world).stderr
    assert store.list_conversations(9).unwrap() == []
    assert store.search("canary", 9).unwrap() == []
    assert b"canary" not in store.path.read_bytes()


def test_missing_conversation_is_reported(world: dict[str, str], store: LogStore) -> None:
    assert run("show", env=world).exit_code == run("show", "7", env=world).exit_code == 4
    assert (run("list", env=world).stdout, run("list", env=world).exit_code) == ("", 0)
    continued = CliRunner().invoke(app, ["chat", "-c", "Hi"], env=world)
    assert (continued.exit_code, "no conversation to continue" in continued.stderr) == (4, True)
    assert not store.path.exists()


@pytest.mark.slow
def test_a_log_that_is_damaged_stops_no_answer(serve: Serve, keyed: dict[str, str], store: LogStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"this is no database" * 100)

    answered = victor("chat", "Hi", *build_options(serve(answer_hello)), env=keyed)
    listed = run("list", env=keyed)

    assert (answered.stdout, answered.returncode) == ("Hello there!\n", 0)
    assert answered.stderr.startswith("victor: not logged: the log ")
    assert (listed.exit_code, "log.sqlite" in listed.stderr) == (1, True)


@pytest.mark.slow
def test_secrets_are_not_logged_and_state_of_vendors_is_kept(
    serve: Serve, keyed: dict[str, str], store: LogStore
) -> None:
    async def stream_key(talk: Talk, received: Received) -> None:
        await talk.send_events(*build_chunks("It is ", KEY, " then"))

    environment = keyed | {"MY_SECRET_TOKEN": "wholly-unlikely-words"}
    victor("chat", f"Is {KEY} good? Or wholly-unlikely-words?", *build_options(serve(stream_key)), env=environment)

    (turn_,) = store.load(1).unwrap().turns  # type: ignore[union-attr]  # it was just written
    assert turn_.prompt == "Is [redacted] good? Or [redacted]?"
    assert turn_.answer == "It is [redacted] then"
    assert KEY.encode() not in store.path.read_bytes()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600

    state = {"provider_state": {"signature": f"{KEY}=="}}
    messages = (Message(role="user", content="x"), Message(role="assistant", content="y", metadata=state))
    number, _ = append(store, None, LoggedTurn(provider="p", model="m", messages=messages))
    loaded = store.load(number).unwrap()
    assert loaded is not None
    assert loaded.turns[0].messages == messages


@pytest.mark.parametrize("more", [["--no-log"], ["VICTOR_FP_NO_LOG=1"]])
def test_no_log_option_disables_the_log(serve: Serve, keyed: dict[str, str], store: LogStore, more: list[str]) -> None:
    options = [word for word in more if word.startswith("--")]
    variables = dict(word.split("=") for word in more if "=" in word)
    assert victor("chat", "Hi", *build_options(serve(answer_hello)), *options, env=keyed | variables).returncode == 0
    assert not store.path.exists()


def test_a_call_that_failed_is_not_logged(serve: Serve, keyed: dict[str, str], store: LogStore) -> None:
    async def refuse(talk: Talk, received: Received) -> None:
        await talk.answer(build_error("Bad", "invalid_value"), status=400)

    assert victor("chat", "Hi", *build_options(serve(refuse)), env=keyed).returncode == 2
    assert not store.path.exists()


LAST = LoggedConversation(id=1, provider="openai", model="m-1", base_url="http://127.0.0.1:9/v1", system=None, turns=())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (TargetOptions(), ("openai", "m-1", "http://127.0.0.1:9/v1")),
        (TargetOptions(model="m-2"), ("openai", "m-2", "http://127.0.0.1:9/v1")),
        (TargetOptions(model="groq/llama"), (None, "groq/llama", None)),
        (TargetOptions(provider="groq"), ("groq", None, None)),
        (TargetOptions(base_url="http://127.0.0.1:8/v1"), ("openai", "m-1", "http://127.0.0.1:8/v1")),
    ],
)
def test_a_conversation_continues_with_the_provider_and_address_it_had(
    given: TargetOptions, expected: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VICTOR_FP_PROVIDER", raising=False)
    target = choose_target(given, LAST)
    assert (target.provider, target.model, target.base_url) == expected


def test_the_directory_for_state_follows_the_environment(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert find_state_directory(home | {"VICTOR_FP_STATE_DIR": "/a"}, windows=False) == Path("/a")
    assert find_state_directory(home | {"XDG_STATE_HOME": "/b"}, windows=False) == Path("/b/victor_fp")
    assert find_state_directory(home | {"XDG_STATE_HOME": "b"}, windows=False) == tmp_path / ".local/state/victor_fp"
    assert find_state_directory(home | {"LOCALAPPDATA": "/c"}, windows=True) == Path("/c/victor_fp")
    assert find_state_directory({}, windows=False) is None
