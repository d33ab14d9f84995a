"""The conformance kit: checks the rules that hold for all providers, over real HTTP on loopback.

    check("acme")                                           # by its registered name
    check(AcmeProvider, protocol="openai-chat")             # or by a function that creates it

    @pytest.mark.parametrize("case", cases("acme"), ids=str)
    def test_acme(case: Case) -> None:
        case.check()

For catalogue providers all laws are checked. For a custom class, those of its object API are checked, and those of its
wire format if `protocol` is the name of a known protocol, or a `Writer` of another one; `reasoning`: the provider
returns its reasoning. Laws that cannot be checked are reported as "not shown".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias
from unittest import SkipTest

import msgspec

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.providers.base import BaseProvider
from victor_fp.testing.harness import Harness, Law, NoSleepRuntime, NotApplicable, Problems
from victor_fp.testing.laws import behaviour, faults, responses, retrieval
from victor_fp.testing.writers import Writer, load_writer

__all__ = [
    "LAWS",
    "Case",
    "Finding",
    "Law",
    "ConformanceReport",
    "Verdict",
    "Writer",
    "cases",
    "check",
    "harness_for",
    "examine",
]

Make: TypeAlias = Callable[..., BaseProvider]
"""Creates a provider from `api_key`, `base_url`, `timeout` and `max_retries`; for example a class."""
Verdict: TypeAlias = Literal["held", "broken", "not shown"]

LAWS: tuple[Law, ...] = (*responses.LAWS, *faults.LAWS, *behaviour.LAWS, *retrieval.LAWS)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one law."""

    law: str
    verdict: Verdict
    details: tuple[str, ...] = ()
    """The problems, or why the law could not be checked."""

    def __str__(self) -> str:
        return f"{self.verdict:9}  {self.law}" + "".join(f"\n             {line}" for line in self.details)


class ConformanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The results for all laws."""

    provider: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no law is broken."""
        return not self.broken

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The broken laws."""
        return tuple(finding for finding in self.findings if finding.verdict == "broken")

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdicts by name of the law."""
        return {finding.law: finding.verdict for finding in self.findings}

    def __str__(self) -> str:
        return "\n".join([self.provider, *map(str, self.findings)])


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One provider and one law, for a parametrised test."""

    harness: Harness
    law: Law

    def __str__(self) -> str:
        return f"{self.harness.name}: {self.law.name}"

    def check(self) -> None:
        """Raise AssertionError if the law is broken, and SkipTest, known to test runners, if it cannot be checked."""
        finding = examine(self.harness, self.law)
        if finding.verdict == "broken":
            raise AssertionError(f"{self.law.summary}\n" + "\n".join(finding.details))
        if finding.verdict == "not shown":
            raise SkipTest("; ".join(finding.details))


def check(
    provider: str | Make,
    *,
    protocol: str | Writer | None = None,
    model: str | None = None,
    settings: Mapping[str, object] | None = None,
    reasoning: bool = False,
) -> ConformanceReport:
    """Check all laws for a provider. Must be called without a running event loop, since it runs its own."""
    harness = harness_for(provider, protocol=protocol, model=model, settings=settings, reasoning=reasoning)
    return ConformanceReport(provider=harness.name, findings=tuple(examine(harness, law) for law in LAWS))


def cases(
    provider: str | Make,
    *,
    protocol: str | Writer | None = None,
    model: str | None = None,
    settings: Mapping[str, object] | None = None,
    reasoning: bool = False,
    laws: Sequence[Law] = LAWS,
) -> list[Case]:
    """Return cases for a parametrised test, without laws that do not apply to the provider."""
    harness = harness_for(provider, protocol=protocol, model=model, settings=settings, reasoning=reasoning)
    return [Case(harness=harness, law=law) for law in laws if law.needs <= harness.has]


def examine(harness: Harness, law: Law) -> Finding:
    """Check one law."""
    if _is_loop_running():
        raise RuntimeError("the conformance kit runs its own event loops: call it without a running event loop")
    lacks = sorted(law.needs - harness.has)
    if lacks:
        return Finding(law=law.name, verdict="not shown", details=(f"no {', no '.join(lacks)}",))
    try:
        found: Problems = law.run(harness)
    except Exception as error:  # any exception other than ProviderError breaks the law
        found = [f"raised {type(error).__name__}: {error}"]
    if isinstance(found, NotApplicable):
        return Finding(law=law.name, verdict="not shown", details=(found.reason,))
    return Finding(law=law.name, verdict="broken" if found else "held", details=tuple(dict.fromkeys(found)))


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def harness_for(
    provider: str | Make,
    *,
    protocol: str | Writer | None = None,
    model: str | None = None,
    settings: Mapping[str, object] | None = None,
    reasoning: bool = False,
) -> Harness:
    """Return the harness for a provider. Raises ProviderNotFoundError, and LookupError for an unknown protocol."""
    from victor_fp.providers.registry import ProviderRegistry

    make: Make = ProviderRegistry.get(provider) if isinstance(provider, str) else provider
    spec = getattr(make, "SPEC", None)
    placed = partial(make, **(settings or {}))
    if isinstance(spec, ProviderSpec):
        return _build_spec_harness(spec, placed, model)
    probe = placed(api_key="k", base_url="http://localhost")
    known = load_writer(protocol) if isinstance(protocol, str) else protocol
    has = {
        "chat": True,
        "protocol": known is not None,
        "tools": probe.supports_tools(),
        "streaming": probe.supports_streaming(),
        "reasoning": reasoning,
    }
    return _make_harness(probe.name, placed, known, model, has)


def _build_spec_harness(spec: ProviderSpec, make: Make, model: str | None) -> Harness:
    """Build the harness of a catalogue provider from its entry."""
    supports = spec.supports
    has = {
        "chat": supports.chat,
        "no chat": not supports.chat,
        "protocol": supports.chat,
        "embeddings": spec.embeddings is not None,
        "reranking": spec.reranking is not None,
        "tools": supports.tools,
        "streaming": supports.streaming,
        "reasoning": supports.reasoning is True,
    }
    options: dict[str, Any] = {"runtime": NoSleepRuntime(), "trust_env": False}
    if spec.transport == "embedded":
        options["transport"] = "aiohttp"
    writer = load_writer(spec.dialect.protocol)
    if getattr(spec.dialect, "reasoning_replay", "") == "plain":  # plain reasoning has no signatures
        writer = msgspec.structs.replace(writer, signs=False)
    harness = _make_harness(spec.name, partial(make, **options), writer, model or spec.default_model, has, paced=True)
    return replace(
        harness,
        embedding_model=(spec.embeddings and spec.embeddings.default_model) or harness.embedding_model,
        rerank_model=(spec.reranking and spec.reranking.default_model) or harness.rerank_model,
    )


def _make_harness(
    name: str, make: Make, writer: Writer | None, model: str | None, has: Mapping[str, bool], *, paced: bool = False
) -> Harness:
    of_protocol = {
        "reasons": writer is not None and writer.reasons,
        "signs": writer is not None and writer.signs,
    }
    words = frozenset(word for word, holds in {**has, **of_protocol}.items() if holds)
    return Harness(name=name, make=make, writer=writer, model=model or "model-1", has=words, paced=paced)
