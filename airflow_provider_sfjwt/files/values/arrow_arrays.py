"""Arrow's arrays and scalars of Python's values, made without pandas.

``pyarrow.array`` and ``pyarrow.scalar`` import pandas where it is installed, and so does every function that is given a
Python value in place of a scalar. That takes half a second and 35 MB, which a load has better uses for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import pyarrow as pa


def integers(values: Iterable[int]) -> pa.Int64Array:
    """Make an array of whole numbers.

    :param values: of 64 bits at most.
    """
    numbers = array("q", values)
    return pa.Int64Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def texts(values: Sequence[str | None]) -> pa.StringArray:
    """Make an array of text.

    :param values: less than 2 GB in all; None stands for null.
    """
    encoded = [(value or "").encode("utf-8") for value in values]
    ends = array("i", [0])
    for each in encoded:
        ends.append(ends[-1] + len(each))
    valid = bytearray((len(encoded) + 7) // 8)
    for place, value in enumerate(values):
        valid[place // 8] |= (value is not None) << (place % 8)
    buffers = [pa.py_buffer(bytes(valid)), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.StringArray.from_buffers(len(encoded), buffers[1], buffers[2], buffers[0])


def scalar(value: str | bool | int | None) -> pa.Scalar:
    """Make a scalar, as the functions of ``pyarrow.compute`` take it.

    :param value: None is text that is null.
    """
    if isinstance(value, bool):
        return pa.BooleanArray.from_buffers(pa.bool_(), 1, [None, pa.py_buffer(bytes([value]))])[0]
    return integers([value])[0] if isinstance(value, int) else texts([value])[0]
