"""Every public name is in the reference, and every link of the pages and of the files next to them has a target."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import get_args

import pytest

import victor_fp
from tests.documentation.blocks import DOCS, PAGES, ROOT
from victor_fp.core import faults, metadata
from victor_fp.core.options import ChatOptions
from victor_fp.core.telemetry import stats
from victor_fp.providers import errors

DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)
DIRECTIVES = [name for path in DOCS.rglob("*.md") for name in DIRECTIVE.findall(path.read_text("utf-8"))]
NAMED = {name.rsplit(".", 1)[-1]: name for name in DIRECTIVES}
MODULES = (
    "victor_fp",
    "victor_fp.sync",
    "victor_fp.jobs",
    "victor_fp.jobs.ray",
    "victor_fp.jobs.shards",
    "victor_fp.recording",
    "victor_fp.replay",
    "victor_fp.testing",
    "victor_fp.testing.conformance",
    "victor_fp.providers.base",
    "victor_fp.providers.factory",
    "victor_fp.agent.provider_manager",
)
OTHER_NAMES = {"RequestPriority", "ProviderAuthenticationError"}
"""Second names of what the reference has under the first."""
DEFINITION = re.compile(r"^(?:class (\w+)|(?:(\w+): TypeAlias = ))", re.MULTILINE)
INTERNAL_TYPES = {
    *("Admission", "BatchItem", "Borrow", "CallerRows", "Cell", "CollectedStream", "EarlierReasoning", "FinishedRow"),
    *("InFlight", "ItemContext", "JobSettings", "JobSpending", "KeyFile", "KeyRing", "LeasedCell", "Lent"),
    *("LimitsCell", "MemoryCell", "MemoryLimits", "Packing", "RowReader", "RowRecord", "Sample", "SchemaSupport"),
    *("ScriptedReply", "SendFunction", "SharedCell", "Swapped", "TargetPool", "ToolNameRules"),
}
"""Types of objects that callers hold or pass on, and neither construct nor read."""
OTHERS_TYPES = {"Connection", "Event"}
"""Types of the standard library; the package has types of these names as well."""
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+?)(?: \{#[^}]*\})?$", re.MULTILINE)
ROOT_FILES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_a_public_module_is_in_the_reference(module: str) -> None:
    exported = import_module(module)
    for name in set(exported.__all__) - OTHER_NAMES:
        if isinstance(getattr(exported, name), ModuleType):
            continue
        assert name in NAMED, f"{module}.{name} is on no page of docs/reference"
        home, _, attribute = NAMED[name].rpartition(".")
        if module != "victor_fp.sync" or name != "run_tools":
            assert attribute == name
        assert hasattr(import_module(home), name)


def test_every_fault_exception_and_metadata_type_is_in_the_reference() -> None:
    exceptions = {
        kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)
    }
    kinds = {kind.__name__ for kind in get_args(faults.Fault)} | exceptions
    for module in (metadata, stats):
        kinds |= {kind.__name__ for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__}
    assert len(kinds) > 40
    assert kinds - OTHER_NAMES <= NAMED.keys()


@pytest.mark.parametrize("name", sorted(DIRECTIVES))
def test_what_the_reference_names_exists(name: str) -> None:
    if name.startswith("victor_fp.integrations."):  # their libraries are not installed here
        home, _, attribute = name.rpartition(".")
        assert f"\nclass {attribute}(" in (ROOT / f"{home.replace('.', '/')}.py").read_text("utf-8")
        return
    found: object = victor_fp
    for at, part in enumerate(name.split(".")[1:], 2):
        with suppress(ModuleNotFoundError):
            import_module(".".join(name.split(".")[:at]))
        assert hasattr(found, part), f"{name} is not there: {part} is not in {found}"
        found = getattr(found, part)


def _list_defined_types() -> set[str]:
    """Names of the package's classes and type aliases."""
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "victor_fp").rglob("*.py"))
    return {name for names in DEFINITION.findall(text) for name in names if name} - set(
        re.findall(r"^(\w+) = TypeVar", text, re.MULTILINE)
    )


def _iterate_functions(name: str) -> Iterator[Callable[..., object]]:
    """Yield a public function of the reference, or the constructor and the public methods of a class."""
    home, _, attribute = name.rpartition(".")
    found = getattr(import_module(home), attribute)
    if inspect.isfunction(found):
        yield found
    if not inspect.isclass(found):
        return
    for member, value in [*vars(found).items()]:
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function) and (member == "__init__" or not member.startswith("_")):
            yield function


def test_the_types_in_public_signatures_are_in_the_reference() -> None:
    defined, missing = _list_defined_types(), set[str]()
    for name in DIRECTIVES:
        if name.startswith("victor_fp.integrations."):
            continue
        for function in _iterate_functions(name):
            for annotation in function.__annotations__.values():
                words = re.findall(r"\w+", annotation if isinstance(annotation, str) else "")
                private = [word for word in words if word.startswith("_")]
                assert not private, f"{name}.{function.__name__} has the private type {private}"
                missing |= {word for word in words if word in defined and word not in NAMED.keys() | OTHERS_TYPES}
    assert missing == INTERNAL_TYPES


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    assert {word for word in navigation.split() if word.endswith(".md")} == set(PAGES)


def _find_links(text: str) -> Iterator[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return (link for link in LINK.findall(prose) if not link.startswith(("http://", "https://", "mailto:")))


def _find_anchors(text: str) -> set[str]:
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in HEADING.findall(text))
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}


@pytest.mark.parametrize("page", [*ROOT_FILES, *(f"docs/{page}" for page in PAGES)])
def test_links_of_a_page_have_a_target(page: str) -> None:
    path = ROOT / page
    for link in _find_links(path.read_text("utf-8")):
        file, _, anchor = link.partition("#")
        target = path if not file else (path.parent / file).resolve()
        assert target.exists(), f"{page} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in _find_anchors(target.read_text("utf-8")), f"{page} links to {link}"


def test_the_table_of_exceptions_names_the_faults_of_each() -> None:
    rows = re.findall(r"^\| `(\w+Error)` \| (.+) \|$", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE)
    expected: dict[str, set[str]] = {}
    for kind in get_args(faults.Fault):
        expected.setdefault(errors.choose_error_class(kind()).__name__, set()).add(kind.__name__)
    assert expected.pop("ProviderError")  # "all others"
    assert {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows} == expected


def test_files_named_in_contributing_exist() -> None:
    files = set(
        re.findall(r"`((?:victor_fp|openapi|tests|docs)/[^`]*)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    )
    assert len(files) > 15
    assert [name for name in sorted(files) if "NAME" not in name and not (ROOT / name).exists()] == []


def test_contributing_names_what_its_files_have() -> None:
    """Names in a row of the table are defined in the files of the row, and files without a path are below its folders."""
    rows = re.findall(r"^\| [A-Z][^|]+ \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 11  # the head of the table is the first
    for row in rows[1:]:
        quoted = re.findall(r"`([^`]+)`", row)
        places = [ROOT / name for name in quoted if (ROOT / name).exists()]
        files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))]
        code = "\n".join(file.read_text("utf-8") for file in files)
        for name in quoted:
            if name.isidentifier() and name != "usage_raw":
                assert re.search(rf"^ *(def|class) {name}\b|^ *{name}(:| ?=)", code, re.MULTILINE), f"{name} in {row}"
            elif name.endswith(".py"):
                assert any(str(file).endswith(f"/{name}") for file in files), f"{name} in {row}"


def test_every_option_is_in_the_page_about_chats() -> None:
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/chat.md").read_text("utf-8"), re.MULTILINE)
    assert set(ChatOptions.__annotations__) <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("layer", ["core", "shell"])
def test_the_architecture_names_every_package(layer: str) -> None:
    packages = {path.parent.name for path in (ROOT / "victor_fp" / layer).glob("*/__init__.py")}
    assert packages <= set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/architecture.md").read_text("utf-8"), re.MULTILINE)
    )
