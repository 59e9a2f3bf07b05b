"""Arrow, set up before it is imported, and its arrays and scalars made of Python values without pandas.

``pyarrow.array`` and ``pyarrow.scalar`` import pandas if it is installed, and so does every function that is given a
Python value in place of a scalar. That takes half a second and 35 MB, which a load can do without.
"""

from __future__ import annotations

import importlib.util
import os
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa


def choose_memory_pool() -> None:
    """Let Arrow take its memory from jemalloc, unless the environment says otherwise.

    Arrow reads this when it is first imported. With jemalloc, writing takes a fifth less CPU time and a tenth less
    memory than with Arrow's own choice. https://arrow.apache.org/docs/cpp/env_vars.html
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")


def require_arrow() -> None:
    """Check that pyarrow is installed, and choose its memory pool. Call this before a load imports pyarrow.

    :raises ConfigurationError: if pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError(
            {"source": "a load needs pyarrow: pip install 'airflow-provider-sfjwt[parquet]'"}, subject="the task"
        )
    choose_memory_pool()


def integers(values: Iterable[int]) -> pa.Int64Array:
    """Make an array of whole numbers.

    :param values: each of at most 64 bits, signed.
    """
    import pyarrow as pa

    numbers = array("q", values)
    return pa.Int64Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def texts(values: Sequence[str | None]) -> pa.StringArray:
    """Make an array of text.

    :param values: less than 2 GB in all; None stands for null.
    """
    import pyarrow as pa

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
    import pyarrow as pa

    if isinstance(value, bool):
        return pa.BooleanArray.from_buffers(pa.bool_(), 1, [None, pa.py_buffer(bytes([value]))])[0]
    return integers([value])[0] if isinstance(value, int) else texts([value])[0]


def one_array(values: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without a copy if it is one already.

    :param values: a column of a table.
    """
    import pyarrow as pa

    return values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks)
