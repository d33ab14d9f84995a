"""CPU of decoding embedding responses, against the openai SDK: `python -m tests.bench.embeddings [TEXTS [DIMENSIONS]]`.

Each measurement is a process of its own, with numpy and without it, in alternating rounds; ratios are taken inside a round.
The SDK's share is what it does with a body: JSON, its models, and the conversion of base64. The transport is left out of both.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

ROUNDS = 3

SETUP = """
import base64, json, random, struct, sys, time
if {without_numpy}:
    sys.modules["numpy"] = None
luck = random.Random(7)
rows = [[luck.gauss(0.0, 0.03) for _ in range({dimensions})] for _ in range({texts})]
packed = [struct.pack("<{dimensions}f", *row) for row in rows]
if {base64}:
    shown = [base64.b64encode(row).decode() for row in packed]
else:
    shown = [list(struct.unpack("<{dimensions}f", row)) for row in packed]
data = [dict(object="embedding", index=index, embedding=row) for index, row in enumerate(shown)]
body = json.dumps(dict(object="list", data=data, model="m", usage=dict(prompt_tokens=1, total_tokens=1))).encode()
del rows, shown, data
"""
OURS = """
from victor_fp import replay
replay.embed_response("openai", 200, {{}}, b'{{"data": [{{"embedding": "AAAAAA=="}}]}}').unwrap()
began = time.process_time()
response = replay.embed_response("openai", 200, {{}}, body, count={texts}).unwrap()
spent = time.process_time() - began
assert response.vectors.tobytes() == b"".join(packed)
print(spent)
"""
SDK = """
from openai import omit
from openai._models import construct_type
from openai.lib._parsing._embeddings import parse_embedding_response
from openai.types import CreateEmbeddingResponse
began = time.process_time()
parsed = construct_type(type_=CreateEmbeddingResponse, value=json.loads(body))
response = parse_embedding_response(parsed, encoding_format=omit if {base64} else "float")
spent = time.process_time() - began
assert response.data[0].embedding == list(struct.unpack("<{dimensions}f", packed[0]))
print(spent)
"""


def measure(code: str, **values: object) -> float:
    """Seconds of CPU that the code reports."""
    text = (SETUP + code).format(**values)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(texts: int = 2048, dimensions: int = 1536) -> None:
    """Print milliseconds and ratios for each form of the body, with and without numpy."""
    print(f"{texts} vectors of {dimensions} dimensions, CPU in ms, medians of {ROUNDS} rounds")
    for form in ("base64", "numbers"):
        for without_numpy in (False, True):
            values = {
                "texts": texts,
                "dimensions": dimensions,
                "base64": form == "base64",
                "without_numpy": without_numpy,
            }
            pairs = [(measure(OURS, **values), measure(SDK, **values)) for _ in range(ROUNDS)]
            ours, sdk = (median(side) * 1000 for side in zip(*pairs, strict=True))
            ratio = median(one / other for one, other in pairs)
            numpy = "without numpy" if without_numpy else "with numpy"
            print(f"{form:8} {numpy:14} victor_fp {ours:8.1f}  openai {sdk:8.1f}  ratio {ratio:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
