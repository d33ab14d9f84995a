"""Parts of an answer, at random."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.core.protocols.gemini.answers import build_text, build_thought, call

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), min_size=1, max_size=12)
SIGNATURES = st.sampled_from(["U0lH", "QUJD", "REVG"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(["weather", "time", "stop"])
IDS = st.none() | st.uuids().map(str)
PARTS = st.one_of(
    st.builds(build_text, WORDS),
    st.builds(build_thought, WORDS),
    st.builds(lambda words, sign: build_text(words, thoughtSignature=sign), WORDS, SIGNATURES),
    st.builds(lambda sign: build_text("", thoughtSignature=sign), SIGNATURES),
    st.builds(
        lambda name, args, id_, sign: call(name, args, id=id_, signature=sign),
        NAMES,
        st.dictionaries(WORDS, VALUES, max_size=2),
        IDS,
        st.none() | SIGNATURES,
    ),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
)
