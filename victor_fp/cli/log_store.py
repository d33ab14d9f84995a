"""The log of conversations: a SQLite file in the user's state directory.

Secrets are removed from texts before they are written. The state that vendors require on the next turn is kept
unchanged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError
from returns.result import Failure, Result, Success

from victor_fp.cli.state import CleanText, find_state_directory, make_private_file
from victor_fp.core.json import encode_flawed_json
from victor_fp.core.types import Message

FILE_NAME = "log.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started TEXT NOT NULL,
    updated TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    base_url TEXT,
    system TEXT,
    options TEXT,
    settings TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    time TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    answer TEXT NOT NULL,
    messages TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    dollars REAL,
    is_replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS turns_of_conversation ON turns (conversation, id);
"""
_ADDED_COLUMNS = ("options", "settings")
"""Columns of `conversations` that logs of earlier versions lack."""
_TEXT_KEYS = frozenset({"content", "text", "arguments"})
_LISTED = """
SELECT c.id, c.updated, c.provider, c.model, count(t.id),
    (SELECT prompt FROM turns WHERE conversation = c.id ORDER BY id LIMIT 1)
FROM conversations c JOIN turns t ON t.conversation = c.id AND NOT t.is_replaced
"""
_MESSAGES: TypeAdapter[list[Message]] = TypeAdapter(list[Message])


class LogFailed(msgspec.Struct, frozen=True):
    """Why the log cannot be used."""

    reason: str


class LoggedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt and the messages that follow it."""

    provider: str
    model: str
    messages: tuple[Message, ...]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dollars: float | None = None
    time: datetime | None = None

    @property
    def prompt(self) -> str:
        """The text of the user's message."""
        return next((message.text for message in self.messages if message.role == "user"), "")

    @property
    def answer(self) -> str:
        """The text of the last response."""
        return next((message.text for message in reversed(self.messages) if message.role == "assistant"), "")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list."""

    id: int
    updated: datetime
    provider: str
    model: str
    turns: int
    prompt: str
    """The first prompt."""


class LoggedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that can be continued."""

    id: int
    provider: str
    model: str
    base_url: str | None
    system: str | None
    turns: tuple[LoggedTurn, ...]
    options: tuple[str, ...] = ()
    """Options of its requests, each as `NAME=VALUE`."""
    settings: tuple[str, ...] = ()
    """Settings of its provider, each as `NAME=VALUE`."""


class FoundTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that a search found."""

    conversation: int
    time: datetime
    model: str
    text: str
    """The found words with their context."""


class LogStore(msgspec.Struct, frozen=True):
    """The log at `path`."""

    path: Path

    def append(
        self,
        conversation: int | None,
        turn: LoggedTurn,
        *,
        base_url: str | None = None,
        system: str | None = None,
        options: Sequence[str] = (),
        settings: Sequence[str] = (),
        replaces: int | None = None,
        now: datetime,
        clean: CleanText,
    ) -> Result[tuple[int, int], LogFailed]:
        """Write a turn; `conversation` None starts a new one. Return the ids of the conversation and the turn.

        `replaces` is the turn that was retried; it stays in the log but is no longer part of the conversation. Options and settings
        that contain a secret are not written.
        """
        try:
            messages = encode_flawed_json([_clean_message(one.to_dict(), clean) for one in turn.messages]).decode()
            time = now.astimezone(UTC).isoformat(timespec="seconds")
            system = None if system is None else clean(system)
            target = (
                turn.provider,
                turn.model,
                base_url,
                system,
                _encode_pairs(options, clean),
                _encode_pairs(settings, clean),
            )
            make_private_file(self.path)
            with _open_database(self.path) as database, database:
                if conversation is None:
                    conversation = database.execute(
                        "INSERT INTO conversations (started, updated, provider, model, base_url, system, options, settings)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (time, time, *target),
                    ).lastrowid
                else:
                    database.execute(
                        "UPDATE conversations SET updated = ?, provider = ?, model = ?, base_url = ?, system = ?, options = ?,"
                        " settings = ? WHERE id = ?",
                        (time, *target, conversation),
                    )
                if replaces is not None:
                    database.execute("UPDATE turns SET is_replaced = 1 WHERE id = ?", (replaces,))
                added = database.execute(
                    "INSERT INTO turns (conversation, time, provider, model, prompt, answer, messages, prompt_tokens,"
                    " completion_tokens, dollars) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        conversation, time, turn.provider, turn.model, _replace_surrogates(clean(turn.prompt)), _replace_surrogates(clean(turn.answer)),
                        messages, turn.prompt_tokens, turn.completion_tokens, turn.dollars,
                    ),
                ).lastrowid  # fmt: skip
        except (sqlite3.Error, OSError, ValueError, RecursionError) as error:
            return Failure(_build_failure(self.path, error))
        return Success((conversation or 0, added or 0))

    def list_conversations(self, limit: int) -> Result[list[Header], LogFailed]:
        """Return the latest conversations, the newest first."""
        return self._read(f"{_LISTED} GROUP BY c.id ORDER BY c.updated DESC, c.id DESC LIMIT ?", (limit,)).map(
            lambda rows: [_read_header(row) for row in rows]
        )

    def find_last(self) -> Result[int | None, LogFailed]:
        """Return the id of the most recently used conversation."""
        return self.list_conversations(1).map(lambda rows: rows[0].id if rows else None)

    def load(self, conversation: int) -> Result[LoggedConversation | None, LogFailed]:
        """Return a conversation with its turns; None if it does not exist."""
        columns = "t.time, t.provider, t.model, t.messages, t.prompt_tokens, t.completion_tokens, t.dollars"
        rows = self._read(
            f"SELECT c.provider, c.model, c.base_url, c.system, c.options, c.settings, {columns} FROM conversations c"  # noqa: S608  constant columns
            " JOIN turns t ON t.conversation = c.id WHERE c.id = ? AND NOT t.is_replaced ORDER BY t.id",
            (conversation,),
        )

        def build_conversation(rows: list[tuple[Any, ...]]) -> Result[LoggedConversation | None, LogFailed]:
            try:
                turns = tuple(_turn(row[6:]) for row in rows)
                pairs = [
                    msgspec.json.decode(text or "[]", type=tuple[str, ...]) for row in rows[:1] for text in row[4:6]
                ]
            except (ValidationError, msgspec.DecodeError):
                return Failure(LogFailed(f"conversation {conversation} in {self.path} is damaged"))
            if not rows:
                return Success(None)
            provider, model, base_url, system = rows[0][:4]
            options, settings = pairs
            return Success(
                LoggedConversation(
                    id=conversation,
                    provider=provider,
                    model=model,
                    base_url=base_url,
                    system=system,
                    turns=turns,
                    options=options,
                    settings=settings,
                )
            )

        return rows.bind(build_conversation)

    def search(self, text: str, limit: int) -> Result[list[FoundTurn], LogFailed]:
        """Return the latest turns whose prompt or response contains every word of a text, case-insensitively."""
        words = text.casefold().split()
        rows = self._read(
            "SELECT conversation, time, provider || '/' || model, prompt, answer FROM turns"
            " WHERE has_words(prompt || char(10) || answer) ORDER BY id DESC LIMIT ?",
            (limit,),
            words,
        )
        return rows.map(lambda rows: [_read_found(row, words) for row in rows])

    def delete(self, conversation: int | None) -> Result[int, LogFailed]:
        """Delete a conversation, or all; return the number deleted."""
        if not self.path.exists():
            return Success(0)
        try:
            with _open_database(self.path) as database:
                with database:
                    database.execute("PRAGMA secure_delete = ON")
                    one = "" if conversation is None else " WHERE id = ?"
                    values = () if conversation is None else (conversation,)
                    return Success(database.execute(f"DELETE FROM conversations{one}", values).rowcount)  # noqa: S608  constant text
        except sqlite3.Error as error:
            return Failure(_build_failure(self.path, error))

    def _read(
        self, query: str, values: Sequence[object], words: Sequence[str] = ()
    ) -> Result[list[tuple[Any, ...]], LogFailed]:
        if not self.path.exists():
            return Success([])
        try:
            with _open_database(self.path) as database:
                if words:
                    database.create_function("has_words", 1, lambda text: _has_words(text, words), deterministic=True)
                return Success(database.execute(query, values).fetchall())
        except sqlite3.Error as error:
            return Failure(_build_failure(self.path, error))


def find_log(environment: Mapping[str, str]) -> LogStore | None:
    """Return the user's log; None if there is no directory for it."""
    directory = find_state_directory(environment)
    return None if directory is None else LogStore(directory / FILE_NAME)


@contextmanager
def _open_database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=5.0)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.executescript(_SCHEMA)
        columns = {row[1] for row in database.execute("PRAGMA table_info(conversations)")}
        for name in _ADDED_COLUMNS:
            if name not in columns:
                with suppress(sqlite3.OperationalError):  # another process added it meanwhile
                    database.execute(f"ALTER TABLE conversations ADD COLUMN {name} TEXT")
        yield database


def _clean_message(value: Any, clean: CleanText, *, is_text: bool = False) -> Any:
    """Remove secrets from the texts of a message; data and the vendor's state are kept unchanged."""
    match value:
        case str():
            return clean(value) if is_text else value
        case list():
            return [_clean_message(one, clean, is_text=is_text) for one in value]
        case dict():
            return {
                key: one
                if key in ("metadata", "data")
                else _clean_message(one, clean, is_text=is_text or key in _TEXT_KEYS)
                for key, one in value.items()
            }
        case _:
            return value


def _encode_pairs(pairs: Sequence[str], clean: CleanText) -> str:
    """Return `NAME=VALUE` texts as JSON, without those that contain a secret."""
    return encode_flawed_json([pair for pair in pairs if clean(pair) == pair]).decode()


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which SQLite cannot store."""
    return text.encode("utf-8", "replace").decode()


def _has_words(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _read_header(row: Sequence[Any]) -> Header:
    number, updated, provider, model, turns, prompt = row
    return Header(
        id=number,
        updated=datetime.fromisoformat(updated),
        provider=provider,
        model=model,
        turns=turns,
        prompt=prompt or "",
    )


def _turn(row: Sequence[Any]) -> LoggedTurn:
    time, provider, model, messages, prompt_tokens, completion_tokens, dollars = row
    return LoggedTurn(
        provider=provider,
        model=model,
        messages=tuple(_MESSAGES.validate_json(messages)),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        dollars=dollars,
        time=datetime.fromisoformat(time),
    )


def _read_found(row: Sequence[Any], words: Sequence[str]) -> FoundTurn:
    conversation, time, model, prompt, answer = row
    text = next((one for one in (prompt, answer) if words and words[0] in one.casefold()), prompt)
    at = max(0, text.casefold().find(words[0]) - 30) if words else 0
    lead = "\N{HORIZONTAL ELLIPSIS}" if at else ""
    return FoundTurn(
        conversation=conversation, time=datetime.fromisoformat(time), model=model, text=f"{lead}{text[at : at + 200]}"
    )


def _build_failure(path: Path, error: BaseException) -> LogFailed:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return LogFailed(f"the log {path} cannot be used: {reason}")
