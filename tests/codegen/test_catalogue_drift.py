"""The catalogue compared with a directory of models.dev data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from victor_fp.codegen.__main__ import main
from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.catalogue_drift import NAMES_BY_LISTED_ID, compare_catalogue
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.models.limits import load_bundled_limits


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def write_tree(tmp_path: Path) -> Path:
    """A directory as models.dev keeps it: DeepSeek has moved, one model of its is new, another has ended."""
    root = tmp_path / "providers" / "deepseek"
    write(
        root / "provider.toml",
        'name = "DeepSeek"\nenv = ["DEEPSEEK_API_KEY", "DS_KEY"]\napi = "https://api.ds.example"\n',
    )
    write(root / "models" / "deepseek-v4-flash.toml", "[limit]\ncontext = 500_000\noutput = 384_000\n")
    write(root / "models" / "next" / "ds-5.toml", "[limit]\ncontext = 9\n")
    write(root / "models" / "ds-2.toml", 'status = "deprecated"\n')
    write(tmp_path / "providers" / "nobody" / "provider.toml", 'name = "Nobody"\nenv = []\n')
    return tmp_path


def test_each_difference_is_a_line(tmp_path: Path) -> None:
    assert compare_catalogue(write_tree(tmp_path)) == [
        "deepseek: base URL is https://api.ds.example in the listing, https://api.deepseek.com/v1 in the catalogue",
        "deepseek: variables DS_KEY are not in the catalogue",
        "deepseek: model deepseek-v4-flash has a context window of 500000 in the listing, 1000000 in the catalogue",
        "deepseek: model next/ds-5 is new",
    ]


def test_the_published_file_is_read_and_equal_facts_are_not_reported(tmp_path: Path) -> None:
    models = {limit.pattern.replace("*", "x"): dict[str, int]() for limit in load_bundled_limits("deepseek")}
    models["deepseek-v4-flash"] = {}
    data = {
        "deepseek": {"api": "https://api.deepseek.com/v1/", "env": ["DEEPSEEK_API_KEY"], "models": models},
        "databricks": {"api": "https://${DATABRICKS_HOST}/ai-gateway/mlflow/v1", "env": ["DATABRICKS_HOST"]},
    }
    (tmp_path / "api.json").write_text(json.dumps(data))
    assert compare_catalogue(tmp_path) == []


def test_facts_that_several_providers_share_are_read_from_the_model_that_is_named(tmp_path: Path) -> None:
    root = tmp_path / "providers" / "deepseek"
    write(root / "provider.toml", 'env = ["DEEPSEEK_API_KEY"]\n')
    write(tmp_path / "models" / "deepseek" / "v4.toml", "[limit]\ncontext = 500_000\noutput = 8\n")
    write(root / "models" / "deepseek-v4-flash.toml", 'base_model = "deepseek/v4"\n[limit]\noutput = 384_000\n')
    write(root / "models" / "deepseek-v4-pro.toml", 'base_model = "nobody/has-it"\n')
    lines = compare_catalogue(tmp_path)
    assert (
        "deepseek: model deepseek-v4-flash has a context window of 500000 in the listing, 1000000 in the catalogue"
        in lines
    )
    assert not any("longest output" in line or "deepseek-v4-pro" in line for line in lines)


def test_a_link_to_a_model_that_was_removed_is_a_model_that_has_ended(tmp_path: Path) -> None:
    root = write_tree(tmp_path) / "providers" / "deepseek" / "models"
    (root / "deepseek-v4-flash.toml").unlink()
    (root / "deepseek-v4-flash.toml").symlink_to("gone.toml")
    assert "deepseek: default model deepseek-v4-flash has ended" in compare_catalogue(tmp_path)


def test_a_url_of_the_other_protocol_or_without_a_version_is_not_a_difference(tmp_path: Path) -> None:
    data = {
        "minimax": {"api": "https://api.minimax.io/anthropic/v1"},
        "novita-ai": {"api": "https://api.novita.ai/openai"},
        "nebius": {"api": "https://api.studio.nebius.ai/v1"},
    }
    (tmp_path / "api.json").write_text(json.dumps(data))
    lines = [line for line in compare_catalogue(tmp_path) if "base URL" in line]
    assert lines == [
        "nebius: base URL is https://api.studio.nebius.ai/v1 in the listing, https://api.tokenfactory.nebius.com/v1 in the catalogue"
    ]


def test_a_default_model_that_is_gone_or_ended_is_reported(tmp_path: Path) -> None:
    data = {"groq": {"models": {"openai/gpt-oss-120b": {"status": "deprecated"}}}, "xai": {"models": {"grok-9": {}}}}
    (tmp_path / "api.json").write_text(json.dumps(data))
    lines = compare_catalogue(tmp_path)
    assert "groq: default model openai/gpt-oss-120b has ended" in lines
    assert "xai: default model grok-4.3 is not listed" in lines
    assert "xai: model grok-9 is new" in lines
    assert "xai: no listed model matches the limit grok-3*" in lines


@pytest.mark.parametrize("text", ["{", "[]", '{"groq": 7}', "\udce9"])
def test_a_file_that_is_something_else_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "api.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CodegenFailed, match=r"api\.json"):
        compare_catalogue(tmp_path)


def test_fields_of_another_type_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{"groq": {"models": 1, "env": "x", "api": null}}')
    assert compare_catalogue(tmp_path) == []


def test_the_command_reports_and_fails_where_something_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", "--models-dev", str(write_tree(tmp_path))]) == 1
    assert "deepseek: model next/ds-5 is new" in capsys.readouterr().out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["drift", "--models-dev", str(empty)]) == 2
    assert "has neither" in capsys.readouterr().err
    assert main(["drift"]) == 2
    assert "name a directory" in capsys.readouterr().err


def test_other_names_lead_to_entries() -> None:
    assert set(NAMES_BY_LISTED_ID.values()) <= set(CATALOGUE.names)
    assert not set(NAMES_BY_LISTED_ID) & set(CATALOGUE.entries)
