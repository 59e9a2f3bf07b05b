"""Extracts into tables: PostgreSQL, DuckDB and SQLite, each receipt exactly once."""

from __future__ import annotations

from airflow_provider_sfjwt.tables.merging import merge
from airflow_provider_sfjwt.tables.report import MergeReport

__all__ = ["MergeReport", "merge"]
