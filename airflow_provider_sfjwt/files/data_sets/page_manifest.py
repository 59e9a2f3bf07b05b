"""The file beside a finished part, by which a retry knows that it need not fetch the page again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json


@dataclass(frozen=True)
class PageManifest:
    """A complete result page that became a part.

    :param page: its place in the result, from 0.
    :param locator: the locator that it was requested with; None for the first page.
    :param next_locator: the locator of the next page; None if there is none, or Salesforce did not report it.
    :param declared: how many records Salesforce declared.
    :param part: the file.
    :param columns: of the file, in order.
    :param file_format: how the file was written.
    :param rounded: how many numbers of a column were rounded, by its name.
    :param api_calls: what the page has cost, where its task does not count it for another one; else 0.
    """

    page: int
    locator: str | None
    next_locator: str | None
    declared: int
    part: OutputFile
    columns: tuple[Column, ...]
    file_format: OutputFormat
    rounded: Mapping[str, int]
    api_calls: int = 0

    def to_json(self) -> str:
        """The text of the manifest."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> PageManifest | None:
        """Read what :meth:`to_json` wrote.

        :param text: of the manifest.
        :return: None if an attempt left it half written, or another release wrote it differently.
        """
        try:
            content: Mapping[str, Any] = decode_json(text)
            if any("numbers" not in column for column in content["columns"]):
                return None  # 0.1.0 wrote it, whose part holds the types that Salesforce describes
            return cls(
                **{
                    **content,
                    "part": OutputFile(**content["part"]),
                    "columns": tuple(Column(**column) for column in content["columns"]),
                    "file_format": OutputFormat(**content["file_format"]),
                }
            )
        except (ValueError, TypeError, KeyError):
            return None
