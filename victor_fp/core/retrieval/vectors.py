"""Vectors of one response, packed in one buffer, which numpy can read without a copy. numpy is not required."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias, overload

VectorType: TypeAlias = Literal["float32", "int8", "uint8", "binary", "ubinary"]
"""Element type: a 4-byte float, a signed or unsigned byte or, for the last two, eight dimensions of one bit each in a
signed or unsigned byte."""

Purpose: TypeAlias = Literal["query", "document", "similarity", "classification", "clustering"]
"""Purpose of a vector; vendors with asymmetric models embed queries and documents differently."""

_CODES: Final[dict[VectorType, Literal["f", "b", "B"]]] = {
    "float32": "f",
    "int8": "b",
    "uint8": "B",
    "binary": "b",
    "ubinary": "B",
}
"""Type codes of the array module."""
_SIZES: Final = {"f": 4, "b": 1, "B": 1}
_NUMPY: Final = {"f": "<f4" if sys.byteorder == "little" else ">f4", "b": "|i1", "B": "|u1"}
_SHOWN: Final = 3
"""Number of elements in a repr."""


class Vector(Sequence[float]):
    """One vector: an immutable sequence of numbers, a view of a shared buffer.

    `numpy.asarray(vector)` is an array of the same memory; `vector.data` is a memoryview of it.

        >>> vector = pack_floats([[0.5, -1.0]])[0]
        >>> list(vector), vector.dtype
        ([0.5, -1.0], 'float32')
    """

    __slots__ = ("data", "dtype")

    def __init__(self, data: memoryview[Any], dtype: VectorType = "float32") -> None:
        """`data` is read-only and of the element's format."""
        self.data = data
        self.dtype: VectorType = dtype

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Vector: ...
    def __getitem__(self, index: int | slice) -> float | Vector:
        if isinstance(index, slice):
            return Vector(self.data[index], self.dtype)
        value: float = self.data[index]
        return value

    def __iter__(self) -> Iterator[float]:
        return iter(self.data)

    def __eq__(self, other: object) -> bool:
        """Compare bytes, so that vectors with NaN equal their copies."""
        if not isinstance(other, Vector):
            return NotImplemented
        return self.dtype == other.dtype and self.tobytes() == other.tobytes()

    def __hash__(self) -> int:
        return hash((self.dtype, self.tobytes()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{value:.6g}" for value in self.data[:_SHOWN])
        ellipsis = ", ..." if len(self) > _SHOWN else ""
        return f"Vector([{shown}{ellipsis}], {len(self)} x {self.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive_vector, (self.tobytes(), self.dtype)

    def __buffer__(self, flags: int) -> memoryview[Any]:
        """Return the buffer; used by Python 3.12 and later (PEP 688)."""
        return self.data

    @property
    def __array_interface__(self) -> dict[str, object]:
        """The buffer in numpy's array interface."""
        return {"shape": (len(self),), "typestr": _NUMPY[_CODES[self.dtype]], "data": self.data, "version": 3}

    def tobytes(self) -> bytes:
        """Return a copy of the elements in native byte order."""
        return self.data.tobytes()

    def tolist(self) -> list[float]:
        """Return the elements as a list of Python numbers."""
        return list(self.data)


class Vectors(Sequence[Vector]):
    """Vectors of equal length in one buffer; `numpy.asarray(vectors)` is a matrix of the same memory.

    >>> vectors = pack_floats([[1.0, 2.0], [3.0, 4.0]])
    >>> len(vectors), vectors.columns, list(vectors[1])
    (2, 2, [3.0, 4.0])
    """

    __slots__ = ("columns", "data", "dtype")

    def __init__(self, data: bytes = b"", columns: int = 0, dtype: VectorType = "float32") -> None:
        """`data` holds the elements row by row, in native byte order; `columns` is the length of a vector."""
        code = _CODES[dtype]
        if len(data) % (_SIZES[code] * columns or 1):
            raise ValueError(f"{len(data)} bytes are not a multiple of a vector of {columns} x {dtype}")
        self.data: memoryview[Any] = memoryview(data).cast(code)
        self.columns = columns
        self.dtype: VectorType = dtype

    def __len__(self) -> int:
        return len(self.data) // self.columns if self.columns else 0

    @overload
    def __getitem__(self, index: int) -> Vector: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Vector, ...]: ...
    def __getitem__(self, index: int | slice) -> Vector | tuple[Vector, ...]:
        if isinstance(index, slice):
            return tuple(self[row] for row in range(*index.indices(len(self))))
        row = range(len(self))[index] * self.columns
        return Vector(self.data[row : row + self.columns], self.dtype)

    def __iter__(self) -> Iterator[Vector]:
        columns, data, dtype = self.columns, self.data, self.dtype
        return (Vector(data[row : row + columns], dtype) for row in range(0, len(data), columns or 1))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vectors):
            return NotImplemented
        return (self.columns, self.dtype, self.tobytes()) == (other.columns, other.dtype, other.tobytes())

    def __hash__(self) -> int:
        return hash((self.columns, self.dtype, self.tobytes()))

    def __repr__(self) -> str:
        return f"Vectors({len(self)} x {self.columns} x {self.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Vectors, (self.tobytes(), self.columns, self.dtype)

    def __buffer__(self, flags: int) -> memoryview[Any]:
        """Return the buffer, row by row; used by Python 3.12 and later (PEP 688)."""
        return self.data

    @property
    def __array_interface__(self) -> dict[str, object]:
        """The buffer in numpy's array interface: a matrix."""
        shape = (len(self), self.columns)
        return {"shape": shape, "typestr": _NUMPY[_CODES[self.dtype]], "data": self.data, "version": 3}

    def tobytes(self) -> bytes:
        """Return a copy of all elements, row by row, in native byte order."""
        return self.data.tobytes()

    def tolist(self) -> list[list[float]]:
        """Return the vectors as lists of Python numbers."""
        return [vector.tolist() for vector in self]


EMPTY: Final = Vectors()


def pack_floats(rows: Iterable[Sequence[float]], dtype: VectorType = "float32") -> Vectors:
    """Pack rows of numbers; a number beyond the range of float32 becomes infinite.

    Raises ValueError if the rows differ in length, and OverflowError if an integer does not fit into a byte.
    """
    packed: array[Any] = array(_CODES[dtype])
    columns: int | None = None
    for row in rows:
        if columns is None:
            columns = len(row)
        elif columns != len(row):
            raise ValueError(f"vectors differ in length: {columns} and {len(row)} elements")
        if isinstance(row, list) and dtype == "float32":
            packed.fromlist(row)
        else:
            packed.extend(row if dtype == "float32" else map(int, row))
    return Vectors(packed.tobytes(), columns or 0, dtype)


def pack_wire_bytes(rows: Sequence[bytes], dtype: VectorType = "float32") -> Vectors:
    """Pack rows as sent in base64: little-endian float32, or single bytes. Raises ValueError for invalid lengths."""
    lengths = set(map(len, rows))
    if len(lengths) > 1:
        raise ValueError(f"vectors differ in length: {min(lengths)} and {max(lengths)} bytes")
    size = _SIZES[_CODES[dtype]]
    length = lengths.pop() if lengths else 0
    if length % size:
        raise ValueError(f"{length} bytes are not a multiple of {size} bytes")
    data = b"".join(rows)
    if size > 1 and sys.byteorder == "big":
        swapped = array("f", data)
        swapped.byteswap()
        data = swapped.tobytes()
    return Vectors(data, length // size, dtype)


def encode_vectors(vectors: Vectors) -> bytes:
    """Encode vectors for `pack_wire_bytes`: floats in little-endian order."""
    if vectors.dtype != "float32" or sys.byteorder == "little":
        return vectors.tobytes()
    swapped = array("f", vectors.tobytes())
    swapped.byteswap()
    return swapped.tobytes()


def concatenate(parts: Sequence[Vectors]) -> Vectors:
    """Concatenate vectors. Raises ValueError if they differ in length or type."""
    filled = [part for part in parts if part.columns]
    if not filled:
        return parts[0] if parts else EMPTY
    first, *others = filled
    for other in others:
        if (other.columns, other.dtype) != (first.columns, first.dtype):
            raise ValueError(f"vectors differ: {first.columns} x {first.dtype} and {other.columns} x {other.dtype}")
    return Vectors(b"".join([part.data for part in filled]), first.columns, first.dtype)


def _revive_vector(data: bytes, dtype: VectorType) -> Vector:
    return Vector(memoryview(data).cast(_CODES[dtype]), dtype)
