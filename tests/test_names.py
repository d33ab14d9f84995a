"""Names: functions of the package begin with a verb, class names are unique, and no name or docstring has private words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

import victor_fp
from tests.syntax_trees import Function, list_definitions, parse_file

pytestmark = pytest.mark.lint

PACKAGE = Path(victor_fp.__file__).parent
TESTS = Path(__file__).parent

VERBS = frozenset(
    [
        "abandon",
        "abort",
        "accept",
        "aclose",
        "acquire",
        "activate",
        "adapt",
        "add",
        "admit",
        "adopt",
        "advance",
        "allow",
        "answer",
        "append",
        "apply",
        "ask",
        "assess",
        "assign",
        "attach",
        "attend",
        "await",
        "begin",
        "bind",
        "break",
        "build",
        "cache",
        "call",
        "cancel",
        "capture",
        "carry",
        "chain",
        "change",
        "charge",
        "chat",
        "check",
        "choose",
        "claim",
        "clamp",
        "classify",
        "clean",
        "clear",
        "close",
        "collect",
        "commit",
        "compare",
        "compile",
        "complete",
        "compose",
        "compute",
        "concatenate",
        "configure",
        "confirm",
        "connect",
        "converse",
        "convert",
        "copy",
        "correct",
        "count",
        "create",
        "cut",
        "deactivate",
        "decide",
        "decode",
        "decompress",
        "decrease",
        "delay",
        "delete",
        "deliver",
        "derive",
        "describe",
        "detach",
        "detect",
        "digest",
        "discard",
        "divide",
        "disconnect",
        "discover",
        "disown",
        "distribute",
        "download",
        "drain",
        "draw",
        "drive",
        "drop",
        "dump",
        "embed",
        "emit",
        "encode",
        "end",
        "ensure",
        "enter",
        "escape",
        "estimate",
        "evaluate",
        "examine",
        "exclude",
        "execute",
        "expand",
        "expect",
        "expire",
        "explain",
        "export",
        "extend",
        "extract",
        "fade",
        "fail",
        "fall",
        "feed",
        "fetch",
        "fill",
        "filter",
        "find",
        "finish",
        "fire",
        "fit",
        "flatten",
        "flush",
        "fold",
        "follow",
        "forget",
        "format",
        "freeze",
        "gather",
        "generate",
        "get",
        "give",
        "group",
        "guess",
        "hand",
        "handle",
        "hash",
        "hide",
        "hoist",
        "hold",
        "identify",
        "ignore",
        "import",
        "index",
        "infer",
        "inline",
        "insert",
        "inspect",
        "install",
        "intercept",
        "interpret",
        "interrupt",
        "intersect",
        "invoke",
        "iterate",
        "join",
        "judge",
        "keep",
        "kill",
        "launch",
        "learn",
        "lease",
        "leave",
        "lend",
        "let",
        "limit",
        "list",
        "load",
        "locate",
        "lock",
        "log",
        "look",
        "lower",
        "make",
        "map",
        "mark",
        "match",
        "measure",
        "merge",
        "migrate",
        "move",
        "mute",
        "name",
        "narrow",
        "nest",
        "normalise",
        "normalize",
        "note",
        "notify",
        "observe",
        "omit",
        "open",
        "order",
        "overlay",
        "pack",
        "parse",
        "pass",
        "patch",
        "pause",
        "pick",
        "pin",
        "place",
        "plan",
        "poll",
        "pop",
        "post",
        "prepare",
        "prepend",
        "print",
        "probe",
        "promote",
        "prompt",
        "prune",
        "publish",
        "pull",
        "push",
        "put",
        "quantise",
        "query",
        "quote",
        "raise",
        "rank",
        "read",
        "receive",
        "recognise",
        "reconcile",
        "record",
        "redact",
        "reduce",
        "refresh",
        "refuse",
        "register",
        "reject",
        "release",
        "reload",
        "remove",
        "rename",
        "render",
        "renew",
        "reopen",
        "repair",
        "repeat",
        "replace",
        "replay",
        "reply",
        "report",
        "represent",
        "request",
        "require",
        "rerank",
        "reserve",
        "reset",
        "resolve",
        "respell",
        "respond",
        "rest",
        "restore",
        "resume",
        "retain",
        "retire",
        "retrieve",
        "retry",
        "return",
        "revive",
        "rewrite",
        "roll",
        "rotate",
        "route",
        "run",
        "sample",
        "sanitize",
        "save",
        "say",
        "scale",
        "scan",
        "schedule",
        "score",
        "search",
        "select",
        "send",
        "separate",
        "serialize",
        "serve",
        "set",
        "settle",
        "shorten",
        "show",
        "shut",
        "shutdown",
        "sign",
        "silence",
        "simplify",
        "simulate",
        "skim",
        "skip",
        "sleep",
        "slice",
        "sort",
        "spawn",
        "specify",
        "spell",
        "spend",
        "splice",
        "split",
        "spread",
        "start",
        "step",
        "stop",
        "store",
        "stream",
        "strip",
        "stub",
        "submit",
        "subtract",
        "succeed",
        "suggest",
        "sum",
        "summarise",
        "summarize",
        "suppress",
        "swap",
        "sweep",
        "switch",
        "tag",
        "take",
        "tell",
        "trace",
        "track",
        "translate",
        "trim",
        "trip",
        "truncate",
        "try",
        "turn",
        "unescape",
        "unite",
        "unpack",
        "unquote",
        "unregister",
        "unroll",
        "unwrap",
        "update",
        "upload",
        "use",
        "validate",
        "verify",
        "visit",
        "wait",
        "wake",
        "walk",
        "warn",
        "watch",
        "widen",
        "withdraw",
        "work",
        "wrap",
        "write",
        "yield",
    ]
)
"""First words of functions. A new one belongs here if a reader who knows the task would look for it."""

PREDICATES = frozenset({"are", "can", "has", "is", "may", "supports"})

PREFIXES = frozenset({"on", "to", "with", "without"})
"""What a callback is called on, what a value is converted to, what a copy has or lacks."""

FIRST_WORDS = VERBS | PREDICATES | PREFIXES

EXCEPTIONS = {
    "batch_status": "public: docs/jobs.md",
    "batch_status_result": "public: docs/jobs.md",
    "batch_results": "public: docs/jobs.md",
    "batch_results_result": "public: docs/jobs.md",
    "harness_for": "public: victor_fp.testing.conformance",
    "main": "the entry point of a program",
    "victor": "a command: its function names it",
    "providers": "a command: its function names it",
    "models": "a command: its function names it",
    "keys": "a command: its function names it",
    "codegen": "a command: its function names it",
    "status": "a command: its function names it",
    "recording": "the pytest fixture",
    "connection_lost": "a method of asyncio.Protocol",
    "pytest_addoption": "a hook of pytest",
    "pytest_configure": "a hook of pytest",
    "before_request": "a method of google.auth's credentials",
    "field_title_should_be_set": "a hook of pydantic's schema generator",
    "aembed_documents": "a method of LangChain's embeddings",
    "aembed_query": "a method of LangChain's embeddings",
    "_agenerate": "a method of LangChain's chat models",
    "_astream": "a method of LangChain's chat models",
    "json": "of a request or a response, as in httpx",
    "now": "of a clock, as in datetime",
    "result": "of an operation, as in concurrent.futures",
    "tobytes": "of a buffer, as in array",
    "tolist": "of a buffer, as in array",
    "codec_for": "the codec of an endpoint or a dialect; every protocol has one",
    "for_model": "public: ProviderSpec, and Codec after it",
    "route_for": "public: ProviderSpec",
    "begun": "public: what an observer of one's own implements",
    "catalogue": "public: ProviderRegistry",
    "events": "public: SwitchHistory",
    "fallbacks": "public: ProviderManagerConfig",
    "full_fault": "public: ProviderError",
    "response": "public: victor_fp.replay, ChatStream and SyncStream",
    "transport": "public: Recording and Cache",
    "outcome": "public: victor_fp",
    "structured": "public: victor_fp",
    "tool": "public: victor_fp",
    "drift": "public: victor_fp.codegen",
    "price_at": "public: docs/jobs.md",
    "known_tools": "public: docs/tool-calling.md",
    "cases": "public: docs/testing.md",
    "json_answer": "public: victor_fp.testing",
    "serving": "public: victor_fp.testing",
    "snapshot_of": "public: victor_fp.testing",
    "vendor": "public: victor_fp.testing",
}

REQUIRED = frozenset(
    [
        *("connection_made", "data_received"),  # asyncio.Protocol
        *("do_GET", "do_POST"),  # http.server
        *("isatty", "monotonic", "time"),  # of files and clocks
        "CommonParams",  # xllamacpp
    ]
)
"""Names of functions in the tests that stand in for those of a library."""

PRIVATE = frozenset(
    [
        *("asking", "beside", "ear", "farewell", "hearing", "heard", "hears", "misfit", "misfits", "nobody", "outlive"),
        *("outlived", "outlives", "paper", "pursuit", "speaker", "speaks", "spoken", "tells", "told", "town", "twin"),
        *("unfolding", "whoever"),
    ]
)
"""Words that no name has: the field has another one for each, such as request, alongside, report, retry or codec."""

PRIVATE_PHRASES = re.compile(r"_(in_the_open|(is|are)_no|(go|goes)_back|goes_out|had_come|comes?_back)(_|$)")

PRIVATE_PROSE = re.compile(
    r"\b(told|tells (us|of|that|what)|outlive[sd]?|in the open|beside|whoever|nobody|farewell|spoken|hears|twin|misfit"
    r"|stands in (for|the)|goes back|go back|had come|is no (json|object|text|number)|the wire says)\b",
    re.IGNORECASE,
)
"""The same in the first line of a docstring of the tests."""


Files: TypeAlias = list[tuple[str, ast.Module]]
Sources: TypeAlias = list[tuple[Path, str]]


@pytest.fixture(scope="module")
def files() -> Files:
    return [(path.relative_to(PACKAGE.parent).as_posix(), parse_file(path)) for path in sorted(PACKAGE.rglob("*.py"))]


@pytest.fixture(scope="module")
def sources_of_tests() -> Sources:
    """To parse all of them takes seconds: only those are parsed whose text may have what a test looks for."""
    return [(path, path.read_text(encoding="utf-8")) for path in sorted(TESTS.rglob("*.py"))]


def is_decorated(node: Function, *words: str) -> bool:
    return any(word in ast.unparse(one) for one in node.decorator_list for word in words)


def is_well_named(name: str) -> bool:
    words = name.strip("_").split("_")
    return words[0] in FIRST_WORDS or "from" in words or name in EXCEPTIONS


def is_property(node: Function) -> bool:
    return is_decorated(node, "property", ".setter")


def iterate_functions(files: Files) -> Iterator[tuple[str, Function]]:
    """Each function, and where it is; dunders are Python's."""
    for path, module in files:
        for node, is_local in list_definitions(module):
            if isinstance(node, Function) and not is_local and not node.name.startswith("__"):
                yield f"{path}:{node.lineno}", node


def test_a_function_begins_with_a_verb(files: Files) -> None:
    wrong = [
        f"{place}: {node.name}"
        for place, node in iterate_functions(files)
        if not is_well_named(node.name) and not is_property(node)  # properties are nouns
    ]
    assert not wrong, "begin with a verb of VERBS, or explain the name in EXCEPTIONS:\n" + "\n".join(wrong)


def test_a_function_in_a_function_begins_with_a_verb(files: Files) -> None:
    wrong = [
        f"{path}:{node.lineno}: {node.name}"
        for path, module in files
        for node, is_local in list_definitions(module)
        if is_local
        and isinstance(node, Function)
        and node.name != "_"  # registered by a decorator
        and not node.name.startswith("__")
        and not is_well_named(node.name)
    ]
    assert not wrong, "begin with a verb of VERBS:\n" + "\n".join(wrong)


def is_accepted_in_tests(name: str) -> bool:
    return name.startswith(("test_", "pytest_", "__")) or is_well_named(name) or name in REQUIRED


def test_a_function_of_the_tests_begins_with_a_verb(sources_of_tests: Sources) -> None:
    wrong = [
        f"{path.relative_to(TESTS).as_posix()}:{node.lineno}: {node.name}"
        for path, source in sources_of_tests
        if not all(map(is_accepted_in_tests, re.findall(r"\bdef\s+(\w+)", source)))
        for node, _ in list_definitions(parse_file(path))
        if isinstance(node, Function)
        and not is_accepted_in_tests(node.name)
        and not is_decorated(node, "fixture", "property", ".setter", "composite")
    ]
    assert not wrong, "begin with a verb of VERBS:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", ["told", "_hearing", "spoken", "tables", "fault_of", "_", "policy_for"])
def test_a_name_without_a_verb_is_found(name: str) -> None:
    assert not is_well_named(name)


@pytest.mark.parametrize("name", ["build_request", "_is_open", "fault_from_status", "to_message", "_on_chunk"])
def test_a_name_with_a_verb_passes(name: str) -> None:
    assert is_well_named(name)


def test_every_exception_is_used(files: Files) -> None:
    named = [node for _, node in iterate_functions(files) if node.name in EXCEPTIONS]
    assert {node.name for node in named if not is_property(node)} == set(EXCEPTIONS)


def test_a_class_name_means_one_thing(files: Files) -> None:
    homes: dict[str, list[str]] = {}
    for path, module in files:
        for node, is_local in list_definitions(module):
            if isinstance(node, ast.ClassDef) and not is_local:
                homes.setdefault(node.name, []).append(path)
        for alias in module.body:
            match alias:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                    homes.setdefault(name, []).append(path)
    twice = {name: paths for name, paths in homes.items() if len(paths) > 1}
    assert not twice


@cache
def is_private(name: str) -> bool:
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return not PRIVATE.isdisjoint(words.split("_")) or PRIVATE_PHRASES.search(f"_{words}") is not None


def iterate_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    """The names of functions, classes, parameters and variables, with their lines."""
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case _:
                pass


def test_variables_and_parameters_are_names() -> None:
    source = "def f(a, *b, **c):\n    d, self.e = a\n    match d:\n        case [g, *h]:\n            pass"
    assert sorted(name for _, name in iterate_names(ast.parse(source))) == [*"abcdefgh"]


def test_no_name_has_a_private_word(sources_of_tests: Sources) -> None:
    sources = [(path, path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))] + sources_of_tests
    wrong = [
        str(path)
        for path, _ in sources
        if any(is_private(part) for part in path.relative_to(TESTS.parent).with_suffix("").parts)
    ]
    wrong += [
        f"{path}:{line}: {name}"
        for path, source in sources
        if any(map(is_private, re.findall(r"\w+", source)))
        for line, name in iterate_names(parse_file(path))
        if is_private(name)
    ]
    assert not wrong, "use the word of the field:\n" + "\n".join(wrong)


def test_no_docstring_of_the_tests_has_a_private_word(sources_of_tests: Sources) -> None:
    wrong = [
        f"{path.relative_to(TESTS).as_posix()}: {line}"
        for path, source in sources_of_tests
        if PRIVATE_PROSE.search(source)
        for node in [parse_file(path), *(definition.node for definition in list_definitions(parse_file(path)))]
        for line in (ast.get_docstring(node) or "").splitlines()[:1]
        if PRIVATE_PROSE.search(line)
    ]
    assert not wrong, "use plain technical English:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    "name", ["told", "test_a_fault_is_told", "PaperTown", "_asking", "a_name_is_dropped_in_the_open"]
)
def test_a_private_word_is_found(name: str) -> None:
    assert is_private(name)


@pytest.mark.parametrize("name", ["test_openai_tools_in_the_openai_format", "test_an_error_is_reported", "Newspaper"])
def test_plain_names_pass(name: str) -> None:
    assert not is_private(name)
