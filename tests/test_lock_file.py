"""The lock file holds what pyproject.toml asks for, with hashes and nothing about where it came from; workflows are pinned."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
PINS = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; [^\\\n]+)? \\\n((?: +--hash=\S+(?: \\)?\n)+)", LOCK, re.MULTILINE)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def list_requirements() -> Iterator[Requirement]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        document = tomllib.load(file)
    project = document["project"]
    lists = [
        document["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *document["dependency-groups"].values(),
    ]
    return (Requirement(word) for words in lists for word in words if isinstance(word, str))


def test_every_requirement_is_locked_to_a_version_that_satisfies_it() -> None:
    versions: dict[str, set[str]] = {}
    for name, version, _ in PINS:
        versions.setdefault(canonicalize_name(name), set()).add(version)
    for requirement in list_requirements():
        locked = versions.get(canonicalize_name(requirement.name))
        assert locked, f"{requirement.name} is not in requirements/lock.txt; run `nox -s lock`"
        satisfied = all(requirement.specifier.contains(Version(version), prereleases=True) for version in locked)
        assert satisfied, f"{requirement} is locked to {locked}; run `nox -s lock`"


def test_every_version_has_hashes() -> None:
    assert len(PINS) > 100
    assert len(PINS) == len(re.findall(r"^[^\s#-]", LOCK, re.MULTILINE))
    for name, _, hashes in PINS:
        assert re.fullmatch(r"(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", hashes), name


def test_the_lock_file_names_no_registry_and_no_path() -> None:
    assert re.search(r"://|--index|--find-links|--extra-index| @ |file:|^#", LOCK, re.MULTILINE) is None


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_pinned_actions_and_few_permissions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
    assert re.search(r"^permissions:\n  contents: read\n", text, re.MULTILINE)
    assert "pull_request_target" not in text
    assert "secrets." not in text


def find_sessions(text: str) -> set[str]:
    return {name for words in re.findall(r"nox -s ([a-z0-9 ]+)", text) for name in words.split()}


def test_ci_runs_every_session_of_the_script_and_installs_redis_for_those_that_use_it() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    commands = {name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()}
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert find_sessions(script) | {"lint", "types", "tests"} <= find_sessions("\n".join(commands.values()))
    for name, command in commands.items():
        needs_redis = find_sessions(command) & {"tests", "e2e", "ray"}
        assert not needs_redis or "install -y -qq redis-server" in command, name
    assert all("timeout-minutes" in job for job in jobs.values())


def test_a_release_has_an_sbom_and_attestations() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    for part in (
        "cyclonedx-py",
        "actions/attest-build-provenance@",
        "actions/attest-sbom@",
        "--trusted-publishing always",
    ):
        assert part in text
