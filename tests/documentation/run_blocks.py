"""Runs the blocks of one page: `run_blocks.py PAGE`; a failing block is reported by page and line."""

from __future__ import annotations

import sys
import types

from tests.documentation.blocks import DOCS, find_blocks


def main(page: str) -> None:
    for block in find_blocks(page):
        if block.runs_elsewhere:
            continue
        padded = "\n" * (block.line - 1) + block.code
        exec(compile(padded, str(DOCS / page), "exec"), _create_names())


def _create_names() -> dict[str, object]:
    """Names of a module of its own, which is found where its classes are looked up."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    return vars(module)


if __name__ == "__main__":
    main(*sys.argv[1:])
