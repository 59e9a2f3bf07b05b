"""Paths of every kind of storage."""

from __future__ import annotations

import pytest
from airflow.sdk.io import attach
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_sfjwt.files.storage.paths import storage_path


def test_a_storage_that_somebody_attached_is_one() -> None:
    class Vault(MemoryFileSystem):  # type: ignore[misc]
        protocol = "vault"

    register_implementation("vault", Vault, clobber=True)
    attach(protocol="vault", fs=Vault())
    path = storage_path("vault://crm/accounts")
    (path / "note.txt").write_text("kept")
    assert (path / "note.txt").read_text() == "kept"


def test_a_storage_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        storage_path("pigeon://crm/accounts")
