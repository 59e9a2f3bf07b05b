"""Finds the files of a load on any object store."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import conn_id_of
from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt, read_receipt
from airflow_provider_sfjwt.files.formats.faults import unreadable
from airflow_provider_sfjwt.files.formats.input_file import AS_IT_IS, InputFile, ReadOptions, unread
from airflow_provider_sfjwt.files.formats.registry import FORMATS, fault_of_format, input_file
from airflow_provider_sfjwt.files.storage.errors import perhaps_elsewhere, reason_of, storage_failures
from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path, text_of_path
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME
from airflow_provider_sfjwt.load.reading.file_rows import FileRows
from airflow_provider_sfjwt.load.reading.partitions import partitions_of
from airflow_provider_sfjwt.load.reading.source_argument import WILDCARD, fault_of_source, paths_of

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath


def find_files(
    source: object, file_format: str | None, options: ReadOptions, *, ignores_nameless: bool
) -> list[FileRows]:
    """Find the files that a task's ``source`` names.

    :param source: paths, globs, a folder with a receipt, or what an extract returned.
    :param file_format: overrides the endings; None takes the format from them.
    :param options: how files are read that are named by a path or a glob.
    :param ignores_nameless: whether columns without a name are left out; else they must be empty.
    :raises ConfigurationError: if there are no files, or one cannot be loaded.
    :raises SalesforceError: retryable, if the storage fails.
    """
    if file_format is not None and file_format not in FORMATS:
        raise ConfigurationError({"file_format": fault_of_format(file_format)}, subject="the task")
    if fault := fault_of_source(source):
        raise ConfigurationError({"source": fault}, subject="the task")
    if isinstance(source, Mapping):
        found = [(file, "") for file in _of_receipt(text_of_path(source["receipt"]) or "")]
    else:
        found = [(file, each) for each in paths_of(source) for file in _of_path(each, file_format, options)]
    files = [file for file, _ in found]
    _check_twice(files)
    _check_options(files, options)
    return [
        FileRows(
            file,
            partitions_of(str(file.path), pattern) if file.part is None and WILDCARD.search(pattern) else {},
            ignores_nameless=ignores_nameless,
        )
        for file, pattern in found
    ]


def _check_options(files: Sequence[InputFile], options: ReadOptions) -> None:
    """Refuse what does not go with the files that were found."""
    given = {"delimiter": options.delimiter, "header": options.header}
    if options.encoding != AS_IT_IS.encoding:
        given["encoding"] = options.encoding
    for argument in (name for name, value in given.items() if value is not None):
        for file in files:
            if file.part is not None:
                raise unreadable(file.name, "it is part of an extract, whose receipt says how it is read", argument)
            if file.file_format == "parquet" or (file.file_format != "csv" and argument != "encoding"):
                goes_with = "csv and jsonl" if argument == "encoding" else "csv"
                raise unreadable(
                    file.name, f"its format is {file.file_format}, and this goes with {goes_with}", argument
                )


def _check_twice(files: Sequence[InputFile]) -> None:
    """See that no file has two names, e.g. its own and that of a link to it."""
    seen: dict[str, str] = {}
    for file in files:
        place = os.path.realpath(file.path.path) if is_local(file.path) else file.name
        if place in seen:
            how = "it is named twice" if seen[place] == file.name else f"it is the same file as {seen[place]}"
            raise unreadable(file.name, f"{how}, so that its rows would be loaded twice")
        seen[place] = file.name


def _path(text: str) -> StoragePath:
    try:
        return storage_path(text)
    except storage_failures(ValueError, ImportError) as error:
        raise unreadable(text, f"it cannot be opened: {reason_of(error)}") from error


def _of_path(text: str, file_format: str | None, options: ReadOptions) -> list[InputFile]:
    path = _path(text)
    if text.rstrip("/").rpartition("/")[2] == RECEIPT_NAME:
        return _of_receipt(text)
    try:
        if WILDCARD.search(text) and not path.exists():
            return _of_glob(path, text, file_format, options)
        if path.is_dir():
            return _of_receipt(f"{text.rstrip('/')}/{RECEIPT_NAME}")
        if not path.exists():
            raise unreadable(text, f"there is no such file{perhaps_elsewhere(text)}")
    except (FileNotFoundError, PermissionError) as error:
        raise unreadable(text, f"it cannot be opened: {reason_of(error)}") from error
    except storage_failures() as error:
        raise unread(text, error) from error
    return [input_file(path, file_format, None, options)]


def _of_glob(path: StoragePath, text: str, file_format: str | None, options: ReadOptions) -> list[InputFile]:
    fs = path.fs
    if is_local(path):
        from airflow_provider_sfjwt.files.storage.symlinks import FollowedLinks

        fs = FollowedLinks()
    fs.invalidate_cache()
    try:
        found = fs.glob(path.path, detail=True)
    except ValueError as error:  # e.g. **.csv
        raise unreadable(text, f"it is not a pattern: {error}") from error
    names = sorted(name for name, entry in found.items() if _is_file(fs, name, entry))
    if not names:
        raise unreadable(text, "no file matches this pattern")
    stem = text.split("://", 1)[0] + "://" if "://" in text else ""
    if stem and not is_local(path) and (conn_id := conn_id_of(path)):
        stem += f"{conn_id}@"
    return [input_file(_path(stem + name), file_format, None, options) for name in names]


def _is_file(fs: Any, name: str, entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a folder is a file, or a link to one, and not a folder."""
    kind = entry["type"]
    if kind not in ("file", "directory"):
        try:
            kind = fs.info(name)["type"]
        except FileNotFoundError:
            raise unreadable(name, "it is a link to a file that does not exist") from None
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
        reason = "there is no receipt, so it is unknown which files belong to the data. Give a glob instead"
        raise unreadable(text, f"{reason}{perhaps_elsewhere(text)}")
    files = [input_file(folder / part.name, receipt.file_format, part) for part in receipt.parts]
    for file, part in zip(files, receipt.parts, strict=True):
        if not file.path.exists():
            raise unreadable(file.name, "the receipt lists this part, and it is gone")
        if file.path.stat().st_size != part.bytes:
            raise unreadable(file.name, "it is not the part that the receipt lists: its size differs")
    return files
