"""Files to read, and what one format's reader makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.registry import input_file


def an_input(tmp_path: Path, data: bytes | str, name: str) -> InputFile:
    """Write a file of which the name says the format."""
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return input_file(ObjectStoragePath(f"file://{path}"), None)


def refusal(pieces: Iterable[tuple[pa.Table, list[Fault]]]) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(ConfigurationError) as caught:
        list(pieces)
    assert list(caught.value.fields) == ["source"]
    return str(caught.value)
