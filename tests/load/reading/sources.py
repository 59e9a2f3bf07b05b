"""Sources of a load in a temporary folder, and what reading them gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.load.reading.source import LoadSource


def write(tmp_path: Path, data: bytes | str, name: str = "in.csv") -> str:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def read(source: Any, **options: Any) -> list[dict[str, Any]]:
    pieces = list(LoadSource(source, **options).pieces())
    assert [fault for piece in pieces for fault in piece.faults] == []
    return [row for piece in pieces for row in piece.table.to_pylist()]


def faults(source: Any, **options: Any) -> list[Fault]:
    return [fault for piece in LoadSource(source, **options).pieces() for fault in piece.faults]


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        list(LoadSource(source, **options).pieces())
    assert list(caught.value.fields) in (
        ["source"],
        ["file_format"],
        ["encoding"],
        ["delimiter"],
        ["header"],
    )
    assert str(caught.value).count("the task: ") == 1
    return str(caught.value)
