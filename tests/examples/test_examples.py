"""The programs of examples/ run without a key and print what they are about; run by `nox -s examples`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "COHERE_API_KEY", "ACME_API_KEY", "ACME_CLOUD_API_KEY")
PROGRAMS = {
    "script.py": ("Glaciers carved Norway's fjords.", "[stop, "),
    "fastapi_service.py": ("200 {'text': 'Oslo is the capital of Norway.'", '"done":true', "2 requests"),
    "agent_mcp.py": ("get_forecast: Oslo: rain for 3 day(s)", "packed: umbrella, boots", "take an umbrella"),
    "batch_job.py": ("a negative", "3 rows exported", "3 done, 0 failed"),
    "retrieval.py": ("1000 paragraphs embedded in ", "\nThe church of Bergen has 86 bells.\n", "\nanswer: "),
    "custom_record.py": ("max_completion_tokens", "Hello from Acme."),
    "custom_class.py": ("HELLO", "2 operations"),
    "telemetry.py": ("1 request, 1 retries", "chat gpt-5-mini", "gen_ai.client.token.usage"),
    "command_line.py": ("0 Handle empty files", "0 anthropic", "an unknown provider ends with 4"),
}
OTHERS = {"stand_in.py", "mcp_server.py", "ray_job.py"}  # Ray has a session of its own, which runs its program

pytestmark = pytest.mark.examples


def run(*words: str, folder: Path = EXAMPLES, paths: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python without any key of the machine."""
    environment = {name: value for name, value in os.environ.items() if name not in KEYS}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "generated", *paths)))
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=folder, env=environment, timeout=900, check=False
    )


def test_every_program_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PROGRAMS.keys() | OTHERS


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs(name: str) -> None:
    if name == "retrieval.py":
        pytest.importorskip("xllamacpp")
    done = run(name)
    assert done.returncode == 0, done.stderr
    for text in PROGRAMS[name]:
        assert text in done.stdout


def test_a_job_continues_where_it_was(tmp_path: Path) -> None:
    first, second = run("batch_job.py", str(tmp_path)), run("batch_job.py", str(tmp_path))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.splitlines()[:3] == second.stdout.splitlines()[:3]
    assert len((tmp_path / "reviews.jsonl").read_text("utf-8").splitlines()) == 3


def test_the_recorded_tests_pass() -> None:
    done = run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "victor_fp.pytest_plugin",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        folder=EXAMPLES / "recorded_tests",
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_an_installed_package_brings_a_provider(tmp_path: Path) -> None:
    package = EXAMPLES / "entry_point_package"
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    installed = tmp_path / "acme_victor-0.1.0.dist-info"  # as an installer writes it
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n", "utf-8")
    points = [f"{name} = {value}" for name, value in project["entry-points"]["victor_fp.providers"].items()]
    (installed / "entry_points.txt").write_text("\n".join(["[victor_fp.providers]", *points, ""]), "utf-8")
    done = run("use.py", folder=package, paths=(tmp_path, package / "src"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Hello from Acme Cloud.", "https://cloud.acme.example/v1/chat/completions"]


@pytest.mark.filterwarnings("ignore")  # the kernel's client, not ours
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "generated")]))
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = "".join(output.get("text") or output["data"]["text/plain"] for output in outputs)
    for text in ("Bergen, Oslo, Tromsø", "Once upon a time.", "inhabitants=717710", "prompt_tokens"):
        assert text in shown


def test_the_notebook_is_stored_without_outputs() -> None:
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))
    assert all(not cell.get("outputs") for cell in notebook["cells"])


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_accept_the_notebook(checker: str, tmp_path: Path) -> None:
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    lines = "\n\n".join(cells).splitlines()
    program = "async def notebook() -> None:\n" + "\n".join(f"    {line}" for line in lines) + "\n"
    (tmp_path / "notebook.py").write_text(program, "utf-8")
    words = {"mypy": ["--strict", "--config-file="], "pyright": ["--pythonpath", sys.executable]}[checker]
    environment = {
        **os.environ,
        "MYPYPATH": f"{ROOT}:{ROOT / 'generated'}:{EXAMPLES}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
    }
    if checker == "pyright":
        (tmp_path / "pyrightconfig.json").write_text(
            json.dumps({"extraPaths": [str(ROOT), str(ROOT / "generated"), str(EXAMPLES)]}), "utf-8"
        )
    done = subprocess.run(
        [sys.executable, "-m", checker, *words, *(["notebook.py"] if checker == "mypy" else [])],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
