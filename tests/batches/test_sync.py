"""Batches without `await`: the same methods in a script, and through a managed provider."""

from __future__ import annotations

import pytest
from returns.result import Failure

from tests.batches.openai_vendor import OpenAIVendor
from tests.loopback import serve_in_thread
from victor_fp.jobs import Row
from victor_fp.providers.base import ProviderError
from victor_fp.sync import create, create_managed


@pytest.mark.parametrize("make", [create, create_managed])
def test_a_batch_runs_from_submission_to_results_without_an_event_loop(make: type) -> None:
    vendor = OpenAIVendor()
    with serve_in_thread() as serve, make("openai", api_key="k", base_url=f"{serve(vendor).url}/v1") as provider:
        handle = provider.submit_batch([Row("a", "one"), Row("b", "two")], model="m-1")
        assert not provider.batch_status(handle).is_final
        with pytest.raises(ProviderError, match="has not ended"):
            list(provider.batch_results(handle))
        (failure,) = provider.batch_results_result(handle)
        assert isinstance(failure, Failure)
        vendor.finish()
        found = {end.key: end.result.unwrap().content for end in provider.batch_results(handle, keys=["a", "b"])}
        assert found == {"a": "ONE", "b": "TWO"}
        assert [status.handle.id for status in provider.list_batches()] == [handle.id]
        assert provider.cancel_batch(handle).state == "completed"
        later = provider.submit_batch([Row("a", "one")], model="m-1")
        assert provider.cancel_batch_result(later).unwrap().state == "cancelling"
