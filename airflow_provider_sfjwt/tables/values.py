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
    if values.type.scale <= 0:
        return _without_exponent(plain)
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(plain, characters="0"), characters=".")
    exponent = pc.match_substring(plain, "E")
    return _without_exponent(pc.if_else(exponent, plain, trimmed))


def _without_exponent(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write numbers near zero, which Arrow writes with an exponent, as their digits."""
    exponent = pc.match_substring(numbers, "E").fill_null(scalar(False))
    if not pc.any(exponent).as_py():
        return numbers
    # Zero is the only one of them that is frequent: "0E-18".
    numbers = pc.if_else(pc.starts_with(numbers, "0E"), scalar("0"), numbers)
    exponent = pc.match_substring(numbers, "E").fill_null(scalar(False))
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
