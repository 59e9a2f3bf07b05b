"""Finding the files of a load on any object storage, and opening them."""

from __future__ import annotations

import gzip
import hashlib
import os.path
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.receipt import RECEIPT_NAME, Receipt, read_receipt
from airflow_provider_sfjwt.files.formats.registry import Part
from airflow_provider_sfjwt.files.storage.errors import reason_of, storage_failures
from airflow_provider_sfjwt.files.storage.file_writer import is_local
from airflow_provider_sfjwt.load.reading.source_argument import fault_of_source, paths_of, text_of

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes that an object store's client reads ahead.
_BLOCK = 4 * 2**20
_GLOB = re.compile(r"[*?\[]")
_ENDINGS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
_FORMATS = ("csv", "jsonl", "parquet")


def unreadable(name: str, reason: str, argument: str = "source") -> ConfigurationError:
    """The error for a file that cannot be loaded.

    :param name: the file.
    :param reason: what is wrong with it.
    :param argument: of the task, that is to be changed.
    """
    return ConfigurationError({argument: f"{name}: {reason}"}, subject="the task")


@dataclass
class InputFile:
    """A file to load.

    :param path: the file.
    :param file_format: ``csv``, ``jsonl`` or ``parquet``.
    :param part: what a receipt says of it, or None.
    """

    path: ObjectStoragePath
    file_format: str
    part: Part | None = None
    _verified: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """The path as it is told to people."""
        return str(self.path)

    @contextmanager
    def opened(self, *, in_order: bool = True) -> Iterator[BinaryIO]:
        """Open the file, unpacked where its name ends with ``.gz``.

        :param in_order: whether it is read from its beginning to its end; else an object store's client fetches what it
            is asked for and no more.
        :raises ConfigurationError: when it is no file of that kind, or not the one that a receipt lists.
        :raises SalesforceError: retryable, when the storage fails.
        """
        self._verify()
        try:
            with self._raw(in_order) as raw:
                if self.file_format != "parquet" and self.name.lower().endswith(".gz"):
                    with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                        yield cast(BinaryIO, unpacked)
                else:
                    yield raw
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise unreadable(self.name, f"it cannot be unpacked: {error}") from None
        except FileNotFoundError:
            raise unreadable(self.name, "there is no such file") from None
        except storage_failures() as error:
            raise _unread(self.name, error) from error

    def _raw(self, in_order: bool = True) -> Any:
        cache = {} if in_order else {"cache_type": "none"}
        return self.path.fs.open(self.path.path, "rb", block_size=_BLOCK, **cache)

    def _verify(self) -> None:
        """Compare the file with what the receipt says of it, once."""
        if self.part is None or self._verified:
            return
        digest = hashlib.sha256()
        try:
            with self._raw() as raw:
                while block := raw.read(2**20):
                    digest.update(block)
        except FileNotFoundError:
            raise unreadable(self.name, "the receipt lists this part, and it is gone") from None
        if digest.hexdigest() != self.part.sha256:
            raise unreadable(self.name, "it is not the part that the receipt lists: its SHA-256 differs")
        self._verified = True


def find_files(source: Any, file_format: str | None) -> list[InputFile]:
    """Find the files that a task's ``source`` means.

    :param source: paths, globs, a folder with a receipt, or what an extract returned.
    :param file_format: overrides the endings.
    :raises ConfigurationError: when there are none, or some cannot be loaded.
    """
    if file_format is not None and file_format not in _FORMATS:
        message = f"'{file_format}' is none of {', '.join(_FORMATS)}"
        raise ConfigurationError({"file_format": message}, subject="the task")
    if fault := fault_of_source(source):
        raise ConfigurationError({"source": fault}, subject="the task")
    if isinstance(source, Mapping):
        return _of_receipt(text_of(source["receipt"]) or "")
    found = [file for each in paths_of(source) for file in _of_path(each, file_format)]
    _check_twice(found)
    return found


def _check_twice(files: Sequence[InputFile]) -> None:
    """See that no file is there under two names, e.g. as itself and as a link to it."""
    seen: dict[str, str] = {}
    for file in files:
        place = os.path.realpath(file.path.path) if is_local(file.path) else file.name
        if place in seen:
            how = "it is named twice" if seen[place] == file.name else f"it is the same file as {seen[place]}"
            raise unreadable(file.name, f"{how}, so that its rows would be loaded twice")
        seen[place] = file.name


def _unread(name: str, error: Exception) -> SalesforceError:
    return SalesforceError(f"reading {name} (source) failed: {reason_of(error)}", retryable=True)


def _path(text: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    try:
        return ObjectStoragePath(text)
    except storage_failures(ValueError, ImportError) as error:
        raise unreadable(text, f"it cannot be opened: {reason_of(error)}") from error


def _of_path(text: str, file_format: str | None) -> list[InputFile]:
    path = _path(text)
    if text.rstrip("/").rpartition("/")[2] == RECEIPT_NAME:
        return _of_receipt(text)
    try:
        if _GLOB.search(text) and not path.exists():
            return _of_glob(path, text, file_format)
        if path.is_dir():
            return _of_receipt(f"{text.rstrip('/')}/{RECEIPT_NAME}")
        if not path.exists():
            raise unreadable(text, "there is no such file")
    except (FileNotFoundError, PermissionError) as error:
        raise unreadable(text, f"it cannot be opened: {reason_of(error)}") from error
    except storage_failures() as error:
        raise _unread(text, error) from error
    return [InputFile(path, file_format or _format_of(text))]


def _of_glob(path: ObjectStoragePath, text: str, file_format: str | None) -> list[InputFile]:
    fs = path.fs
    if is_local(path):
        from airflow_provider_sfjwt.files.storage.symlinks import FollowedLinks

        fs = FollowedLinks()
    fs.invalidate_cache()
    try:
        found = fs.glob(path.path, detail=True)
    except ValueError as error:  # e.g. **.csv
        raise unreadable(text, f"it is no pattern: {error}") from error
    names = sorted(name for name, entry in found.items() if _is_file(fs, name, entry))
    if not names:
        raise unreadable(text, "no file has a name like this")
    stem = text.split("://", 1)[0] + "://" if "://" in text else ""
    if stem and not is_local(path) and path.conn_id:
        stem += f"{path.conn_id}@"
    return [InputFile(_path(stem + name), file_format or _format_of(name)) for name in names]


def _is_file(fs: Any, name: str, entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a folder is a file, or a link to one, and not a folder."""
    kind = entry["type"]
    if kind not in ("file", "directory"):
        try:
            kind = fs.info(name)["type"]
        except FileNotFoundError:
            raise unreadable(name, "it is a link to a file that is not there") from None
        if kind not in ("file", "directory"):
            raise unreadable(name, "it is neither a file nor a folder")
    return bool(kind == "file")


def _of_receipt(text: str) -> list[InputFile]:
    folder = _path(text.rpartition("/")[0])
    try:
        receipt: Receipt | None = read_receipt(folder)
    except ProtocolError as error:
        raise unreadable(text, str(error)) from None
    if receipt is None:
        reason = "there is no receipt, so that it is not known which files belong to the data. Give a glob instead"
        raise unreadable(text, reason)
    files = [InputFile(folder / part.name, receipt.file_format, part) for part in receipt.parts]
    for file, part in zip(files, receipt.parts, strict=True):
        if not file.path.exists():
            raise unreadable(file.name, "the receipt lists this part, and it is gone")
        if file.path.stat().st_size != part.bytes:
            raise unreadable(file.name, "it is not the part that the receipt lists: its size differs")
    return files


def _format_of(name: str) -> str:
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    found = _ENDINGS.get(ending)
    if found is None or (found == "parquet" and name.lower().endswith(".gz")):
        known = ", ".join(f".{each}" for each in _ENDINGS)
        raise unreadable(name, f"its name ends with none of {known} (.gz behind text), so give file_format")
    return found


def same_columns(names: Sequence[str], name: str) -> tuple[str, ...]:
    """See that each column has a name, and one of its own.

    :param names: the columns of a file.
    :param name: of the file.
    """
    for place, each in enumerate(names, 1):
        if not each.strip():
            raise unreadable(name, f"column {place} of its header has no name")
        if names.count(each) > 1:
            raise unreadable(name, f"its header names column {each} {names.count(each)} times")
    return tuple(names)
