"""Paths on any object store. Other rooms name Airflow's ``ObjectStoragePath`` through this module."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.sdk import ObjectStoragePath

    StoragePath: TypeAlias = ObjectStoragePath

_LOCAL = frozenset({"file", "local", ""})
#: Protocols that are other names of one store.
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


def storage_path(text: str) -> StoragePath:
    """The path that a text names.

    :param text: a URL, e.g. ``s3://conn_id@bucket/accounts``, or an absolute path of this machine.
    :raises ValueError: if there is no such kind of storage.
    :raises ImportError: if its client is not installed.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import has_fs

    path = ObjectStoragePath(text)
    if not is_local(path) and not has_fs(path.protocol):
        # Attached by hand, or not there at all, which Airflow 3.1 would find out only when the path is used.
        _ = path.fs
    return path


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


class Place(NamedTuple):
    """Where a path leads, whoever opens it.

    :param store: ``file`` for this machine, else the protocol and the bucket, e.g. ``s3://crm``.
    :param name: within it, without a slash at the end: an absolute path, or the key in the bucket.

    https://openlineage.io/docs/spec/naming
    """

    store: str
    name: str

    @property
    def uri(self) -> str:
        """The whole address, without the connection's id."""
        return f"file://{self.name}" if self.store == "file" else f"{self.store}/{self.name}"


def place_named(text: str) -> Place:
    """Where a path leads, told from its text alone.

    :param text: a URL, e.g. ``s3://conn_id@bucket/accounts``, or an absolute path of this machine.
    """
    scheme, _, rest = text.partition("://") if "://" in text else ("file", "", text)
    scheme = _SAME_STORE.get(scheme, scheme)
    if scheme in _LOCAL:
        return Place("file", posixpath.normpath(f"/{rest.lstrip('/')}"))
    bucket, _, key = rest.partition("/")
    return Place(f"{scheme}://{bucket.rpartition('@')[2]}", key.strip("/"))
