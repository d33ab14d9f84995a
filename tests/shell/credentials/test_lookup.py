"""The order of sources, the fault without a key, and that a key is not shown."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.config.api_keys import store_api_key
from victor_fp.core.catalogue.spec import NO_AUTH, ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import CredentialMissing, describe
from victor_fp.core.security.secrets import Secret
from victor_fp.core.types import Message
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials.key_file import KeyFile, KeyStoreFailure
from victor_fp.shell.credentials.key_ring import NoKeyRing
from victor_fp.shell.credentials.lookup import Credential, find_credential, find_key_problem

SPEC = ProviderSpec(
    name="acme",
    title="Acme",
    dialect=ChatDialect(),
    base_url="https://acme.invalid/v1",
    key_variables=("ACME_API_KEY", "ACME_KEY"),
)
KEY = "sk-canary-1234567890"


class FakeKeyring:
    """A keyring of known content that counts the questions."""

    def __init__(self, **keys: str) -> None:
        self.keys = keys
        self.asked: list[str] = []

    def read(self, name: str, /) -> Result[str | None, KeyStoreFailure]:
        self.asked.append(name)
        return Success(self.keys.get(name))

    def store(self, name: str, secret: str, /) -> Result[None, KeyStoreFailure]:
        self.keys[name] = secret
        return Success(None)

    def remove(self, name: str, /) -> Result[bool, KeyStoreFailure]:
        return Success(self.keys.pop(name, None) is not None)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def unpack_credential(result: Result[Credential | None, object]) -> tuple[str, str, str]:
    credential = result.value_or(None)
    assert credential is not None
    return credential.secret.get_secret_value(), credential.source, credential.location


def get_missing(result: Result[Credential | None, object]) -> CredentialMissing:
    fault = result.failure()
    assert isinstance(fault, CredentialMissing)
    return fault


def test_the_first_source_in_the_order_is_used(file: KeyFile) -> None:
    file.store("acme", "from-file")
    ring = FakeKeyring(acme="from-ring")
    world = {"ACME_API_KEY": "from-env", "ACME_KEY": "from-second-variable"}

    def find(argument: str | None, environment: dict[str, str], ring: FakeKeyring) -> tuple[str, str, str]:
        return unpack_credential(find_credential(SPEC, argument, environment, key_ring=ring, key_file=file))

    assert find("from-arg", world, ring) == ("from-arg", "argument", "api_key")
    assert find(None, world, ring) == ("from-env", "environment", "ACME_API_KEY")
    assert find("", {"ACME_API_KEY": " ", "ACME_KEY": "second"}, ring) == ("second", "environment", "ACME_KEY")
    assert ring.asked == []
    assert find(None, {}, ring) == ("from-ring", "keyring", "victor_fp/acme")
    assert find(None, {}, FakeKeyring()) == ("from-file", "file", str(file.path))


def test_a_secret_is_accepted_as_an_argument(file: KeyFile) -> None:
    result = find_credential(SPEC, SecretStr(KEY), {}, key_ring=NoKeyRing(), key_file=file)

    assert unpack_credential(result)[:2] == (KEY, "argument")


def test_white_space_around_a_key_is_stripped(file: KeyFile) -> None:
    result = find_credential(SPEC, None, {"ACME_API_KEY": f"{KEY}\r\n"}, key_ring=NoKeyRing(), key_file=file)

    assert unpack_credential(result)[0] == KEY


@pytest.mark.parametrize(
    "broken", ["two\nlines", "a b", "'sk-1'", '"sk-1"', "sch\u00fcssel", "nul\x00byte", "\x1b[31mred"]
)
def test_a_key_that_no_header_can_carry_is_named_and_not_quoted(file: KeyFile, broken: str) -> None:
    fault = get_missing(find_credential(SPEC, None, {"ACME_API_KEY": broken}, key_ring=NoKeyRing(), key_file=file))

    assert "ACME_API_KEY" in fault.message
    assert broken not in fault.message
    assert find_key_problem(broken)
    assert not find_key_problem(KEY)


def test_a_missing_key_fault_lists_every_source_with_advice(file: KeyFile) -> None:
    fault = get_missing(find_credential(SPEC, None, {}, key_ring=NoKeyRing(), key_file=file))

    assert fault.provider == "acme"
    assert fault.looked_in == (
        "argument api_key: no key",
        "environment ACME_API_KEY: no key",
        "environment ACME_KEY: no key",
        "keyring victor_fp/acme: not used",
        f"file {file.path}: no key",
    )
    for part in (*fault.looked_in, "set ACME_API_KEY", "victor keys set acme", "pass the argument api_key"):
        assert part in fault.message


def test_a_rejected_file_is_reported_with_advice(file: KeyFile) -> None:
    file.store("acme", KEY)
    assert file.path is not None
    file.path.chmod(0o644)

    fault = get_missing(find_credential(SPEC, None, {}, key_ring=NoKeyRing(), key_file=file))

    assert "can be read by others (mode 0644)" in fault.message
    assert f"chmod 600 {file.path}" in fault.message
    assert KEY not in describe(fault)


def test_an_optional_key_may_be_missing_or_given(file: KeyFile) -> None:
    optional = msgspec.structs.replace(SPEC, key_optional=True)

    assert find_credential(optional, None, {}, key_ring=NoKeyRing(), key_file=file) == Success(None)
    assert (
        unpack_credential(find_credential(optional, None, {"ACME_KEY": KEY}, key_ring=NoKeyRing(), key_file=file))[0]
        == KEY
    )


def test_an_endpoint_without_auth_has_no_key_lookup(file: KeyFile) -> None:
    open_place = msgspec.structs.replace(SPEC, auth=NO_AUTH, key_variables=())
    ring = FakeKeyring(acme="x")

    assert find_credential(open_place, None, {}, key_ring=ring, key_file=file) == Success(None)
    assert ring.asked == []


def test_entries_of_one_vendor_share_a_stored_key(file: KeyFile) -> None:
    second = msgspec.structs.replace(SPEC, name="acme-responses", key_name="acme")
    file.store("acme", KEY)

    assert unpack_credential(find_credential(second, None, {}, key_ring=FakeKeyring(), key_file=file))[0] == KEY


def test_without_a_home_no_file_is_read() -> None:
    fault = get_missing(find_credential(SPEC, None, {}, key_ring=NoKeyRing()))

    assert "file no configuration directory: no key" in fault.looked_in


def test_the_key_shows_in_no_repr_text_log_copy_or_pickle(caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential(secret=Secret(KEY), source="environment", location="ACME_API_KEY")

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r", credential, credential)
    assert KEY not in repr(credential) + str(credential) + caplog.text + repr(Success(credential))
    assert "ACME_API_KEY" in repr(credential)
    for thing in (credential, credential.secret):
        with pytest.raises(TypeError, match="cannot be pickled") as refused:
            pickle.dumps(thing)
        assert KEY not in str(refused.value)
    with pytest.raises(TypeError):
        msgspec.json.encode(credential)
    assert copy.deepcopy(credential) == credential
    assert copy.copy(credential.secret).get_secret_value() == KEY


def test_a_failure_prints_without_the_key(file: KeyFile) -> None:
    result = find_credential(SPEC, f"{KEY} {KEY}", {}, key_ring=NoKeyRing(), key_file=file)

    assert isinstance(result, Failure)
    assert KEY not in repr(result)


@pytest.mark.parametrize(
    "key", [b"sk-canary", bytearray(b"sk-canary"), ["sk-canary"], 7], ids=lambda key: type(key).__name__
)
async def test_a_key_that_is_not_text_is_a_fault_that_does_not_show_it(key: object) -> None:
    provider = ProviderRegistry.create("openai", api_key=key)
    async with provider:
        fault = (await provider.chat_result([Message(role="user", content="hi")], model="m")).failure()
    assert isinstance(fault, CredentialMissing)
    assert f"argument api_key: expected str, got {type(key).__name__}" in fault.message
    assert "canary" not in f"{fault!r} {provider!r} {vars(provider)!r}"


def test_a_stored_key_is_text(tmp_path: Path) -> None:
    environment = {"VICTOR_FP_CONFIG_DIR": str(tmp_path)}
    fault = store_api_key("openai", b"sk-canary", environment=environment).failure()  # type: ignore[arg-type]  # a mistake
    assert "the key must be str, got bytes" in str(fault)
    assert not list(tmp_path.iterdir())
