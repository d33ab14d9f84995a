"""The programs of docs/jobs-at-scale.md and the example, run as they are written against a vendor on loopback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.ray_jobs.conftest import ROOT, RayCluster, Vendor, build_environment

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RECIPES: list[str] = CODE.findall((ROOT / "docs" / "jobs-at-scale.md").read_text())
SHARDS, ENGINES = "run_shards(", "run_partition("
"""In the program for shards, and in the one for other engines."""
ROWS = 20


def find_recipe(name: str) -> str:
    """The program of the page that has this name in it."""
    (block,) = (block for block in RECIPES if name in block)
    return block


def write_prompts(folder: Path) -> Path:
    folder.mkdir()
    rows = "".join(json.dumps({"key": f"k{number}", "text": f"text {number}"}) + "\n" for number in range(ROWS))
    (folder / "rows.jsonl").write_text(rows)
    return folder


def run_program(program: Path, *words: Path | str, **variables: str) -> str:
    """What a program prints; it must end well."""
    command = [sys.executable, str(program), *map(str, words)]
    environ = {**build_environment(), **variables}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run_engine(folder: Path, vendor: Vendor, engine: str, **variables: str) -> None:
    """Run a recipe: its output has every row once, each asked once."""
    parquet = pytest.importorskip("pyarrow.parquet")
    program = folder / "recipe.py"
    program.write_text(find_recipe(ENGINES))
    run_program(program, engine, write_prompts(folder / "prompts"), folder / "shared", **variables)
    rows = parquet.read_table(folder / "shared" / "answers").to_pylist()
    assert len(rows) == ROWS
    check_answers({row["key"]: row["record"] for row in rows})
    check_calls(vendor)


def check_answers(records: Mapping[str, str]) -> None:
    contents = {key: json.loads(record)["response"]["content"] for key, record in records.items()}
    assert contents == {f"k{number}": f"SHOUT: TEXT {number}" for number in range(ROWS)}


def check_calls(vendor: Vendor) -> None:
    assert sorted(call.prompt for call in vendor.list_calls()) == sorted(
        f"Shout: text {number}" for number in range(ROWS)
    )


def test_run_shards(tmp_path: Path, vendor: Vendor, cluster: RayCluster) -> None:
    prompts, shared = write_prompts(tmp_path / "prompts"), tmp_path / "shared"
    program = tmp_path / "recipe.py"
    program.write_text(find_recipe(SHARDS))
    for _ in range(2):
        assert "20 done, 0 failed, 0 left" in run_program(program, prompts, shared, RAY_ADDRESS=cluster.address)
        check_calls(vendor)


def test_ray_data(tmp_path: Path, vendor: Vendor, cluster: RayCluster) -> None:
    run_engine(tmp_path, vendor, "ray", RAY_ADDRESS=cluster.address)


def test_dask(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("dask.dataframe")
    run_engine(tmp_path, vendor, "dask")


def test_spark(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is no `java` on the path")
    submit = "--master local[2] --driver-memory 512m pyspark-shell"
    run_engine(tmp_path, vendor, "spark", PYSPARK_PYTHON=sys.executable, PYSPARK_SUBMIT_ARGS=submit)


def test_the_function_for_spark_maps_frames(tmp_path: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `mapInPandas` calls on an executor, without a session: an iterator of frames in, and one out."""
    pandas = pytest.importorskip("pandas")
    for name, value in build_environment().items():
        monkeypatch.setenv(name, value)
    module: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(find_recipe(ENGINES), "recipe.py", "exec"), module)  # the page is ours
    rows = pandas.DataFrame({"key": [f"k{n}" for n in range(ROWS)], "text": [f"text {n}" for n in range(ROWS)]})
    frames = list(module["ask_each"](iter([rows[:15], rows[15:]]), str(tmp_path / "ledgers")))
    assert [len(frame) for frame in frames] == [15, 5]
    check_answers(dict(zip(*(pandas.concat(frames)[column] for column in ("key", "record")), strict=True)))
    check_calls(vendor)


def test_the_example_runs_on_ray_on_this_machine(tmp_path: Path) -> None:
    program = ROOT / "examples" / "ray_job.py"
    printed = run_program(program, tmp_path, RAY_ADDRESS="local", OPENAI_API_KEY="")
    assert printed.count('"content":"negative"') == 3
    assert "3 done, 0 failed, 0 left" in printed
