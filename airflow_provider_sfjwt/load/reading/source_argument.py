"""What may be given as the source of a load, judged before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.arguments import fault_of_place, is_nothing

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    Path = str | os.PathLike[str] | ObjectStoragePath
    Source = Path | Sequence[Path] | Mapping[str, Any] | Sequence[Mapping[str, Any]]

_KINDS = "takes paths, globs, what an extract returned, or a list of rows"
_ADVICE = "Give a list of dicts, as df.to_dict('records') makes one, or write a Parquet file and give its path"


def text_of(path: Any) -> str | None:
    """The text of a path, or None for what is no path.

    :param path: text, a ``pathlib.Path`` or an ``ObjectStoragePath``.
    """
    if isinstance(path, str):
        return path
    if isinstance(path, os.PathLike):
        text = os.fspath(path)
        return text if isinstance(text, str) else None
    from airflow.sdk import ObjectStoragePath

    return str(path) if isinstance(path, ObjectStoragePath) else None


def paths_of(source: Any) -> list[str]:
    """The paths and globs that a source gives, as text; none for a receipt's summary and for rows.

    :param source: what was given, and has no fault.
    """
    if isinstance(source, Mapping):
        return []
    each = [source] if isinstance(source, str) or not isinstance(source, Sequence) else source
    return [text for text in map(_text_unless_row, each) if text is not None]


def _text_unless_row(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else text_of(value)


def is_rows(source: Any) -> bool:
    """Whether a source is rows as they are; a list of nothing is no rows.

    :param source: what was given.
    """
    if isinstance(source, str | bytes | Mapping) or not isinstance(source, Sequence):
        return False
    return all(isinstance(each, Mapping) for each in source)


def fault_of_source(source: Any) -> str | None:
    """Say what is wrong with what was given as a source, or None.

    :param source: what was given.
    """
    if isinstance(source, Mapping):
        receipt = source.get("receipt")
        return _fault_of_path(receipt) if receipt else f"{_KINDS}, and not a {type(source).__name__} like this"
    if isinstance(source, Sequence) and not isinstance(source, str | bytes | bytearray | memoryview):
        if is_rows(source):
            return None
        return next((fault for each in source if (fault := _fault_of_path(each))), None)
    return _fault_of_path(source)


def _fault_of_path(value: Any) -> str | None:
    text = None if value is None else text_of(value)
    if value is None or (text is not None and is_nothing(text)):
        return f"is missing; it {_KINDS}, and this is {value!r}"
    if text is None:
        return f"{_KINDS}, and not a {type(value).__name__} like this. {_ADVICE}"
    return fault_of_place(text)
