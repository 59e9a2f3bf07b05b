"""Paths on any object store. Other rooms name Airflow's ``ObjectStoragePath`` through this module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.sdk import ObjectStoragePath

    StoragePath: TypeAlias = ObjectStoragePath

_LOCAL = frozenset({"file", "local", ""})


def storage_path(text: str) -> StoragePath:
    """The path that a text names.

    :param text: a URL, e.g. ``s3://conn_id@bucket/accounts``, or an absolute path of this machine.
    :raises ValueError: if there is no such kind of storage.
    :raises ImportError: if its client is not installed.
    """
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(text)


def text_of_path(value: object) -> str | None:
    """The text of a path, or None for anything else.

    :param value: text, a ``pathlib.Path`` or an ``ObjectStoragePath``.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        text = os.fspath(value)
        return text if isinstance(text, str) else None
    from airflow.sdk import ObjectStoragePath

    return str(value) if isinstance(value, ObjectStoragePath) else None


def is_local(path: StoragePath) -> bool:
    """Whether a path is on this machine's own file system.

    :param path: any path.
    """
    return path.protocol in _LOCAL
