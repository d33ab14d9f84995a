"""The conformance kit finds planted faults, and none in a correct provider."""

from __future__ import annotations

from unittest import SkipTest

import pytest

from tests.acme import SPEC
from tests.conformance.one_file_provider import OneFileProvider
from tests.conformance.planted_faults import PLANTED, PLANTED_RETRIEVAL, build_faulty, build_faulty_retrieval
from tests.providers.tutorial_provider import CustomLLMProvider
from tests.shell.transport.certificates import get_authority
from victor_fp.providers.base import ProviderNotFoundError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing.conformance import LAWS, Case, cases, check, examine, harness_for

BY_NAME = {law.name: law for law in LAWS}


@pytest.fixture(autouse=True)
def one_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Custom providers make an httpx client for each law, and each client reads the certificate authorities: one, not all of certifi."""
    monkeypatch.setenv("SSL_CERT_FILE", str(get_authority().file))


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_fault_breaks_its_laws(name: str) -> None:
    harness = harness_for(build_faulty(name), protocol="anthropic-messages", reasoning=True)
    findings = {law: examine(harness, BY_NAME[law]) for law in PLANTED[name][1]}
    assert {law: finding.verdict for law, finding in findings.items()} == dict.fromkeys(findings, "broken")
    assert all(finding.details for finding in findings.values())


@pytest.mark.parametrize("name", PLANTED_RETRIEVAL)
def test_each_planted_fault_of_retrieval_breaks_its_laws(name: str) -> None:
    harness = harness_for(build_faulty_retrieval(name))
    verdicts = {law: examine(harness, BY_NAME[law]).verdict for law in PLANTED_RETRIEVAL[name][2]}
    assert verdicts == dict.fromkeys(verdicts, "broken")


def test_every_law_can_be_broken() -> None:
    chats = {law for _, laws in PLANTED.values() for law in laws}
    retrieval = {law for *_, laws in PLANTED_RETRIEVAL.values() for law in laws}
    assert chats | retrieval == set(BY_NAME)


def test_a_provider_in_one_file_passes() -> None:
    report = check(OneFileProvider, protocol="openai-chat")
    assert report.passed, str(report)
    shown = {law for law, verdict in report.verdicts.items() if verdict == "held"}
    retrieval = {law for *_, laws in PLANTED_RETRIEVAL.values() for law in laws}
    assert set(BY_NAME) - shown == {"reasoning", "signatures", *retrieval}


def test_a_record_passes_under_its_name() -> None:
    ProviderRegistry.register_spec(SPEC)
    try:
        report = check("acme", model="m-1")
    finally:
        ProviderRegistry.restore()
    assert report.passed, str(report)
    assert report.provider == "acme"


def test_for_a_custom_class_the_laws_of_its_object_api_are_listed() -> None:
    verdicts = check(CustomLLMProvider).verdicts
    held = {law for law, verdict in verdicts.items() if verdict == "held"}
    assert held == {"typed errors", "connection refused", "timeout", "secret key", "closed"}
    assert verdicts["chat"] == verdicts["early exit"] == "not shown"


def test_if_its_protocol_is_named_the_protocol_laws_are_listed_too() -> None:
    report = check(CustomLLMProvider, protocol="openai-chat")
    verdicts = report.verdicts
    held = {law for law, verdict in verdicts.items() if verdict == "held"}
    assert held == {
        "chat",
        "usage unreported",
        "errors in streams",
        "typed errors",
        "connection refused",
        "timeout",
        "secret key",
        "early exit",
        "closed",
        "concurrent calls",
    }
    assert not report.passed
    reported = {finding.law: finding.details for finding in report.broken}
    assert reported["tool calls"] == ("stop_reason: expected 'tool_use', got 'tool_calls'",)
    assert "invalid bodies" in str(report)


def test_cases_are_for_parametrised_tests() -> None:
    found = {case.law.name: case for case in cases(CustomLLMProvider)}
    assert str(found["timeout"]) == "custom_llm: timeout"
    assert "chat" not in found
    found["timeout"].check()
    with pytest.raises(SkipTest, match="neither retries"):
        found["retry-after"].check()
    with pytest.raises(AssertionError, match="an empty object became a response"):
        found["invalid bodies"].check()
    assert isinstance(found["timeout"], Case)


async def test_the_kit_cannot_run_inside_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="its own event loops"):
        check(OneFileProvider)


def test_targets_that_cannot_be_checked_are_reported() -> None:
    with pytest.raises(ProviderNotFoundError):
        check("nobody")
    with pytest.raises(LookupError, match="unknown protocol 'morse'"):
        check(CustomLLMProvider, protocol="morse")
