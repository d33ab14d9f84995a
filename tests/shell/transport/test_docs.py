"""The programs in the docs about connections run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def find_programs(page: str) -> list[str]:
    return PYTHON.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (find_programs("connections.md")[0], "openai\n"),
        (next(code for code in find_programs("testing.md") if "respx" in code), "Hello!\n"),
    ],
    ids=["connections", "respx"],
)
def test_programs_run(code: str, printed: str) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
    environment = os.environ | {"PYTHONPATH": path, "VICTOR_FP_OFFLINE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert (done.returncode, done.stdout) == (0, printed), done.stderr
