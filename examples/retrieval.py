"""Retrieval: embed paragraphs, find those near to a question, rerank them, and answer from the best."""

from __future__ import annotations

from stand_in import options

from victor_fp.sync import create
from victor_fp.testing import Turn

PARAGRAPHS = [
    "Glaciers carved the fjords of Norway.",
    "The sea flooded the valleys when the ice melted.",
    "Oslo has seven hundred thousand inhabitants.",
    "Bergen is known for its rain.",
    "Salmon is farmed in the fjords.",
]
QUESTION = "What carved the fjords?"


def main() -> None:
    """Answer the question from two paragraphs."""
    with (
        create("openai", **options(Turn(text="Glaciers did."))) as openai,
        create("cohere", **options(Turn(), provider="cohere", variable="COHERE_API_KEY")) as cohere,
    ):
        documents = openai.embed(
            PARAGRAPHS, model="text-embedding-3-small", purpose="document", on_unsupported="adjust"
        )
        query = openai.embed(QUESTION, model="text-embedding-3-small").vectors[0]
        scores = [sum(a * b for a, b in zip(query, vector, strict=True)) for vector in documents.vectors]
        near = sorted(range(len(PARAGRAPHS)), key=scores.__getitem__, reverse=True)[:4]

        ranking = cohere.rerank(QUESTION, [PARAGRAPHS[index] for index in near], model="rerank-v3.5", top_n=2)
        context = "\n".join(PARAGRAPHS[near[ranked.index]] for ranked in ranking.results)
        print(context)
        print(openai.chat(f"Answer from this text.\n\n{context}\n\n{QUESTION}", model="gpt-5-mini").content)


if __name__ == "__main__":
    main()
