"""A job on Ray: a folder of prompts in shards, each with a ledger of its own. On this machine, or on a cluster."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from stand_in import build_options

from victor_fp import ProviderRegistry, describe
from victor_fp.jobs import format_report
from victor_fp.jobs.ray import run_shards
from victor_fp.jobs.shards import read_job_report
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.store import Store
from victor_fp.testing import Turn

REVIEWS = (
    '{"id": "a", "text": "The tent leaks."}\n{"id": "b", "text": "Light and dry."}\n{"id": "c", "text": "Torn."}\n'
)


def make_provider(store: Store) -> BaseProvider:
    """Called on the workers; a managed provider would take the store, which all workers share."""
    return ProviderRegistry.create("openai", **build_options(Turn(text="negative")))


def main(folder: Path) -> None:
    """Classify reviews. Ray starts on this machine where RAY_ADDRESS names no cluster; run again, nothing is asked twice."""
    source, output = folder / "reviews", folder / "answers"
    source.mkdir(exist_ok=True)
    (source / "1.jsonl").write_text(REVIEWS, encoding="utf-8")
    template = "Positive or negative? One word. Review: {text}"
    ends = run_shards(source, output, make_provider, model="gpt-5-mini", template=template, rows_per_shard=2)
    for end in ends:
        print(end.name, end.report.done, "already done" if end.is_resumed else "")
        if end.stopped is not None:
            print(describe(end.stopped))
    for part in sorted(output.glob("*.jsonl")):
        print(part.read_text(encoding="utf-8"), end="")
    print(read_job_report(output).map(format_report).unwrap())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
