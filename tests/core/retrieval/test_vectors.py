"""Packed vectors: the same bits from every form, and no copy for numpy."""

from __future__ import annotations

import copy
import math
import pickle
import struct
import sys
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.retrieval.vectors import EMPTY, Vectors, concatenate, pack_floats, pack_wire_bytes

FLOATS = st.floats(width=32, allow_nan=False)
ROWS = st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=1, max_size=6))


@given(ROWS)
def test_numbers_and_wire_bytes_give_the_same_vectors_bit_for_bit(rows: list[list[float]]) -> None:
    packed = pack_floats(rows)
    sent = pack_wire_bytes([struct.pack(f"<{len(row)}f", *row) for row in rows])
    assert packed == sent
    assert packed.tobytes() == sent.tobytes()
    assert hash(packed) == hash(sent)
    assert packed.tolist() == rows
    assert [list(vector) for vector in packed] == rows


@given(ROWS, st.integers(0, 6))
def test_joined_parts_equal_the_original_vectors(rows: list[list[float]], cut: int) -> None:
    whole = pack_floats(rows)
    assert concatenate([pack_floats(rows[:cut]), pack_floats(rows[cut:])]) == whole
    assert concatenate([EMPTY, whole, EMPTY]) == whole


@given(ROWS)
def test_vectors_survive_pickle_and_copy(rows: list[list[float]]) -> None:
    packed = pack_floats(rows)
    for one in (packed, packed[0]):
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one


def test_a_vector_is_a_sequence_of_numbers() -> None:
    vector = pack_floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[-1]
    assert (len(vector), vector[0], vector[-1], list(vector[1:]), 5.0 in vector) == (3, 4.0, 6.0, [5.0, 6.0], True)
    assert vector != [4.0, 5.0, 6.0]
    assert repr(vector) == "Vector([4, 5, 6], 3 x float32)"
    assert repr(pack_floats([[0.5] * 9])) == "Vectors(1 x 9 x float32)"
    assert repr(pack_floats([[0.5] * 9])[0]) == "Vector([0.5, 0.5, 0.5, ...], 9 x float32)"


def test_slices_and_indexes_out_of_range() -> None:
    vectors = pack_floats([[1.0], [2.0], [3.0]])
    assert [list(vector) for vector in vectors[::-1]] == [[3.0], [2.0], [1.0]]
    with pytest.raises(IndexError):
        vectors[3]
    with pytest.raises(IndexError):
        EMPTY[0]
    assert list(EMPTY) == []


def test_vectors_cannot_be_written_to() -> None:
    vectors = pack_floats([[1.0, 2.0]])
    with pytest.raises(TypeError):
        vectors[0].data[0] = 3.0


def test_quantised_vectors_keep_their_type_and_bytes() -> None:
    signed = pack_floats([[-128, 127]], "int8")
    assert (signed[0].tolist(), signed.tobytes(), signed.dtype) == ([-128, 127], b"\x80\x7f", "int8")
    assert pack_wire_bytes([b"\x80\x7f"], "int8") == signed
    assert pack_wire_bytes([b"\x80\x7f"], "binary") != signed
    assert pack_floats([[255.0, 0]], "ubinary").tolist() == [[255, 0]]
    with pytest.raises(OverflowError):
        pack_floats([[256]], "uint8")


def test_vectors_of_different_lengths_or_types_cannot_be_joined() -> None:
    makes: list[Callable[[], object]] = [
        lambda: pack_floats([[1.0], [1.0, 2.0]]),
        lambda: pack_wire_bytes([b"1234", b"12345678"]),
        lambda: pack_wire_bytes([b"123"]),
        lambda: concatenate([pack_floats([[1.0]]), pack_floats([[1.0, 2.0]])]),
        lambda: concatenate([pack_floats([[1.0]]), pack_floats([[1]], "int8")]),
        lambda: Vectors(b"12345", 1),
    ]
    for make in makes:
        with pytest.raises(ValueError, match=r"vectors differ|not a multiple"):
            make()


def test_numbers_beyond_float32_are_infinite() -> None:
    assert pack_floats([[1e300, -1e300]]).tolist() == [[math.inf, -math.inf]]


def test_numpy_reads_vectors_without_a_copy() -> None:
    numpy = pytest.importorskip("numpy")
    vectors = pack_floats([[1.0, 2.0], [3.0, 4.0]])
    matrix, row = numpy.asarray(vectors), numpy.asarray(vectors[1])
    assert (matrix.dtype, matrix.shape, row.dtype, row.tolist()) == (numpy.float32, (2, 2), numpy.float32, [3.0, 4.0])
    assert numpy.shares_memory(matrix, row)
    assert not matrix.flags.writeable
    kinds = [numpy.asarray(pack_floats([[1, 2]], kind)[0]).dtype for kind in ("int8", "uint8", "binary", "ubinary")]
    assert kinds == [numpy.int8, numpy.uint8, numpy.int8, numpy.uint8]
    assert numpy.asarray(EMPTY).shape == (0, 0)


def test_the_memory_is_open_to_everything_that_reads_buffers() -> None:
    vector = pack_floats([[1.0, 2.0]])[0]
    assert array("f", vector.data).tolist() == [1.0, 2.0]
    if sys.version_info >= (3, 12):
        assert memoryview(vector).tolist() == [1.0, 2.0]
