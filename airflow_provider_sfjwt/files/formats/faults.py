"""What is wrong with an input: a file that cannot be read at all, or a row or cell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_sfjwt.exceptions import ConfigurationError


@dataclass(frozen=True)
class Fault:
    """Something in the input that keeps the load from being sent.

    :param file: the file, or ``rows``.
    :param row: 1 is the first row of data; None means the whole file or column.
    :param column: its name; None means the whole row.
    :param message: what is wrong.
    """

    file: str
    row: int | None
    column: str | None
    message: str


def unreadable(name: str, reason: str, argument: str = "source") -> ConfigurationError:
    """The error for a file that cannot be loaded.

    :param name: the file.
    :param reason: what is wrong with it.
    :param argument: of the task, the one to change.
    """
    error = ConfigurationError({argument: f"{name}: {reason}"}, subject="the task")
    error.brief = f"{argument} {name.rpartition('/')[2]}: {reason}"
    return error


def checked_columns(names: Sequence[str], name: str) -> tuple[str, ...]:
    """Check that no two columns have the same name. Columns whose name is blank are left to the load.

    :param names: the columns of a file.
    :param name: of the file.
    :return: the columns.
    :raises ConfigurationError: otherwise.
    """
    for each in names:
        if names.count(each) > 1:
            raise unreadable(name, f"its header names column {each} {names.count(each)} times")
    return tuple(names)
