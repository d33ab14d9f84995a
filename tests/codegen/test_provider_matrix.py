"""The tables of providers match the catalogue."""

from __future__ import annotations

from victor_fp.codegen.provider_matrix import render_matrix
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.batches import BATCHES, find_batch_support
from victor_fp.core.catalogue.entries import GROUPS


def test_every_provider_has_its_row_in_every_table() -> None:
    lines = render_matrix().splitlines()
    for spec in CATALOGUE:
        rows = [line for line in lines if line.startswith(f"| `{spec.name}` |")]
        chats = [10, 5] if spec.supports.chat else []
        retrieval = [9] if spec.embeddings or spec.reranking else []
        batches = [10] if find_batch_support(spec) else []
        widths = [7, *chats, *retrieval, *batches, 5]
        assert [row.replace("\\|", "").count("|") for row in rows] == widths


def test_every_entry_of_the_batch_table_is_a_provider_and_says_where_its_limits_are_from() -> None:
    assert BATCHES.keys() <= {spec.name for spec in CATALOGUE}
    for support in BATCHES.values():
        assert support.limits.source.startswith("https://")
        assert len(support.limits.date) == 10
        assert support.limits.max_requests > 0 < support.limits.max_bytes


def test_providers_are_listed_under_the_title_of_their_group() -> None:
    lines = render_matrix().splitlines()
    assert [line.removeprefix("### ") for line in lines if line.startswith("### ")] == list(GROUPS.values())
    assert lines.index("### Gateways") < next(n for n, line in enumerate(lines) if line.startswith("| `openrouter` |"))
    assert f"## {len(CATALOGUE)} entries" in lines


def test_unsupported_features_are_empty_and_unknown_ones_have_a_question_mark() -> None:
    lines = render_matrix().splitlines()
    assert "| `replicate` |  | yes | yes |  |  | yes |  | `meta/meta-llama-3-70b-instruct` |" in lines
    assert any(
        line.startswith("| `crusoe` | yes | yes | ? | ? | ? | ? | ? | `openai/gpt-oss-120b` ([source](https")
        for line in lines
    )
    assert any(
        line.startswith("| `azure` |") and line.endswith("| none: the name of the caller's deployment |")
        for line in lines
    )


def test_the_certainty_of_an_entry_is_shown_with_its_source() -> None:
    lines = render_matrix().splitlines()
    assert any(line.startswith("| `openai` | recorded | https://platform.openai.com") for line in lines)
    assert any(line.startswith("| `nscale` | listed | https://") for line in lines)


def test_the_table_of_embeddings_shows_limits_types_and_purposes() -> None:
    rows = [line for line in render_matrix().splitlines() if line.startswith("| `voyage` |")]
    assert rows[-2] == (
        "| `voyage` | `voyage-3.5` | 1000, 120,000 tokens | yes | query, document | int8, uint8, binary, ubinary |"
        " option | `rerank-2.5` |"
    )
