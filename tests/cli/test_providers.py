"""`victor providers`: what is listed, searched and shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.acme import install_package
from tests.cli.conftest import KEY, victor
from victor_fp.cli.app import app
from victor_fp.cli.providers import ProviderRow, build_rows, describe_key, format_rows, list_providers
from victor_fp.cli.terminal import Terminal
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.entries import GROUPS
from victor_fp.providers.installed import find_entry_points


def run_providers(*arguments: str, env: dict[str, str]) -> dict[str, list[str]]:
    result = CliRunner().invoke(app, ["providers", *arguments], env=env)
    assert result.exit_code == 0
    assert KEY not in result.output
    return {line.split("\t")[0]: line.split("\t")[1:] for line in result.stdout.splitlines()}


def test_every_provider_of_the_catalogue_is_a_line(keyed: dict[str, str]) -> None:
    rows = run_providers(env=keyed)
    assert set(CATALOGUE.names) <= set(rows)
    assert rows["openai"][:2] == ["openai-chat", "environment OPENAI_API_KEY"]
    assert rows["anthropic"][1] == "missing: ANTHROPIC_API_KEY"
    assert rows["ollama"][1] == "not needed"
    assert rows["bedrock"][1] == "AWS credentials"
    assert "tools" in rows["openai"][2].split()


@pytest.mark.parametrize("arguments", [(), ("--search", "deep"), ("-s", "deep"), ("--search=deep",)])
def test_the_command_without_the_parser_of_options_prints_the_same(
    keyed: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = victor("providers", *arguments, env=keyed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == CliRunner().invoke(app, ["providers", *arguments], env=keyed).stdout


def test_search_looks_at_names_aliases_titles_and_addresses(world: dict[str, str]) -> None:
    assert set(run_providers("--search", "CLAUDE", env=world)) == {"anthropic", "vertex-anthropic", "azure-anthropic"}
    assert "qwen" in run_providers("--search", "dashscope-intl", env=world)
    assert "moonshot" in run_providers("--search", "Moonshot AI", env=world)
    assert run_providers("--search", "nobody at all", env=world) == {}


def test_a_key_in_the_file_counts(world: dict[str, str]) -> None:
    directory = Path(world["VICTOR_FP_CONFIG_DIR"])
    directory.mkdir()
    (directory / "keys.json").write_text('{"groq": "abc", "openai": " "}')
    (directory / "keys.json").chmod(0o600)
    rows = {row.name: row.key for row in build_rows(world)}
    assert rows["groq"] == "file"
    assert rows["openai"] == "missing: OPENAI_API_KEY"


def test_a_second_protocol_has_the_key_of_the_first() -> None:
    entry = CATALOGUE.find("openai-responses").unwrap()
    assert describe_key(entry, {}, {"openai": "k"}) == "file"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_table_fits_the_terminal_and_groups_providers(width: int) -> None:
    lines = list(format_rows(build_rows({}), width))
    assert max(map(len, lines)) <= width
    assert [line.strip() for line in lines if not line.startswith("  ")] == list(GROUPS.values())
    assert not any("..." in line for line in lines)
    names = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert names == list(CATALOGUE.names)
    text = "\n".join(lines)
    for row in build_rows({}):
        assert row.key.partition(" or ")[0] in text, f"the key of {row.name} is cut"


def test_columns_that_do_not_fit_are_left_out() -> None:
    row = ProviderRow(group="G", name="acme", key="missing: A or B", protocol="openai-chat", supports="tools")
    assert list(format_rows([row], 100)) == ["G", "  acme  missing: A  openai-chat  tools"]
    assert list(format_rows([row], 40)) == ["G", "  acme  missing: A  openai-chat  tools"]
    assert list(format_rows([row], 36)) == ["G", "  acme  missing: A  openai-chat"]
    assert list(format_rows([row], 30)) == ["G", "  acme  missing: A"]
    assert list(format_rows([], 60)) == []


def test_a_key_that_does_not_fit_in_its_column_is_not_cut() -> None:
    long = ProviderRow(group="G", name="a-long-name", key="none")
    short = ProviderRow(group="G", name="acme", key="missing: ACME_KEY")
    both = ProviderRow(group="G", name="a-long-name-2", key="missing: ACME_KEY")
    assert list(format_rows([long, short, both], 30)) == [
        "G",
        "  a-long-name    none",
        "  acme       missing: ACME_KEY",
        "  a-long-name-2",
        "             missing: ACME_KEY",
    ]


def test_a_search_without_a_match_names_similar_providers(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.items():
        monkeypatch.setenv(name, value)
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err)
    terminal.shown = terminal.watched = True
    assert list_providers(terminal, "antropic") == 0
    assert out.getvalue() == ""
    assert "anthropic" in err.getvalue()


def test_providers_of_installed_packages_have_all_columns(
    world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(tmp_path, monkeypatch, "acme-broken = no_such_module_here:Provider")
    find_entry_points.cache_clear()
    try:
        rows = {row.name: row for row in build_rows(world | {"ACME_CLASS_API_KEY": "k"}, "acme-")}
    finally:
        find_entry_points.cache_clear()

    assert {row.group for row in rows.values()} == {"Installed packages"}
    assert (rows["acme-class"].key, rows["acme-class"].protocol) == ("environment ACME_CLASS_API_KEY", "own class")
    assert "streaming" in rows["acme-class"].supports.split()
    assert rows["acme-record"].protocol == "openai-chat"
    assert rows["acme-record"].key
    assert rows["acme-broken"].key.startswith("cannot be loaded: ModuleNotFoundError")
