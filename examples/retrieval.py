"""Retrieval: embed 1,000 paragraphs with the model inside this process, rerank those near to a question, answer from the best."""

from __future__ import annotations

import math
import time

from stand_in import build_options

from victor_fp.core.retrieval.vectors import Vector
from victor_fp.sync import create
from victor_fp.testing import Turn

MODEL = "smollm2-135m-instruct"
TOWNS = (
    *("Alta", "Arendal", "Askim", "Bergen", "Bodø", "Bryne", "Drammen", "Elverum", "Farsund", "Florø"),
    *("Gjøvik", "Grimstad", "Halden", "Hamar", "Harstad", "Haugesund", "Horten", "Kirkenes", "Kongsberg", "Kragerø"),
    *("Larvik", "Levanger", "Lillehammer", "Mandal", "Molde", "Moss", "Namsos", "Narvik", "Oslo", "Porsgrunn"),
    *("Risør", "Røros", "Sandnes", "Skien", "Stavanger", "Tromsø", "Trondheim", "Vadsø", "Voss", "Ålesund"),
)
FACTS = (
    "The fish market of {town} opens at {n} o'clock.",
    "The library of {town} lends {n} thousand books a year.",
    "The ferry from {town} takes {n} minutes.",
    "{n} bakeries in {town} sell bread with cardamom.",
    "The football club of {town} was founded in 19{n}.",
    "The lighthouse of {town} is {n} metres high.",
    "The orchestra of {town} has {n} members.",
    "The school of {town} teaches {n} languages.",
    "Snow lies in {town} for {n} days a year.",
    "The town hall of {town} has {n} rooms.",
    "The hospital of {town} employs {n} doctors.",
    "The cinema of {town} shows {n} films a week.",
    "The oldest tree of {town} is {n} years old.",
    "The bus to the airport leaves {town} every {n} minutes.",
    "The swimming pool of {town} is {n} metres long.",
    "The museum of {town} shows {n} ships.",
    "The brewery of {town} makes {n} kinds of beer.",
    "The bridge of {town} carries {n} thousand cars a day.",
    "The church of {town} has {n} bells.",
    "The harbour of {town} has berths for {n} boats.",
    "The newspaper of {town} has {n} journalists.",
    "The theatre of {town} seats {n} people.",
    "The ski slope of {town} is {n} hundred metres long.",
    "The marathon of {town} is run by {n} hundred people.",
    "The wind farm of {town} has {n} turbines.",
)
PARAGRAPHS = [
    fact.format(town=town, n=11 + (7 * row + 3 * column) % 80)
    for row, town in enumerate(TOWNS)
    for column, fact in enumerate(FACTS)
]
QUESTION = "How many bells has the church of Bergen?"


def measure_similarity(one: Vector, other: Vector) -> float:
    """Return the cosine of the angle between two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def main() -> None:
    """Answer the question from three paragraphs."""
    with (
        create("local", timeout=300) as local,
        create("cohere", **build_options(Turn(), provider="cohere", variable="COHERE_API_KEY")) as cohere,
    ):
        begun = time.perf_counter()
        documents = local.embed(PARAGRAPHS, model=MODEL, purpose="document", on_unsupported="adjust")
        print(f"{len(documents.vectors)} paragraphs embedded in {time.perf_counter() - begun:.0f} s")

        query = local.embed(QUESTION, model=MODEL, purpose="query", on_unsupported="adjust").vectors[0]
        scores = [measure_similarity(query, vector) for vector in documents.vectors]
        near = sorted(range(len(PARAGRAPHS)), key=scores.__getitem__, reverse=True)[:100]

        ranking = cohere.rerank(QUESTION, [PARAGRAPHS[index] for index in near], model="rerank-v3.5", top_n=3)
        context = "\n".join(PARAGRAPHS[near[ranked.index]] for ranked in ranking.results)
        print(context)
        answer = local.chat(f"{context}\n\n{QUESTION}", model=MODEL, temperature=0.0, max_tokens=40)
        print(f"answer: {answer.content}")


if __name__ == "__main__":
    main()
