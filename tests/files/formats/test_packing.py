"""Packed files, and what is said of damage and of a storage that fails."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.files.formats.packing import PACKINGS, DamagedError, unpacked

DATA = b"".join(b"line %d\n" % number for number in range(100_000))


def zstandard(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(data)
    return bytes(out.getvalue())


PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": zstandard}


class Failing(io.BytesIO):
    """A storage that fails in the middle of a file."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 1_000:
            raise OSError("the storage is gone")
        return super().read(min(size or 1_000, 1_000) if size != -1 else 1_000)


def test_each_packing_is_tried() -> None:
    assert set(PACK) == set(PACKINGS)


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_in_a_file_is_read(packing: str) -> None:
    several = PACK[packing](DATA[:500_000]) + PACK[packing](DATA[500_000:])
    with unpacked(io.BytesIO(several), packing) as stream:
        assert stream.readline() == b"line 0\n"
        assert stream.read() == DATA[7:]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"nothing packed", lambda data: data[:5]])
def test_damage_is_reported(packing: str, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DamagedError), unpacked(io.BytesIO(damage(PACK[packing](DATA))), packing) as stream:
        stream.read()


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_storage_that_fails_is_no_damage(packing: str) -> None:
    packed = io.BytesIO(PACK[packing](DATA))
    with pytest.raises(OSError, match="the storage is gone"), unpacked(Failing(packed.getvalue()), packing) as stream:
        stream.read()
