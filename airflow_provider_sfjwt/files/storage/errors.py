"""Turns errors of a storage into errors that name the task's argument."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError

#: The folder that rows are staged in, for messages.
TEMPORARY = "the worker's disk for temporary files, see TMPDIR"
#: What a failure to write there means for the data, by argument.
_CONSEQUENCES = {
    "output_path": "Nothing was published. ",
    "results_path": "No receipt was written; Salesforce keeps the rows that it has accepted. ",
}
#: Errors of object stores' clients that do not derive from OSError, and the modules that define them.
_OF_CLIENTS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
)
#: What brings the file system of a path, by the path's scheme.
_PACKAGES = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
}
#: Errors that a path or its connection causes. A retry may help against any other.
_OF_PATHS = (
    ValueError,
    ImportError,
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)


def storage_failures(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """The errors that a storage may raise: OSError, and those of the clients that are imported.

    :param others: errors to catch as well.
    """
    of_clients = (getattr(sys.modules.get(module), name, None) for module, name in _OF_CLIENTS)
    return *others, OSError, *(each for each in of_clients if each is not None)


def reason_of(error: Exception) -> str:
    """The reason of a storage's error, in its own words.

    :param error: what it raised.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    package = next(
        (name for scheme, name in _PACKAGES.items() if reason.endswith(f"registered for scheme {scheme}")), ""
    )
    return f"{reason}: install {package} where the task runs" if package else reason


@contextmanager
def usable_folder(path: str, argument: str) -> Iterator[None]:
    """Turn the errors of a first look at a folder into errors that name it.

    :param path: the folder.
    :param argument: of the task, the one that names the folder.
    :raises ConfigurationError: if the folder cannot be written.
    :raises SalesforceError: retryable, if its storage fails.
    """
    try:
        yield
    except SalesforceError:
        raise
    except _OF_PATHS as error:
        message = (
            f"{path} cannot be written: {reason_of(error)}. Check the path, the connection before its @, and the "
            "permissions of the machine where the task runs"
        )
        raise ConfigurationError({argument: message}, subject="the task") from error
    except storage_failures() as error:
        raise SalesforceError(
            f"{path} ({argument}) cannot be used now: {reason_of(error)}. Nothing was sent. Check its storage, and "
            "the connection before its @.",
            retryable=True,
        ) from error


@contextmanager
def storage_errors(path: str, argument: str = "output_path") -> Iterator[None]:
    """Turn the errors of writing to a folder into errors that name it.

    :param path: the folder.
    :param argument: of the task, the one that names the folder; or ``TEMPORARY``.
    :raises SalesforceError: retryable, for any error of the storage.
    """
    try:
        yield
    except storage_failures() as error:
        raise SalesforceError(
            f"writing to {path} ({argument}) failed: {reason_of(error)}. {_CONSEQUENCES.get(argument, '')}"
            f"{_what_to_do(path, error)}",
            retryable=True,
        ) from error


def _what_to_do(path: str, error: Exception) -> str:
    """What helps where a folder that was there cannot be written."""
    if isinstance(error, FileNotFoundError) and (elsewhere := perhaps_elsewhere(path)):
        return f"The task had a folder there before{elsewhere}."
    return "Check space and permissions there."


def perhaps_elsewhere(path: str) -> str:
    """What to add to a message of what is not there; nothing for an object store, which all machines share.

    :param path: what is not there.
    """
    if "://" in path and not path.startswith("file:"):
        return ""
    return (
        ". If another worker wrote there, on a disk of its own: give a folder in an object store, or one that every "
        "worker has mounted at this path"
    )
