"""The command line of `victor`: commands, options and help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from victor_fp.cli.batch_app import batch_app
from victor_fp.cli.log_app import log_app
from victor_fp.cli.options import EXIT_CODES, BaseUrl, Model, Provider, Setting, Timeout, run_and_exit

if TYPE_CHECKING:
    from victor_fp.cli.terminal import Terminal
    from victor_fp.core.retrieval.vectors import Purpose

app = typer.Typer(
    help="Chat with any LLM provider.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    # A traceback with local variables could show a key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
key_app = typer.Typer(help="Store keys and list where they are found.", invoke_without_command=True)
app.add_typer(key_app, name="keys")
app.add_typer(batch_app, name="batch")
app.add_typer(log_app, name="log")

Keyring = Annotated[bool, typer.Option("--keyring", help="Use the system keyring instead of the file.")]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""The values of `core.options.ReasoningEffort`, whose module is not imported for the help text."""
Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name.")]


def _show_version(asked: bool) -> None:
    if asked:
        from victor_fp import __version__

        typer.echo(f"victor {__version__}")
        raise typer.Exit


@app.callback()
def victor(
    _: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Chat with any LLM provider."""


@app.command(epilog=EXIT_CODES)
def chat(
    context: typer.Context,
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="Without it: standard input, or a conversation.")
    ] = None,
    provider: Provider = None,
    model: Model = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Show the response as it arrives.")] = True,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="Sampling temperature; 0 is the least random.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Maximum length of the response in tokens.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--option", metavar="NAME=VALUE", help="Any other option of a request, such as top_p=0.9; repeatable."
        ),
    ] = None,
    reasoning_effort: Annotated[
        Effort | None,
        typer.Option(
            "--reasoning-effort",
            metavar="LEVEL",
            help=f"How much the model reasons before it responds: {', '.join(get_args(Effort))}.",
        ),
    ] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option("--attach", "-a", metavar="FILE", help="An image, PDF or audio file, or its URL; repeatable."),
    ] = None,
    image: Annotated[list[str] | None, typer.Option(metavar="FILE", help="An image file or URL; repeatable.")] = None,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON Schema; the response is JSON that matches it.")
    ] = None,
    tools: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOOLS",
            help="Python functions that the model may call, as MODULE:FUNCTION or FILE.py, or a JSON file of definitions;"
            " repeatable.",
        ),
    ] = None,
    mcp: Annotated[
        list[str] | None,
        typer.Option(
            "--mcp", metavar="COMMAND", help="Start an MCP server whose tools the model may call; repeatable."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Run tools without asking before each call.")] = False,
    continued: Annotated[bool, typer.Option("--continue", "-c", help="Continue the last conversation.")] = False,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Keep the conversation in the log; see: victor log.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the response or the error.")] = False,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Send a prompt to a model. Standard input follows the prompt; without either, start a conversation."""
    from victor_fp.cli.chat import PromptOptions
    from victor_fp.cli.chat import chat as command
    from victor_fp.cli.commands import TargetOptions

    target = TargetOptions(
        provider=provider, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ())
    )
    prompt_options = PromptOptions(
        prompt=prompt,
        system=system,
        images=tuple(image or ()),
        attachments=tuple(attach or ()),
        tools=tuple(tools or ()),
        mcp=tuple(mcp or ()),
        is_confirmed=yes,
        schema=schema,
        options=tuple(option or ()),
        reasoning_effort=reasoning_effort,
        is_continued=continued,
        is_provider_named=getattr(context.get_parameter_source("provider"), "name", "") == "COMMANDLINE",
        is_logged=log,
        temperature=temperature,
        max_tokens=max_tokens,
        stream=stream,
        as_json=as_json,
    )
    run_and_exit(lambda terminal: command(target, prompt_options, terminal))


@app.command(epilog=EXIT_CODES)
def embed(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; without them: the lines of standard input.")
    ] = None,
    provider: Provider = None,
    model: Model = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Embed its lines; .jsonl: one field of each; -: standard input."
        ),
    ] = None,
    field: Annotated[str, typer.Option("--field", metavar="NAME", help="The field of a JSON line to embed.")] = "text",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the lines to this file; -: standard output."),
    ] = None,
    dimensions: Annotated[int | None, typer.Option(min=1, help="Length of the vectors.")] = None,
    purpose: Annotated[
        str | None, typer.Option(metavar="PURPOSE", help="query, document, similarity, classification or clustering.")
    ] = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Embed texts: one JSON object a line, with the vector as its field `embedding`."""
    from victor_fp.cli.commands import TargetOptions

    target = TargetOptions(
        provider=provider, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ())
    )
    chosen = _parse_purpose(purpose)

    def run_command(terminal: Terminal) -> int:
        import sys

        from victor_fp.cli.embedding import EmbedCommand
        from victor_fp.cli.embedding import embed as run

        options = EmbedCommand(
            texts=tuple(texts or ()), file=file, field=field, out=out, dimensions=dimensions, purpose=chosen
        )
        return run(target, options, sys.stdin, terminal)

    run_and_exit(run_command)


def _parse_purpose(word: str | None) -> Purpose | None:
    from typing import get_args

    from victor_fp.core.retrieval.vectors import Purpose

    if word is None:
        return None
    known: dict[str, Purpose] = {purpose: purpose for purpose in get_args(Purpose)}
    if word not in known:
        raise typer.BadParameter(f"--purpose must be one of {', '.join(known)}")
    return known[word]


@app.command()
def providers(
    search: Annotated[
        str, typer.Option("--search", "-s", metavar="TEXT", help="Only providers with this text in a name or address.")
    ] = "",
) -> None:
    """List providers: protocol, key and capabilities."""
    from victor_fp.cli.providers import list_providers

    run_and_exit(lambda terminal: list_providers(terminal, search))


@app.command()
def models(
    provider: Provider = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Store their limits in the configuration directory.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="With --refresh: store the limits in this file.")
    ] = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """List the models of a provider."""
    from victor_fp.cli.commands import TargetOptions, refresh_limits
    from victor_fp.cli.commands import run_models as command

    if out is not None and not refresh:
        raise typer.BadParameter("--out requires --refresh")
    target = TargetOptions(provider=provider, base_url=base_url, timeout=timeout, settings=tuple(setting or ()))
    run_and_exit(lambda terminal: refresh_limits(target, out, terminal) if refresh else command(target, terminal))


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The provider, or PROVIDER/MODEL.")],
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Send a small request and report what works."""
    from victor_fp.cli.commands import TargetOptions
    from victor_fp.cli.commands import check as command

    target = TargetOptions(
        provider=name, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ())
    )
    run_and_exit(lambda terminal: command(target, terminal))


@app.command()
def report(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="The prompt that fails; default: a short one.")
    ] = None,
    provider: Provider = None,
    model: Model = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Request a stream.")] = True,
    tools: Annotated[Path | None, typer.Option(metavar="FILE", help="Tool definitions as JSON.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")] = Path("report.yaml"),
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    setting: Setting = None,
) -> None:
    """Send one request and write what was sent and received to a file, without keys, for a bug report."""
    from victor_fp.cli.chat import PromptOptions
    from victor_fp.cli.commands import TargetOptions
    from victor_fp.cli.report import write_report

    target = TargetOptions(
        provider=provider, model=model, base_url=base_url, timeout=timeout, settings=tuple(setting or ())
    )
    prompt_options = PromptOptions(
        prompt=prompt, system=system, tools=() if tools is None else (str(tools),), stream=stream
    )
    run_and_exit(lambda terminal: write_report(target, prompt_options, out, terminal))


@app.command()
def codegen(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The OpenAPI document of the vendor.")],
    operation: Annotated[
        list[str], typer.Option("--operation", metavar="ID", help='Operation id or "POST /path"; repeatable.')
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Directory of the generated package.")],
    response: Annotated[
        list[str] | None,
        typer.Option("--response", metavar="SCHEMA", help="An additional schema to generate; repeatable."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option("--overlay", metavar="FILE", help="A JSON merge patch to apply first.")
    ] = None,
) -> None:
    """Generate typed wire models from an OpenAPI document."""
    from victor_fp.cli.commands import run_codegen as command

    run_and_exit(lambda terminal: command(spec, operation, out, response or (), overlay, terminal))


@key_app.callback()
def keys(
    context: typer.Context,
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="Same as: victor keys set NAME.")
    ] = None,
    keyring: Keyring = False,
) -> None:
    """Store keys and list where they are found. Without a command, list them."""
    if context.invoked_subcommand is not None:
        if keyring or set_name is not None:
            raise typer.BadParameter("put options after the command: victor keys set NAME --keyring")
    elif set_name is None:
        list_keys(keyring)
    else:
        set_key(set_name, None, keyring)


@key_app.command("list")
def list_keys(keyring: Keyring = False) -> None:
    """List the providers that have a key and where it was found. The keys are not shown."""
    from victor_fp.cli.keys import list_keys as command

    run_and_exit(lambda terminal: command(terminal, keyring=keyring))


@key_app.command("set")
def set_key(
    name: Name,
    misplaced: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    keyring: Keyring = False,
) -> None:
    """Store a key, typed without echo or read from standard input."""
    from victor_fp.cli.keys import refuse_key_argument, store_key

    run_and_exit(refuse_key_argument if misplaced else lambda terminal: store_key(name, terminal, keyring=keyring))


@key_app.command("delete")
def delete_key(name: Name, keyring: Keyring = False) -> None:
    """Delete a stored key."""
    from victor_fp.cli.keys import delete_key as command

    run_and_exit(lambda terminal: command(name, terminal, keyring=keyring))


@key_app.command("migrate")
def migrate_keys(
    keyring: Annotated[bool, typer.Option("--keyring/--file", help="To the keyring, or back to the file.")] = True,
) -> None:
    """Move all keys from the file to the keyring, or back."""
    from victor_fp.cli.keys import migrate_keys as command

    run_and_exit(lambda terminal: command(terminal, keyring=keyring))
