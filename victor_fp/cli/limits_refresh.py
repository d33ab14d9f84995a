"""`victor models --refresh`: stores the limits reported by a provider in the user's configuration directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from returns.result import Failure, Success

from victor_fp.cli.exit_codes import CommandError, build_usage_error
from victor_fp.cli.inputs import is_stream
from victor_fp.cli.terminal import Terminal
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.models.limits import choose_limits_name, load_bundled_limits, merge_reported
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.shell.limits_file import find_limits_file, read_limits, write_limits


def store_limits(
    provider: BaseProvider, models: Sequence[ModelInfo], out: Path | None, terminal: Terminal
) -> CommandError | None:
    """Store the limits of these models and list new ones; return the error if they were not stored."""
    if not isinstance(provider, CatalogueProvider):
        return build_usage_error(f"{provider.name} is not a provider of the catalogue")
    spec = provider.SPEC
    if spec.local:
        todo = "They are requested when they are needed."
        return build_usage_error(f"{spec.name} runs on this machine, so its limits are not stored", todo=todo)
    limited = [info for info in models if info.context_window]
    if not limited:
        return build_usage_error(f"{spec.name} does not report the limits of its models")
    path = out or find_limits_file(os.environ)
    if is_stream(out):
        return build_usage_error("limits are not written to standard output", todo="Choose a file: --out FILE")
    if path is None:
        return build_usage_error("there is no home directory to store limits in", todo="Choose a file: --out FILE")
    match outcome(read_limits(path)):
        case Failure(invalid):
            todo = "Repair or delete it, or choose another file: --out FILE"
            return build_usage_error(f"{path} is not a limits file", invalid.reason, todo)
        case Success(stored):
            name = choose_limits_name(spec)
            before = stored.get(name, ())
    limits = merge_reported(
        before,
        load_bundled_limits(name),
        limited,
        source=f"list of models at {urlsplit(provider.connection.endpoint.base_url).hostname}",
        date=datetime.now(UTC).date().isoformat(),
    )
    match outcome(write_limits(path, {**stored, name: limits})):
        case Failure(invalid):
            return build_usage_error(f"{path} {invalid.reason}", todo="Choose another file: --out FILE")
        case Success(_):
            pass
    known = {(limit.pattern, limit.context_window, limit.max_output) for limit in before}
    new = [
        (limit.pattern, f"{limit.context_window}", f"{limit.max_output or ''}")
        for limit in limits
        if (limit.pattern, limit.context_window, limit.max_output) not in known
    ]
    if new:
        terminal.write_table(("model", "context", "max output"), new)
    terminal.write_hint(f"victor: limits of {len(limited)} models reported; stored in {path}")
    return None
