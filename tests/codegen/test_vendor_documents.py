"""Vendors' own full documents compile as well, each into a package that type-checks and decodes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from victor_fp.codegen import compile_vendor

SPECS = Path(os.environ.get("VICTOR_FP_SPECS") or "specs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SPECS.is_dir(), reason="VICTOR_FP_SPECS names no folder of vendors' full documents"),
    pytest.mark.skipif(
        importlib.util.find_spec("datamodel_code_generator") is None, reason="the extra `codegen` is not installed"
    ),
]

DOCUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "openai.yaml": (("createChatCompletion", "createResponse", "listModels"), ("ErrorResponse",)),
    "anthropic.yaml": (("messages_post", "models_list"), ("MessageStreamEvent",)),
    "mistral.yaml": (("chat_completion_v1_chat_completions_post", "list_models_v1_models_get"), ()),
    "mistral-public-doc.yaml": (("chat_completion_v1_chat_completions_post",), ()),
    "gemini.json": (("models.generateContent", "models.streamGenerateContent", "models.list"), ()),
    "vertex.json": (("generateContent",), ()),
    "cohere.yaml": (("chatv2", "list-models"), ()),
    "ollama.yaml": (("chat", "show"), ()),
    "bedrock-converse.json": (("Converse", "ConverseStream"), ()),
    "azure-openai-v1.json": (("POST /chat/completions", "POST /responses"), ()),
    "openrouter.yaml": (("sendChatCompletionRequest", "createMessages"), ()),
    "groq.yaml": (("createChatCompletion",), ()),
    "together.yaml": (("POST /chat/completions",), ()),
}

DECODE_ALL = """
import importlib, sys
import msgspec
count = 0
for side in ("request", "response"):
    module = importlib.import_module(f"{sys.argv[1]}.{side}")
    for name, item in list(vars(module).items()):
        alias = module.__dict__.get("__annotations__", {}).get(name) == "TypeAlias"
        if alias or isinstance(item, type) and issubclass(item, msgspec.Struct) and item is not msgspec.Struct:
            msgspec.json.Decoder(item)
            count += 1
print(count)
"""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_full_document_compiles_type_checks_and_decodes(document: str, tmp_path: Path) -> None:
    if not (SPECS / document).is_file():
        pytest.skip(f"{document} is not there")
    operations, responses = DOCUMENTS[document]
    package = Path(document).stem.replace("-", "_")
    compile_vendor(SPECS / document, operations, tmp_path / package, response_components=responses)
    decoded = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, package], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert decoded.returncode == 0, decoded.stderr
    assert int(decoded.stdout) > 10
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", package],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_two_runs_on_a_full_document_give_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        arguments = ["vendor", str(SPECS / "anthropic.yaml"), "--operation", "messages_post", "--out", str(out)]
        subprocess.run(
            [sys.executable, "-m", "victor_fp.codegen", *arguments],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        results.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert results[0] == results[1]
