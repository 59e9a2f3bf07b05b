"""The kinds of ``source`` that a load takes, checked before anything is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.arguments import fault_of_place, is_nothing
from airflow_provider_sfjwt.files.storage.paths import text_of_path

if TYPE_CHECKING:
    from typing import TypeGuard

    from airflow_provider_sfjwt.files.storage.paths import StoragePath

    Row = Mapping[str, Any]
    Path = str | os.PathLike[str] | StoragePath
    Source = Path | Sequence[Path] | Mapping[str, Any] | Sequence[Row]

#: What makes a path a glob.
WILDCARD = re.compile(r"[*?\[]")
_ACCEPTED = "takes paths, globs, what an extract returned, or a list of rows"
_ADVICE = "Give a list of dicts, as df.to_dict('records') makes one, or write a Parquet file and give its path"


def paths_of(source: object) -> list[str]:
    """The paths and globs of a source, as text; none for a receipt's summary and for rows.

    :param source: what was given, without a fault.
    """
    if isinstance(source, Mapping):
        return []
    each = [source] if isinstance(source, str) or not isinstance(source, Sequence) else source
    texts = (text_of_path(value) for value in each if not isinstance(value, Mapping))
    return [text for text in texts if text is not None]


def is_rows(source: object) -> TypeGuard[Sequence[Row]]:
    """Whether a source is a list of rows. An empty list is.

    :param source: what was given.
    """
    if isinstance(source, str | bytes | Mapping) or not isinstance(source, Sequence):
        return False
    return all(isinstance(each, Mapping) for each in source)


def fault_of_source(source: object) -> str | None:
    """What is wrong with a source, or None.

    :param source: what was given.
    """
    if isinstance(source, Mapping):
        receipt = source.get("receipt")
        return _fault_of_path(receipt) if receipt else f"{_ACCEPTED}, and not a {type(source).__name__} like this"
    if isinstance(source, Sequence) and not isinstance(source, str | bytes | bytearray | memoryview):
        if is_rows(source):
            return None
        return next((fault for each in source if (fault := _fault_of_path(each))), None)
    return _fault_of_path(source)


def _fault_of_path(value: object) -> str | None:
    text = None if value is None else text_of_path(value)
    if value is None or (text is not None and is_nothing(text)):
        return f"is missing; it {_ACCEPTED}, and this is {value!r}"
    if text is None:
        return f"{_ACCEPTED}, and not a {type(value).__name__} like this. {_ADVICE}"
    return fault_of_place(text)
