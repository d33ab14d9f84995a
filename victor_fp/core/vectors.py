"""Vectors of one response, packed in one buffer: numpy reads them without a copy, and plain Python needs no numpy."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias, overload

VectorType: TypeAlias = Literal["float32", "int8", "uint8", "binary", "ubinary"]
"""What an element is: a float of four bytes, a signed or unsigned byte, or, for the last two, eight dimensions of one
bit each in a signed or an unsigned byte."""

Purpose: TypeAlias = Literal["query", "document", "similarity", "classification", "clustering"]
"""What a vector is for; vendors with asymmetric models embed a query and a document differently."""

_CODES: Final[dict[VectorType, Literal["f", "b", "B"]]] = {
    "float32": "f",
    "int8": "b",
    "uint8": "B",
    "binary": "b",
    "ubinary": "B",
}
"""Codes of the array module."""
_SIZES: Final = {"f": 4, "b": 1, "B": 1}
_NUMPY: Final = {"f": "<f4" if sys.byteorder == "little" else ">f4", "b": "|i1", "B": "|u1"}
_SHOWN: Final = 3
"""Elements that a repr shows."""


class Vector(Sequence[float]):
    """One vector: an immutable sequence of numbers over a part of a shared buffer.

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
        """Bit for bit, so that a vector equals its copy whatever numbers it holds."""
        if not isinstance(other, Vector):
            return NotImplemented
        return self.dtype == other.dtype and self.tobytes() == other.tobytes()

    def __hash__(self) -> int:
        return hash((self.dtype, self.tobytes()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{value:.6g}" for value in self.data[:_SHOWN])
        rest = ", ..." if len(self) > _SHOWN else ""
        return f"Vector([{shown}{rest}], {len(self)} x {self.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive_vector, (self.tobytes(), self.dtype)

    def __buffer__(self, flags: int) -> memoryview[Any]:
        """The memory, for Python 3.12 and later, where classes can offer it."""
        return self.data

    @property
    def __array_interface__(self) -> dict[str, object]:
        """The memory as numpy asks for it."""
        return {"shape": (len(self),), "typestr": _NUMPY[_CODES[self.dtype]], "data": self.data, "version": 3}

    def tobytes(self) -> bytes:
        """A copy of the elements in the machine's byte order."""
        return self.data.tobytes()

    def tolist(self) -> list[float]:
        """The elements as a list of Python numbers."""
        return list(self.data)


class Vectors(Sequence[Vector]):
    """Vectors of equal length in one buffer; `numpy.asarray(vectors)` is a matrix of the same memory.

    >>> vectors = pack_floats([[1.0, 2.0], [3.0, 4.0]])
    >>> len(vectors), vectors.columns, list(vectors[1])
    (2, 2, [3.0, 4.0])
    """

    __slots__ = ("columns", "data", "dtype")

    def __init__(self, data: bytes = b"", columns: int = 0, dtype: VectorType = "float32") -> None:
        """`data` holds the elements row by row, in the machine's byte order; `columns` elements are a vector."""
        code = _CODES[dtype]
        if len(data) % (_SIZES[code] * columns or 1):
            raise ValueError(f"{len(data)} bytes are not whole vectors of {columns} x {dtype}")
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
        """The memory, one vector after the other, for Python 3.12 and later."""
        return self.data

    @property
    def __array_interface__(self) -> dict[str, object]:
        """The memory as numpy asks for it: a matrix."""
        shape = (len(self), self.columns)
        return {"shape": shape, "typestr": _NUMPY[_CODES[self.dtype]], "data": self.data, "version": 3}

    def tobytes(self) -> bytes:
        """A copy of all elements, vector by vector, in the machine's byte order."""
        return self.data.tobytes()

    def tolist(self) -> list[list[float]]:
        """The vectors as lists of Python numbers."""
        return [vector.tolist() for vector in self]


EMPTY: Final = Vectors()


def pack_floats(rows: Iterable[Sequence[float]], dtype: VectorType = "float32") -> Vectors:
    """Numbers in packed form; a number beyond float32 is infinite.

    Raises ValueError where the rows are not of one length, and OverflowError where an integer does not fit its byte.
    """
    packed: array[Any] = array(_CODES[dtype])
    columns: int | None = None
    for row in rows:
        if columns is None:
            columns = len(row)
        elif columns != len(row):
            raise ValueError(f"vectors of {columns} and of {len(row)} elements")
        if isinstance(row, list) and dtype == "float32":
            packed.fromlist(row)
        else:
            packed.extend(row if dtype == "float32" else map(int, row))
    return Vectors(packed.tobytes(), columns or 0, dtype)


def pack_wire_bytes(rows: Sequence[bytes], dtype: VectorType = "float32") -> Vectors:
    """The bytes that vendors send in base64: float32 in little-endian order, or single bytes. Raises ValueError."""
    lengths = set(map(len, rows))
    if len(lengths) > 1:
        raise ValueError(f"vectors of {min(lengths)} and of {max(lengths)} bytes")
    size = _SIZES[_CODES[dtype]]
    length = lengths.pop() if lengths else 0
    if length % size:
        raise ValueError(f"{length} bytes are not whole numbers of {size} bytes")
    data = b"".join(rows)
    if size > 1 and sys.byteorder == "big":
        swapped = array("f", data)
        swapped.byteswap()
        data = swapped.tobytes()
    return Vectors(data, length // size, dtype)


def encode_vectors(vectors: Vectors) -> bytes:
    """The elements as `pack_wire_bytes` reads them: floats in little-endian order."""
    if vectors.dtype != "float32" or sys.byteorder == "little":
        return vectors.tobytes()
    swapped = array("f", vectors.tobytes())
    swapped.byteswap()
    return swapped.tobytes()


def concatenate(parts: Sequence[Vectors]) -> Vectors:
    """The vectors of all parts in their order. Raises ValueError where they differ in length or type."""
    filled = [part for part in parts if part.columns]
    if not filled:
        return parts[0] if parts else EMPTY
    first, *others = filled
    for other in others:
        if (other.columns, other.dtype) != (first.columns, first.dtype):
            raise ValueError(f"vectors of {first.columns} x {first.dtype} and of {other.columns} x {other.dtype}")
    return Vectors(b"".join([part.data for part in filled]), first.columns, first.dtype)


def _revive_vector(data: bytes, dtype: VectorType) -> Vector:
    return Vector(memoryview(data).cast(_CODES[dtype]), dtype)
