"""The recipes of docs/jobs-at-scale.md, run as they are written, each against a vendor on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray.conftest import ROOT, Vendor, environment

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RECIPES = CODE.findall((ROOT / "docs" / "jobs-at-scale.md").read_text())


def recipe(name: str) -> str:
    (found,) = [code for code in RECIPES if name in code]
    return found


def run_twice(code: str, folder: Path, vendor: Vendor) -> list[str]:
    """What a recipe prints; the second run must ask nothing."""
    program = folder / "recipe.py"
    program.write_text(code)
    (folder / "prompts").mkdir()
    rows = "".join(f'{{"key": "k{number}", "text": "text {number}"}}\n' for number in range(20))
    (folder / "prompts" / "rows.jsonl").write_text(rows)
    environ = {**environment(), "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{vendor.url}/v1"}
    outputs = []
    for _ in range(2):
        command = [sys.executable, str(program), str(folder / "prompts"), str(folder / "shared")]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        outputs.append(done.stdout)
    assert len(vendor.calls()) == 20
    assert sorted(prompt for prompt, _ in vendor.calls()) == sorted(f"Shout: text {n}" for n in range(20))
    return outputs


def check(outputs: list[str]) -> None:
    for output in outputs:
        assert "20 rows" in output
        assert "SHOUT: TEXT 7" in output


def test_run_shards(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("ray")
    outputs = run_twice(recipe("run_shards"), tmp_path, vendor)
    assert all("20 done, 0 failed, 0 left" in output for output in outputs)


def test_ray_data(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("ray.data")
    check(run_twice(recipe("map_batches"), tmp_path, vendor))


def test_dask(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("dask.dataframe")
    check(run_twice(recipe("map_partitions"), tmp_path, vendor))


def test_spark(tmp_path: Path, vendor: Vendor) -> None:
    pytest.importorskip("pyspark", reason="pyspark and Java are not part of the session")
    check(run_twice(recipe("mapInPandas"), tmp_path, vendor))
