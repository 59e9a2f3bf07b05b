"""What storages complain of, told by the argument of the task that named them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError

#: What names the folder that rows are staged in.
TEMPORARY = "the worker's disk for temporary files, see TMPDIR"
#: What a failure to write there means for the data.
_LEFT = {
    "output_path": "Nothing was published. ",
    "results_path": "No receipt was written; what Salesforce has accepted stays there. ",
}
#: Errors of object stores' clients that are no OSErrors, and the modules that define them.
_OF_CLIENTS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
)
#: What a path or its connection is to blame for. Anything else may pass.
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
    """What a storage may raise: OSErrors, and what the clients that have been loaded raise beside them.

    :param others: what is to be caught as well.
    """
    of_clients = (getattr(sys.modules.get(module), name, None) for module, name in _OF_CLIENTS)
    return *others, OSError, *(each for each in of_clients if each is not None)


def reason_of(error: Exception) -> str:
    """What a storage complains of, in its own words.

    :param error: what it raised.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextmanager
def usable_folder(path: str, argument: str) -> Iterator[None]:
    """Look at a folder before anything is done.

    :param path: the folder.
    :param argument: of the task, that names it.
    :raises ConfigurationError: when it cannot be written.
    :raises SalesforceError: retryable, when its storage fails.
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
    """Turn what a storage complains of into an error that names it.

    :param path: the folder that is written, for the message.
    :param argument: of the task, that names the folder; or what else does.
    :raises SalesforceError: retryable, for any error of the storage.
    """
    try:
        yield
    except storage_failures() as error:
        raise SalesforceError(
            f"writing to {path} ({argument}) failed: {reason_of(error)}. {_LEFT.get(argument, '')}Check space and "
            "permissions there.",
            retryable=True,
        ) from error
