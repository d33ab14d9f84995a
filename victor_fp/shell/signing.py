"""What authenticates a request where a key in a header does not: which signer an entry needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from victor_fp.core.requests import Endpoint
    from victor_fp.shell.bearer_token import TokenSource
    from victor_fp.shell.line import Sign


def signer_for(endpoint: Endpoint, environment: Mapping[str, str], tokens: TokenSource | None = None) -> Sign | None:
    """The signer for a place; None where a key, or nothing, is enough. Looks nothing up before it first signs."""
    if tokens is not None:
        from victor_fp.shell.bearer_token import BearerTokens

        return BearerTokens(tokens)
    kind = endpoint.spec.auth.kind
    match kind:
        case "none" | "key":
            return None
        case "sigv4":
            from victor_fp.shell.sigv4 import AwsSigner

            return AwsSigner(endpoint, environment)
        case "google":
            from victor_fp.shell.google_token import GoogleSigner

            return GoogleSigner(endpoint.spec)
        case _:
            assert_never(kind)
