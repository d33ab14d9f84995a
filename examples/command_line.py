"""The `victor` command in a pipeline: a prompt from standard input, JSON out, and decisions by exit code.

The same in a shell: `git diff | victor chat "Write a commit message" -p openai --json | jq -r .content`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from victor_fp.testing import Turn, serving, vendor

VICTOR = (sys.executable, "-c", "from victor_fp.cli import main; main()")


async def victor(*words: str, text: str = "", **variables: str) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *VICTOR,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "VICTOR_FP_CONFIG_DIR": os.devnull, **variables},
    )
    output, _ = await process.communicate(text.encode())
    return process.returncode or 0, output.decode()


async def main() -> None:
    """Ask a stand-in for OpenAI on loopback."""
    async with serving(vendor("openai", Turn(text="Handle empty files"))) as server:
        words = ("chat", "Write a commit message", "-m", "openai/gpt-5-mini", "--base-url", server.url, "--json")
        code, printed = await victor(*words, text="diff --git a/x b/x", OPENAI_API_KEY="unused")
        print(code, json.loads(printed)["content"])
    code, printed = await victor("providers", "--search", "anthropic")
    print(code, printed.splitlines()[0].split("\t")[0])
    code, _ = await victor("chat", "Hi", "-p", "no-such-provider")
    print("an unknown provider ends with", code)


if __name__ == "__main__":
    asyncio.run(main())
