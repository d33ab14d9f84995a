"""A catalogue is an immutable value: lookup, and copies with changes."""

from __future__ import annotations

import msgspec
import pytest
from returns.result import Success

from tests.acme import SPEC
from victor_fp.codegen.catalogue_index import INDEX_FILE, render_index
from victor_fp.core.catalogue import CATALOGUE, Catalogue, LazyEntry, load_group
from victor_fp.core.catalogue.entries import GROUPS
from victor_fp.core.catalogue.index import ALIASES, NAMES
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import ProviderNotFound

OTHER = msgspec.structs.replace(SPEC, title="Another Acme", aliases=("other", "Claude"))


def find_spec(catalogue: Catalogue, name: str) -> ProviderSpec | None:
    spec: ProviderSpec | None = catalogue.find(name).value_or(None)
    return spec


def test_an_entry_is_found_by_name_and_alias_in_any_case() -> None:
    assert find_spec(CATALOGUE, "Anthropic") is find_spec(CATALOGUE, "claude") is find_spec(CATALOGUE, "CLAUDE")
    assert "Claude" in CATALOGUE
    assert "acme" not in CATALOGUE
    assert 7 not in CATALOGUE


def test_an_unknown_name_is_a_fault_that_suggests_similar_names() -> None:
    fault = CATALOGUE.find("antropic").failure()
    assert isinstance(fault, ProviderNotFound)
    assert fault.suggestions[0] == "anthropic"
    assert "did you mean anthropic" in fault.message
    assert fault.known == tuple(sorted(CATALOGUE.names))
    assert CATALOGUE.suggest("zzzzzz") == ()
    assert "mean" not in CATALOGUE.find("zzzzzz").failure().message


def test_an_entry_is_added_to_another_catalogue() -> None:
    added = CATALOGUE.with_entry(SPEC)
    assert find_spec(added, "acme") is SPEC
    assert find_spec(CATALOGUE, "acme") is None
    assert added.names == ("acme", *CATALOGUE.names)
    assert len(added) == len(CATALOGUE) + 1
    assert next(iter(added)) is SPEC


def test_an_added_entry_replaces_an_entry_or_alias_of_the_same_name() -> None:
    added = CATALOGUE.with_entry(SPEC).with_entry(OTHER)
    assert find_spec(added, "acme") is OTHER
    assert find_spec(added, "claude") is OTHER
    assert find_spec(added, "anthropic") is find_spec(CATALOGUE, "anthropic")
    assert added.names.count("acme") == 1


def test_removing_a_name_removes_the_entry_and_removing_an_alias_only_the_alias() -> None:
    assert find_spec(CATALOGUE.without("anthropic"), "claude") is None
    assert "anthropic" not in CATALOGUE.without("Anthropic").names
    assert find_spec(CATALOGUE.without("claude"), "claude") is None
    assert find_spec(CATALOGUE.without("claude"), "anthropic") is not None
    assert CATALOGUE.without("nobody") == CATALOGUE


def test_a_value_that_is_not_an_entry_is_not_found_and_not_iterated() -> None:
    catalogue = Catalogue({"ghost": LazyEntry("ghost", lambda: None)})
    assert list(catalogue) == []
    assert isinstance(catalogue.find("ghost").failure(), ProviderNotFound)


def test_a_catalogue_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        CATALOGUE.entries = {}  # type: ignore[misc]  # that it cannot is shown here
    with pytest.raises(TypeError):
        CATALOGUE.entries["acme"] = SPEC  # type: ignore[index]  # that it cannot is shown here


def test_the_index_is_what_the_groups_hold() -> None:
    assert INDEX_FILE.read_text("utf-8") == render_index(), "run: nox -s docs"
    for group in GROUPS:
        assert [entry.name for entry in load_group(group)] == [name for name, held in NAMES.items() if held == group]


def test_names_and_aliases_are_unique_and_lower_case() -> None:
    names = [*NAMES, *(alias for entry in CATALOGUE for alias in entry.aliases)]
    assert sorted(names) == sorted({name.lower() for name in names})
    assert len(names) == len(NAMES) + len(ALIASES)


def test_iteration_gives_every_entry_once_in_the_order_of_the_names() -> None:
    assert [entry.name for entry in CATALOGUE] == list(CATALOGUE.names) == list(NAMES)
    for entry in CATALOGUE:
        assert CATALOGUE.find(entry.name) == Success(entry)
