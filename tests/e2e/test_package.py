"""The wheel and the sdist contain only the package, and a bare environment can use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
ANSWER = """
import asyncio, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"id":"1","choices":[{"message":{"content":"Hello!"},"finish_reason":"stop"}]}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): ...

server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

from victor_fp import Message, ProviderRegistry

async def main():
    async with ProviderRegistry.create("openai", api_key="k", base_url=f"http://127.0.0.1:{server.server_port}") as provider:
        print((await provider.chat([Message(role="user", content="Hi")], model="m")).content)

asyncio.run(main())
"""
TYPED = """
from victor_fp import Message, ProviderRegistry, outcome
from returns.result import Failure, Success

async def ask(text: str) -> str:
    async with ProviderRegistry.create("openai") as provider:
        match outcome(await provider.chat_result([Message(role="user", content=text)], model="m", seed=1)):
            case Success(response):
                return response.content
            case Failure(fault):
                return fault.message
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; it must end well."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it depends on."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", next(built.glob("*.whl")))
    return python


def test_the_wheel_holds_the_package_and_its_wire_models_and_nothing_else(built: Path) -> None:
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"victor_fp", "victor_fp_wire"}
    assert {"victor_fp/py.typed", "victor_fp_wire/py.typed"} <= set(names)
    assert not [name for name in names if Path(name).name.startswith("test_") or name.endswith(".pyc")]


def test_the_sdist_holds_what_the_wheel_is_made_of(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        roots = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert roots == {
        "victor_fp",
        "generated",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }


def test_a_bare_environment_answers(bare: Path, tmp_path: Path) -> None:
    assert run(bare, "-W", "error", "-c", ANSWER, cwd=tmp_path) == "Hello!\n"


def test_a_bare_environment_type_checks(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(bare), "program.py"]
    assert "Success" in run(*command, cwd=tmp_path)


def test_the_base_install_is_small(bare: Path) -> None:
    packages = run(bare, "-m", "pip", "list", "--format=freeze").split()
    names = {line.split("==")[0].lower() for line in packages} - {"pip", "setuptools"}
    assert len(names) <= 24, sorted(names)
    site = Path(run(bare, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    own = (path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
    size = sum(
        path.stat().st_size
        for path in own
        if path.relative_to(site).parts[0].split("-")[0] not in ("pip", "setuptools")
    )
    assert size <= 30_000_000, size


def test_the_command_reports_missing_extras(bare: Path) -> None:
    done = subprocess.run([bare.parent / "victor", "chat", "hi"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "victor_fp[cli]" in done.stderr
    assert "Traceback" not in done.stderr
