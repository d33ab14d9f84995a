"""`python -m victor_fp.codegen`: compile, check, vendor, drift and pages from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from victor_fp.codegen import CodegenFailed, check, compile_documents, compile_vendor, drift, report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 success, 1 stale or drifted, 2 error."""
    options = _build_parser().parse_args(arguments)
    try:
        code, lines = _run(options)
    except CodegenFailed as failure:
        sys.stderr.write(f"codegen: {failure}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m victor_fp.codegen", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "compile": "write the wire models",
        "check": "fail if they are stale",
        "drift": "compare with the vendors' documents",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        if name == "drift":
            command.add_argument(
                "specs", nargs="?", metavar="DIR_OR_URL", help="location of the vendors' full documents"
            )
            command.add_argument(
                "--models-dev", type=Path, metavar="DIR", help="compare the catalogue with this listing"
            )
            command.add_argument("--only-used", action="store_true", help="omit additions that are not used")
        else:
            command.add_argument("--out", type=Path, default=Path("generated/victor_fp_wire"), help="package to write")
        if name == "compile":
            command.add_argument("--check", action="store_true", help="write nothing; same as the command check")
        command.add_argument("names", nargs="*", metavar="NAME", help="documents, such as openai-chat; default: all")
        command.add_argument("--openapi", type=Path, default=Path("openapi"), help="folder of documents")
    pages = commands.add_parser("pages", help="write the documentation generated from the code")
    pages.add_argument("--check", action="store_true", help="write nothing; fail if a page is stale")
    pages.add_argument("--docs", type=Path, default=Path("docs"), help="folder of pages")
    vendor = commands.add_parser("vendor", help="compile operations of a vendor's full document")
    vendor.add_argument("spec", type=Path)
    vendor.add_argument("--operation", action="append", required=True, metavar="ID", help='id, or "POST /path"')
    vendor.add_argument("--out", type=Path, required=True, metavar="DIR")
    vendor.add_argument("--response", action="append", default=[], metavar="NAME", help="further schema to decode")
    vendor.add_argument("--overlay", type=Path, metavar="FILE", help="JSON merge patch for the document")
    return parser


def _run(options: argparse.Namespace) -> tuple[int, list[str]]:
    match options.command:
        case "compile" if not options.check:
            written = compile_documents(options.openapi, options.out, tuple(options.names))
            lines = [f"wrote {options.out / name}" for name in written.changed]
            lines += [f"removed {options.out / name}" for name in written.removed]
            summary = f"{len(written.changed)} written, {len(written.removed)} removed, {written.unchanged} unchanged"
            return 0, [*lines, summary]
        case "compile" | "check":
            stale = check(options.openapi, options.out, tuple(options.names))
            return (1 if stale else 0), [f"stale: {options.out / name}" for name in stale] or ["up to date"]
        case "drift" if options.models_dev is not None:
            from victor_fp.codegen.catalogue_drift import compare_catalogue  # loads every entry

            lines = compare_catalogue(options.models_dev)
            return (1 if lines else 0), lines or ["no differences"]
        case "drift" if options.specs is None:
            raise CodegenFailed("name a directory or URL of documents, or --models-dev DIR")
        case "drift":
            drifts = drift(options.openapi, options.specs, tuple(options.names))
            touched = any(found.used for found in drifts)
            return (1 if touched else 0), [report(drifts, only_used=options.only_used)]
        case "pages":
            return _run_pages(options.docs, check_only=options.check)
        case _:
            written = compile_vendor(
                options.spec,
                tuple(options.operation),
                options.out,
                overlay_path=options.overlay,
                response_components=tuple(options.response),
            )
            return 0, [f"wrote {len(written.changed)} files to {options.out}"]


def _run_pages(docs: Path, *, check_only: bool) -> tuple[int, list[str]]:
    from victor_fp.codegen.pages import find_stale_pages, write_pages  # loads every protocol

    if check_only:
        stale = find_stale_pages(docs)
        return (1 if stale else 0), [f"stale: {page}" for page in stale] or ["up to date"]
    return 0, [f"wrote {page}" for page in write_pages(docs)] or ["up to date"]


if __name__ == "__main__":
    sys.exit(main())
