"""Compiler of OpenAPI documents to wire models (slice, overlay, normalise, emit), and detection of drift."""

from __future__ import annotations

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.compiling import Written, check, compile_documents, compile_vendor
from victor_fp.codegen.drifting import Drift, drift, report

__all__ = [
    "CodegenFailed",
    "Drift",
    "Written",
    "check",
    "compile_documents",
    "compile_vendor",
    "drift",
    "report",
]
