"""TLS contexts for the verification of servers.

`verify` is True for the certificate authorities of certifi, or of SSL_CERT_FILE and SSL_CERT_DIR if set; the path of a
file or directory of CA certificates; False to disable verification; or an `ssl.SSLContext`, for example with a client
certificate.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from victor_fp.core.faults import Fault, InvalidRequest

Verify: TypeAlias = ssl.SSLContext | str | os.PathLike[str] | bool


def make_context(verify: Verify, environment: Mapping[str, str]) -> ssl.SSLContext | Fault:
    """Create the context for `verify`; pass an empty `environment` to ignore its variables."""
    match verify:
        case ssl.SSLContext():
            return verify
        case True:
            return _build_environment_context(environment)
        case False:
            return _build_unverified_context()
        case str() | os.PathLike():
            path = Path(verify)
            return _build_context("verify=", None, [path]) if path.is_dir() else _build_context("verify=", path, [])
        case _:
            kind = type(verify).__name__
            return InvalidRequest(message=f"verify=: expected a bool, a path or an ssl.SSLContext, got {kind}")


def _build_environment_context(environment: Mapping[str, str]) -> ssl.SSLContext | Fault:
    file, listed = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not file and not listed:
        return _build_certifi_context()
    source = " and ".join(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(name))
    folders = [Path(folder) for folder in (listed or "").split(os.pathsep) if folder]
    return _build_context(source, Path(file) if file else None, folders)


@cache  # loading them takes as long as forty calls, and the context is not modified
def _build_certifi_context() -> ssl.SSLContext | Fault:
    import certifi

    return _build_context("certifi", Path(certifi.where()), [])


@cache
def _build_unverified_context() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=None)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _build_context(source: str, file: Path | None, folders: Sequence[Path]) -> ssl.SSLContext | Fault:
    """Create a context with these certificate authorities; its fault names `source`."""
    present = [folder for folder in folders if folder.is_dir()]  # OpenSSL ignores the others
    if folders and not present:
        names = ", ".join(map(str, folders))
        return InvalidRequest(message=f"{source}: directory of CA certificates not found: {names}")
    try:
        context = ssl.create_default_context(cafile=file, capath=present[0] if present else None)
        for folder in present[1:]:
            context.load_verify_locations(capath=folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return InvalidRequest(message=f"{source}: CA certificates cannot be loaded from {file}: {reason}")
    return context
