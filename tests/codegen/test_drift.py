"""Drift distinguishes what a vendor added from what it removed or changed; only the latter fails."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from victor_fp.codegen import CodegenFailed, drift, report
from victor_fp.codegen.__main__ import main
from victor_fp.codegen.comparing import Change
from victor_fp.codegen.document import Document, load_document, parse_document
from victor_fp.codegen.drifting import compare_documents
from victor_fp.codegen.sources import Source, read_sources

FIXTURE = Path(__file__).parent / "fixtures" / "post-office.yaml"
OFFICE = "\n".join(line for line in FIXTURE.read_text().splitlines() if "x-vendor" not in line)
OPERATIONS = {"sendLetter": "sendLetter", "listStamps": "listStamps"}

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def ours() -> Document:
    return load_document(FIXTURE)


def build_source(**changes: Any) -> Source:
    plain = Source("office", "office.json", "1", "", "2026-01-01", OPERATIONS, {})
    return plain._replace(**changes)


def find_changes(ours: Document, edit: Edit, **mapping: Any) -> set[tuple[str, str, str, str]]:
    """What drift reports when the vendor's document is ours with an edit; used changes start with "!"."""
    content = copy.deepcopy(ours.content)
    get_schema(content, "Refusal")["properties"].pop("code", None)
    edit(content)
    theirs = parse_document("office.json", json.dumps(content).encode())
    found = compare_documents("post-office", ours, theirs, build_source(**mapping))
    return {
        ("!" if change.used else "", f"{change.schema}.{change.field}", change.effect, change.detail)
        for change in found.changes
    }


def get_schema(content: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = content["components"]["schemas"][name]
    return found


def get_field(content: dict[str, Any], name: str, of: str) -> dict[str, Any]:
    found: dict[str, Any] = get_schema(content, of)["properties"][name]
    return found


def test_a_document_does_not_drift_from_itself(ours: Document) -> None:
    assert find_changes(ours, lambda content: None) == set()


def add_field(content: dict[str, Any]) -> None:
    get_schema(content, "Receipt")["properties"]["tax"] = {"type": "number"}


def remove_field(content: dict[str, Any]) -> None:
    del get_schema(content, "Receipt")["properties"]["weight"]


def rename_inner_field(content: dict[str, Any]) -> None:
    get_field(content, "insurance", of="Letter")["properties"] = {"sum": {"type": "number"}}


def change_type(content: dict[str, Any]) -> None:
    get_field(content, "weight", of="Receipt")["type"] = "string"


def count_in_fractions(content: dict[str, Any]) -> None:
    get_field(content, "count", of="Receipt")["type"] = "number"


def require_field(content: dict[str, Any]) -> None:
    get_schema(content, "Letter")["properties"]["stamp"] = {"type": "string"}
    get_schema(content, "Letter")["required"].append("stamp")


def drop_variant(content: dict[str, Any]) -> None:
    get_schema(content, "TrackingEvent")["oneOf"].pop()


def add_variant(content: dict[str, Any]) -> None:
    get_schema(content, "TrackingEvent")["oneOf"].append({"properties": {"event": {"const": "lost"}}})


def change_values(content: dict[str, Any]) -> None:
    get_field(content, "priority", of="Letter")["enum"] = ["slow", "express"]


def narrow_request(content: dict[str, Any]) -> None:
    get_field(content, "pages", of="Letter")["type"] = "string"
    del get_field(content, "pages", of="Letter")["items"]


def allow_null(content: dict[str, Any]) -> None:
    get_field(content, "id", of="Receipt")["type"] = ["string", "null"]


def drop_operation(content: dict[str, Any]) -> None:
    del content["paths"]["/stamps"]


def allow_anything(content: dict[str, Any]) -> None:
    get_schema(content, "Receipt")["properties"]["weight"] = {}


def open_values(content: dict[str, Any]) -> None:
    del get_field(content, "state", of="Receipt")["enum"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (add_field, {("", "Receipt.tax", "added", "number")}),
        (remove_field, {("!", "Receipt.weight", "removed", "in ours only")}),
        (
            rename_inner_field,
            {
                ("!", "Letter.insurance.amount", "removed", "in ours only"),
                ("", "Letter.insurance.sum", "added", "number"),
            },
        ),
        (change_type, {("!", "Receipt.weight", "changed", "number -> string")}),
        (count_in_fractions, {("!", "Receipt.count", "changed", "integer -> number")}),
        (require_field, {("!", "Letter.stamp", "added", "string, required")}),
        (drop_variant, {("!", "TrackingEvent.", "removed", "variant event=delivered")}),
        (add_variant, {("", "TrackingEvent.", "added", "variant event=lost")}),
        (
            change_values,
            {
                ("!", "Letter.priority", "removed", "value 'fast'"),
                ("", "Letter.priority", "added", "value 'express'"),
            },
        ),
        (narrow_request, {("!", "Letter.pages", "changed", "array -> string")}),
        (drop_operation, {("!", "listStamps.", "removed", "operation listStamps")}),
        (allow_null, set()),
        (allow_anything, set()),
        (open_values, set()),
    ],
)
def test_each_kind_of_change_is_reported_field_by_field(
    ours: Document, edit: Edit, expected: set[tuple[str, str, str, str]]
) -> None:
    assert find_changes(ours, edit) == expected


def test_fields_of_other_vendors_are_not_expected_here(ours: Document) -> None:
    def keep_everything(content: dict[str, Any]) -> None:
        assert "code" not in get_schema(content, "Refusal")["properties"]

    def adopt_field(content: dict[str, Any]) -> None:
        get_schema(content, "Refusal")["properties"]["code"] = {"type": "integer"}

    assert find_changes(ours, keep_everything) == set()
    assert find_changes(ours, keep_everything, vendor="island") == {("!", "Refusal.code", "removed", "in ours only")}
    assert find_changes(ours, adopt_field) == {("", "Refusal.code", "added", "number")}


def test_fields_known_only_from_responses_are_not_expected_in_the_document(ours: Document) -> None:
    marked = copy.deepcopy(ours.content)
    get_field(marked, "weight", of="Receipt")["x-undocumented"] = True
    get_field(marked, "priority", of="Letter")["x-undocumented"] = ["fast"]
    mine = parse_document("post-office.json", json.dumps(marked).encode())

    def remove_more(content: dict[str, Any]) -> None:
        remove_field(content)
        get_field(content, "priority", of="Letter")["enum"] = ["slow"]

    assert find_changes(mine, remove_more) == set()


def test_one_component_for_several_of_the_vendors_misses_only_what_all_of_them_lack(ours: Document) -> None:
    def split(content: dict[str, Any]) -> None:
        schemas = content["components"]["schemas"]
        schemas["SentText"] = copy.deepcopy(schemas["TextPage"])
        schemas["TextPage"]["properties"]["type"] = {"const": "text"}
        del schemas["SentText"]["properties"]["text"]
        get_field(content, "pages", of="Letter")["items"]["oneOf"][0] = {"$ref": "#/components/schemas/SentText"}

    assert find_changes(ours, split) == {("!", "Letter.pages[]<text>.text", "removed", "in ours only")}


def test_bodies_the_vendor_does_not_describe_are_listed_unless_mapped(ours: Document) -> None:
    content: dict[str, Any] = copy.deepcopy(ours.content)
    del content["paths"]["/letters"]["post"]["responses"]["200"]["content"]["text/event-stream"]
    theirs = parse_document("office.json", json.dumps(content).encode())
    unmapped = compare_documents("post-office", ours, theirs, build_source())
    mapped = compare_documents("post-office", ours, theirs, build_source(schemas={"TrackingEvent": "Moved"}))
    assert unmapped.undescribed == ("TrackingEvent",)
    assert mapped.undescribed == ()
    assert Change("TrackingEvent", "", "removed", "variant event=delivered", used=True) in mapped.changes


SOURCES = """
[post-office]
vendor = "office"
document = "office.yaml"
version = "1"
sha256 = "0"
compared = 2026-01-01

[post-office.operations]
sendLetter = "sendLetter"
"""


@pytest.fixture
def openapi(tmp_path: Path) -> Path:
    folder = tmp_path / "openapi"
    folder.mkdir()
    (folder / "post-office.yaml").write_bytes(FIXTURE.read_bytes())
    (folder / "sources.toml").write_text(SOURCES)
    return folder


@pytest.mark.parametrize(
    ("replaced", "by", "code"),
    [("price:", "price:", 0), ("price:", "cost:", 0), ("weight: {type: number}", "mass: {type: number}", 1)],
)
def test_the_exit_code_is_one_only_where_something_we_use_is_gone(
    replaced: str, by: str, code: int, openapi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE.replace(replaced, by))
    assert main(["drift", str(tmp_path), "--openapi", str(openapi)]) == code
    printed = capsys.readouterr().out
    assert "not in the vendor's document: listStamps" in printed
    assert ("! removed weight: in ours only" in printed) == (code == 1)


def test_the_report_can_leave_out_what_was_merely_added(openapi: Path, tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE.replace("weight:", "mass:"))
    found = drift(openapi, tmp_path)
    assert "added   mass: number" in report(found)
    assert "mass" not in report(found, only_used=True)
    assert report(found).endswith("1 added, 1 removed, 0 changed; 1 affect used parts")


@pytest.fixture
def server() -> Iterator[str]:
    class Office(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = OFFICE.encode() if self.path == "/specs/office.yaml" else b""
            self.send_response(200 if body else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Office)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_documents_are_fetched_below_a_url(openapi: Path, server: str) -> None:
    (found,) = drift(openapi, f"{server}/specs/")
    assert found.changes == ()
    with pytest.raises(CodegenFailed, match=r"cannot fetch .*/elsewhere/office\.yaml: HTTP Error 404"):
        drift(openapi, f"{server}/elsewhere")


def test_an_incomplete_source_is_refused_by_name(openapi: Path) -> None:
    (openapi / "sources.toml").write_text("[post-office]\nvendor = 'office'\n")
    with pytest.raises(CodegenFailed, match=r"document is missing in \[post-office\]"):
        read_sources(openapi / "sources.toml")


def test_a_document_without_a_source_is_not_compared(openapi: Path, tmp_path: Path) -> None:
    (openapi / "sources.toml").write_text("")
    assert drift(openapi, tmp_path) == ()


def test_a_follower_need_not_have_what_only_the_first_vendor_has(ours: Document) -> None:
    def remove_and_add(content: dict[str, Any]) -> None:
        remove_field(content)
        add_field(content)

    said = ("", "Receipt.tax", "added", "number")
    assert find_changes(ours, remove_and_add) == {("!", "Receipt.weight", "removed", "in ours only"), said}
    assert find_changes(ours, remove_and_add, of="post-office") == {said}
    claimed = copy.deepcopy(ours.content)
    get_field(claimed, "weight", of="Receipt")["x-vendor"] = ["office", "courier"]
    marked = parse_document("post-office.yaml", json.dumps(claimed).encode())
    assert find_changes(marked, remove_and_add, of="post-office") == {
        ("!", "Receipt.weight", "removed", "in ours only"),
        said,
    }


def test_a_follower_has_the_fields_that_are_marked_for_it_at_that_path(ours: Document) -> None:
    marked = copy.deepcopy(ours.content)
    get_schema(marked, "Stamp")["properties"]["weight"] = {"type": "number", "x-vendor": ["office"]}
    mine = parse_document("post-office.json", json.dumps(marked).encode())
    expected = {("!", "Stamp.weight", "removed", "in ours only")}
    assert find_changes(mine, remove_stamp_weight, of="post-office") == expected
    assert find_changes(mine, lambda content: None, of="post-office") == set()


def remove_stamp_weight(content: dict[str, Any]) -> None:
    """Remove the field from both paths that have it; only one of them is marked."""
    remove_field(content)
    del get_schema(content, "Stamp")["properties"]["weight"]


def test_a_marked_variant_is_expected_of_its_vendor_only(ours: Document) -> None:
    marked = copy.deepcopy(ours.content)
    get_schema(marked, "Delivered")["x-vendor"] = ["office"]
    mine = parse_document("post-office.json", json.dumps(marked).encode())
    gone = {("!", "TrackingEvent.", "removed", "variant event=delivered")}
    assert find_changes(mine, drop_variant, of="post-office") == gone
    assert find_changes(mine, drop_variant, of="post-office", vendor="courier") == set()


def test_a_complete_follower_has_all_unmarked_fields(ours: Document) -> None:
    expected = {("!", "Receipt.weight", "removed", "in ours only")}
    assert find_changes(ours, remove_field, of="post-office", whole=True) == expected
    assert find_changes(ours, remove_field, of="post-office") == set()


def test_values_of_one_vendor_only_are_not_expected_of_another(ours: Document) -> None:
    marked = copy.deepcopy(ours.content)
    get_field(marked, "priority", of="Letter")["x-vendor-values"] = {"courier": ["fast"], "office": ["slow"]}
    mine = parse_document("post-office.json", json.dumps(marked).encode())

    def keep_slow(content: dict[str, Any]) -> None:
        get_field(content, "priority", of="Letter")["enum"] = ["slow"]

    def keep_fast(content: dict[str, Any]) -> None:
        get_field(content, "priority", of="Letter")["enum"] = ["fast"]

    assert find_changes(mine, keep_slow) == set()
    assert ("!", "Letter.priority", "removed", "value 'slow'") in find_changes(mine, keep_fast)


def test_an_excluded_path_is_not_reported_and_an_unneeded_exclusion_is_named(ours: Document) -> None:
    content: dict[str, Any] = copy.deepcopy(ours.content)
    remove_field(content)
    add_field(content)
    theirs = parse_document("office.json", json.dumps(content).encode())
    reasons = {"Receipt.w*": "seen on the scales", "Receipt.tax": "merely added", "Letter.pages[].stamp": "gone"}
    found = compare_documents("post-office", ours, theirs, build_source(excused=reasons, vendor="island"))
    assert {f"{change.schema}.{change.field}" for change in found.changes} == {"Receipt.tax"}
    assert found.needless == ("Receipt.tax", "Letter.pages[].stamp")
    assert "unneeded exceptions: Receipt.tax, Letter.pages[].stamp" in report((found,), only_used=True)
    assert "excused: Receipt.w*: seen on the scales" in report((found,))


def test_a_union_in_the_operation_itself_is_compared_as_one_among_the_components_is(ours: Document) -> None:
    def inline(content: dict[str, Any]) -> None:
        require_field(content)
        content["components"]["schemas"]["Parcel"] = copy.deepcopy(get_schema(content, "Letter"))
        body = content["paths"]["/letters"]["post"]["requestBody"]["content"]["application/json"]
        body["schema"] = {"oneOf": [body["schema"], {"$ref": "#/components/schemas/Parcel"}]}

    assert find_changes(ours, inline) == {("!", "Letter.stamp", "added", "string, required")}


def test_a_body_that_a_follower_does_not_describe_is_reported_as_undescribed(ours: Document) -> None:
    theirs = parse_document("office.json", json.dumps(ours.content).encode())
    found = compare_documents("x", ours, theirs, build_source(of="post-office", schemas={"Receipt": ""}))
    assert "Receipt" in found.undescribed


def test_an_entry_of_a_follower_is_compared_with_the_document_it_follows(openapi: Path, tmp_path: Path) -> None:
    entry = (openapi / "sources.toml").read_text()
    second = entry.replace("[post-office", "[courier").replace("vendor =", 'of = "post-office"\nvendor =')
    (openapi / "sources.toml").write_text(f"{entry}\n{second}")
    (tmp_path / "office.yaml").write_text(OFFICE)
    assert [found.name for found in drift(openapi, tmp_path)] == ["post-office", "courier"]


def test_every_document_of_ours_names_its_source() -> None:
    folder = Path(__file__).parents[2] / "openapi"
    sources = read_sources(folder / "sources.toml")
    assert {found.of or name for name, found in sources.items()} == {path.stem for path in folder.glob("*.yaml")}
    without_its_operations = {"openrouter-batches", "fireworks-batches"}
    for name, found in sources.items():
        assert len(found.sha256) == 64
        assert bool(found.operations) == (name not in without_its_operations)
