"""A provider as a record: a vendor with OpenAI's format and a few deviations."""

from __future__ import annotations

from stand_in import build_options

from victor_fp import Message, ProviderRegistry, ProviderSpec, replay
from victor_fp.core.catalogue.spec import Auth, Supports
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.requests import HttpRequest
from victor_fp.sync import create
from victor_fp.testing import Turn

ACME = ProviderSpec(
    name="acme",
    title="Acme",
    dialect=ChatDialect(tokens_field="max_completion_tokens"),
    base_url="https://api.acme.example/v1",
    auth=Auth(header="x-api-key", scheme=""),
    key_variables=("ACME_API_KEY",),
    supports=Supports(images=True, json_schema=True),
    default_model="acme-large",
)


def main() -> None:
    """Register the record, look at a request, and call it."""
    ProviderRegistry.register_spec(ACME)
    hi = [Message(role="user", content="Hi")]
    request = replay.request("acme", hi, model="acme-large", catalogue=ProviderRegistry.catalogue())
    print(request.map(HttpRequest.json).unwrap())
    with create("acme", **build_options(Turn(text="Hello from Acme."), variable="ACME_API_KEY")) as provider:
        print(provider.chat(hi).content)


if __name__ == "__main__":
    main()
