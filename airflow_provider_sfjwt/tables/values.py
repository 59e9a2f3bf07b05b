"""Arrow's values as text that every database reads: decimals without surplus zeros, moments in ISO 8601."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts


def number_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals as text with their own digits: 100 and 1300.56172841, not eighteen zeros.

    :param values: of a decimal type.
    """
    plain = values.cast(pa.string())
    trimmed = plain
    if values.type.scale > 0:
        trimmed = pc.ascii_rtrim(pc.ascii_rtrim(plain, characters="0"), characters=".")
    if not may_hold(plain, b"E"):
        return trimmed
    exponent = pc.match_substring(plain, "E").fill_null(scalar(False))
    return _without_exponent(pc.if_else(exponent, plain, trimmed), exponent)


def _without_exponent(numbers: pa.ChunkedArray, exponent: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write numbers near zero, which Arrow writes with an exponent, as their digits.

    :param numbers: as text.
    :param exponent: which of them have one.
    """
    # Zero is the only one of them that is frequent: "0E-18".
    zero = pc.starts_with(numbers, "0E").fill_null(scalar(False))
    numbers, exponent = pc.if_else(zero, scalar("0"), numbers), pc.and_not(exponent, zero)
    if not pc.any(exponent).as_py():
        return numbers
    found = [_digits(text) for text in numbers.filter(exponent).to_pylist()]
    joined, mask = pa.concat_arrays(numbers.chunks), pa.concat_arrays(exponent.chunks)
    return pa.chunked_array([pc.replace_with_mask(joined, mask, texts(found))])


def _digits(number: str) -> str:
    digits = format(Decimal(number), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def without_zone(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments as the same wall time in UTC. Arrow writes a timestamp with a zone twenty times slower than one without.

    :param values: timestamps in UTC.
    """
    return values.cast(pa.int64()).cast(pa.timestamp(values.type.unit))


def moment_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments as ``2026-11-20T08:00:00.123Z``.

    :param values: timestamps in UTC.
    """
    wall = pc.replace_substring(without_zone(values).cast(pa.string()), " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(wall, scalar("Z"), scalar(""))


def may_hold(values: pa.ChunkedArray, character: bytes) -> bool:
    """Whether texts hold a character. Looking for it in each text would take ten times as long.

    :param values: of the type string.
    :param character: one byte.
    :return: true also where only the bytes of a null hold it.
    """
    for chunk in values.chunks:
        _, offsets, data = chunk.buffers()
        if data is None or not len(chunk):
            continue
        ends = pa.Array.from_buffers(pa.int32(), len(chunk) + 1, [None, offsets], offset=chunk.offset)
        start, end = ends[0].as_py(), ends[-1].as_py()
        if character in bytes(memoryview(data)[start:end]):
            return True
    return False
