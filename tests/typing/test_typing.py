"""The typing sample is clean under both checkers, as a downstream program, and its mistakes are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "api.py"
ROOT = SAMPLE.parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["mypy", "--strict", "--no-incremental", "--config-file=", str(SAMPLE)],
        ["pyright", "--pythonpath", sys.executable, str(SAMPLE)],
    ],
    ids=["mypy", "pyright"],
)
def test_a_downstream_program_type_checks(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
