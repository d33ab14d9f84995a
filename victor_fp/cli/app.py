"""The command line: what can be written after `victor`, and nothing of what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from victor_fp.cli.terminal import Terminal

ENDINGS = "Exit codes: 0 done, 1 server failed, 2 wrong usage, 3 key, 4 not found, 5 limit, 6 no connection, 7 refused, 130 Ctrl-C."

app = typer.Typer(
    help="One interface to every LLM chat provider.",
    epilog=ENDINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
    # A traceback with local variables could show a key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
key_app = typer.Typer(help="Keys: where they are, and storing them.", invoke_without_command=True)
app.add_typer(key_app, name="keys")

Provider = Annotated[
    str | None,
    typer.Option(
        "--provider", "-p", metavar="NAME", envvar="VICTOR_FP_PROVIDER", help="Whom to ask; see: victor providers."
    ),
]
Model = Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="See: victor models.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="The server, where it is another.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.001, metavar="SECONDS", help="Longest silence.")]
Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="NAME=VALUE", help="A setting of the provider's; repeatable.")
]
Keyring = Annotated[bool, typer.Option("--keyring", help="The system's keyring instead of the file.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name.")]


def _run(command: Callable[[Terminal], int]) -> None:
    from victor_fp.cli.commands import guarded

    raise typer.Exit(guarded(command))


def _version(asked: bool) -> None:
    if asked:
        from victor_fp.cli import version

        typer.echo(f"victor {version()}")
        raise typer.Exit


@app.callback()
def victor(
    _: Annotated[bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """One interface to every LLM chat provider."""


@app.command(epilog=ENDINGS)
def chat(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="None: standard input, or a conversation.")
    ] = None,
    provider: Provider = None,
    model: Model = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Show the answer as it comes.")] = True,
    temperature: Annotated[float | None, typer.Option(min=0, help="0 is the most certain.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer, in tokens.")] = None,
    tools: Annotated[Path | None, typer.Option(metavar="FILE", help="Tool definitions, JSON.")] = None,
    image: Annotated[list[str] | None, typer.Option(metavar="FILE", help="An image, or its URL; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: the completion, or the error.")] = False,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Ask a model. What is piped in follows the prompt; without both this is a conversation."""
    from victor_fp.cli.commands import Place, Question
    from victor_fp.cli.commands import chat as command

    place = Place(provider=provider, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ()))
    question = Question(
        prompt=prompt,
        system=system,
        images=tuple(image or ()),
        tools=tools,
        temperature=temperature,
        max_tokens=max_tokens,
        stream=stream,
        as_json=as_json,
    )
    _run(lambda terminal: command(place, question, terminal))


@app.command()
def providers() -> None:
    """Every provider: protocol, key and capabilities."""

    def command(terminal: Terminal) -> int:
        import os

        from victor_fp.cli.tables import provider_rows

        terminal.table(("name", "protocol", "key", "can"), provider_rows(os.environ))
        return 0

    _run(command)


@app.command()
def models(
    provider: Provider = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Work their limits into the bundled ones.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="With --refresh: write here.")] = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """The models that a provider offers."""
    from victor_fp.cli.commands import Place, limits_refreshed
    from victor_fp.cli.commands import models as command

    if out is not None and not refresh:
        raise typer.BadParameter("--out goes with --refresh")
    place = Place(provider=provider, base_url=base_url, timeout=timeout, settings=tuple(setting or ()))
    _run(lambda terminal: limits_refreshed(place, out, terminal) if refresh else command(place, terminal))


@app.command()
def check(
    name: Name,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Make a real, tiny call and say what works."""
    from victor_fp.cli.commands import Place
    from victor_fp.cli.commands import check as command

    place = Place(provider=name, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ()))
    _run(lambda terminal: command(place, terminal))


@app.command()
def codegen(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The vendor's OpenAPI document.")],
    operation: Annotated[list[str], typer.Option("--operation", metavar="ID", help='Id, or "POST /path"; repeatable.')],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The package to write.")],
    response: Annotated[
        list[str] | None, typer.Option("--response", metavar="SCHEMA", help="Further schema to decode; repeatable.")
    ] = None,
    overlay: Annotated[Path | None, typer.Option("--overlay", metavar="FILE", help="JSON merge patch.")] = None,
) -> None:
    """Compile a vendor's document into typed wire models."""
    from victor_fp.cli.commands import codegen as command

    _run(lambda terminal: command(spec, operation, out, response or (), overlay, terminal))


@key_app.callback()
def keys(
    context: typer.Context,
    set_name: Annotated[str | None, typer.Option("--set", metavar="NAME", help="As: victor keys set NAME.")] = None,
    keyring: Keyring = False,
) -> None:
    """Keys: where they are, and storing them. Without a command, list them."""
    if context.invoked_subcommand is not None:
        if keyring or set_name is not None:
            raise typer.BadParameter("write it after the command, as in: victor keys set NAME --keyring")
    elif set_name is None:
        list_keys(keyring)
    else:
        set_key(set_name, None, keyring)


@key_app.command("list")
def list_keys(keyring: Keyring = False) -> None:
    """Which providers have a key, and where it was found. Keys themselves are never shown."""
    from victor_fp.cli.keys import show

    _run(lambda terminal: show(terminal, keyring=keyring))


@key_app.command("set")
def set_key(
    name: Name,
    misplaced: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    keyring: Keyring = False,
) -> None:
    """Store a key: asked for without showing it, or read from standard input."""
    from victor_fp.cli.keys import no_secrets_here, put

    _run(no_secrets_here if misplaced else lambda terminal: put(name, terminal, keyring=keyring))


@key_app.command("delete")
def delete_key(name: Name, keyring: Keyring = False) -> None:
    """Delete a stored key."""
    from victor_fp.cli.keys import remove

    _run(lambda terminal: remove(name, terminal, keyring=keyring))


@key_app.command("migrate")
def migrate_keys(
    keyring: Annotated[bool, typer.Option("--keyring/--file", help="Into the keyring, or back into the file.")] = True,
) -> None:
    """Move all keys from the file into the keyring, or back."""
    from victor_fp.cli.keys import migrate

    _run(lambda terminal: migrate(terminal, keyring=keyring))
