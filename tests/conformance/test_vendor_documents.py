"""Every shape of conversation, for every provider, checked against the vendor's document; unknown keys are mismatches."""

from __future__ import annotations

import pytest

from tests.conformance.accepted_differences import EXPLAINED, find_unexplained
from tests.conformance.test_vendor_types import iterate_requests
from tests.conformance.vendor_documents import FOLDER, OF_PROVIDER, find_document, find_problems
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.requests import HttpRequest

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="VICTOR_FP_SPECS names no folder of vendors' full documents"),
]


@pytest.mark.parametrize("name", OF_PROVIDER)
def test_requests_are_what_the_vendors_document_says(name: str) -> None:
    spec = CATALOGUE.find(name).unwrap()
    held = find_document(spec)
    if held is None:
        pytest.skip(f"{OF_PROVIDER[name].document} is not there")
    wrong = [
        f"{shape} to {model}{' as a stream' if stream else ''}: {said}"
        for shape, model, stream, request in iterate_requests(spec)
        for said in find_unexplained("document", name, find_problems(held, request, stream=stream))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", OF_PROVIDER)
def test_a_key_that_the_document_does_not_have_would_be_noticed(name: str) -> None:
    spec = CATALOGUE.find(name).unwrap()
    held = find_document(spec)
    if held is None:
        pytest.skip(f"{OF_PROVIDER[name].document} is not there")
    _, _, _, request = next(iterate_requests(spec))
    spoilt = HttpRequest(url=request.url, body=b'{"surprise":1,' + request.body[1:])
    noticed = [str(one) for one in find_problems(held, spoilt, stream=False) if "surprise" in one.reason]
    assert noticed == ["$: 'surprise' is not known"]


def test_every_explanation_is_still_needed() -> None:
    if not all((FOLDER / held.document).is_file() for held in OF_PROVIDER.values()):
        pytest.skip("not every document is there")
    found = {
        explained
        for name in OF_PROVIDER
        if (held := find_document(CATALOGUE.find(name).unwrap())) is not None
        for _, _, stream, request in iterate_requests(CATALOGUE.find(name).unwrap())
        for mismatch in find_problems(held, request, stream=stream)
        for explained in EXPLAINED
        if explained.can_explain("document", name, mismatch)
    }
    assert [one.why for one in EXPLAINED if one.of == "document" and one not in found] == []
