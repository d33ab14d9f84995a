"""Working what a provider tells of its models into the bundled limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from returns.result import Failure, Success

from victor_fp.cli.exit_codes import CommandError, usage_error
from victor_fp.cli.terminal import Terminal
from victor_fp.config.limits_file import locate_bundled_file, refresh_rows, store, with_rows
from victor_fp.core.catalogue.limits import choose_limits_name
from victor_fp.core.catalogue.model_limits import MODEL_LIMITS
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider


def store_limits(
    provider: BaseProvider, models: Sequence[ModelInfo], out: Path | None, terminal: Terminal
) -> CommandError | None:
    """Write the limits with these models in them, and say which are new; how it ended where they were not written."""
    if not isinstance(provider, CatalogueProvider):
        return usage_error(f"{provider.name} is no provider of the catalogue")
    spec = provider.SPEC
    if spec.local:
        todo = "It is asked for them whenever they are needed."
        return usage_error(f"{spec.name} runs here, and its limits hold nowhere else", todo=todo)
    telling = [info for info in models if info.context_window]
    if not telling:
        return usage_error(f"{spec.name} does not tell the limits of its models")
    source = f"list of models at {urlsplit(provider.connection.endpoint.base_url).hostname}"
    date = datetime.now(UTC).date().isoformat()
    name = choose_limits_name(spec)
    before = MODEL_LIMITS.get(name, ())
    rows = refresh_rows(before, telling, source=source, date=date)
    path = out or locate_bundled_file()
    match outcome(store(path, with_rows(name, rows))):
        case Failure(reason):
            return usage_error("the limits were not written", reason, "Name another file: --out FILE")
        case Success(_):
            pass
    known = {row[:3] for row in before}
    new = [(row[0], f"{row[1]}", f"{row[2] or ''}") for row in rows if row[:3] not in known]
    if new:
        terminal.table(("model", "context", "longest answer"), new)
    terminal.hint(f"victor: {len(telling)} models told their limits; written to {path}")
    return None
