"""Runs the blocks of one page: `run_blocks.py PAGE each|continued [PREAMBLE]`; a failing block is reported by page and line."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import types

from tests.documentation.blocks import DOCS, find_blocks


def main(page: str, mode: str, preamble: str = "") -> None:
    names = _new_names()
    exec(preamble, names)
    loop = asyncio.new_event_loop()  # continued blocks share one loop, as the cells of a notebook do
    for block in find_blocks(page):
        if block.is_foreign:
            continue
        if mode == "each":
            names = _new_names()
        padded = "\n" * (block.line - 1) + block.code
        code = compile(padded, str(DOCS / page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            loop.run_until_complete(types.FunctionType(code, names)())
        else:
            exec(code, names)
    loop.close()


def _new_names() -> dict[str, object]:
    """Names of a module of its own, which is found where its classes are looked up."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    return vars(module)


if __name__ == "__main__":
    main(*sys.argv[1:])
