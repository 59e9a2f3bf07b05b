"""What a ``_receipt.json`` of an extract and one of a load share: the name, the kind, the writer and the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

RECEIPT_NAME = "_receipt.json"


def kind_of_receipt(text: str) -> Literal["extract", "load"] | None:
    """Whether an extract or a load wrote a ``_receipt.json``.

    :param text: of the file.
    :return: None if neither did.
    """
    try:
        content = decode_json(text)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    if "receipt_version" in content:
        return "extract"
    return "load" if "report_version" in content else None


@dataclass(frozen=True)
class OutputFile:
    """A file that a task wrote, as its receipt lists it.

    :param name: the file's name within its folder.
    :param records: rows, the header not counted.
    :param bytes: its size.
    :param sha256: of its bytes, in hex.
    """

    name: str
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Writer:
    """The task instance that wrote a receipt.

    :param dag_id: of its DAG.
    :param run_id: of the DAG run.
    :param task_id: with the groups that the task is in.
    :param map_index: its place among the instances of a mapped task; -1 if it is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Writer | None:
        """The running task instance.

        :param context: Airflow's.
        :return: None outside a task, or if a unit test put a mock in its place.
        """
        instance = context.get("ti")
        dag_id, run_id, task_id = (getattr(instance, name, None) for name in ("dag_id", "run_id", "task_id"))
        index = getattr(instance, "map_index", None)
        if isinstance(dag_id, str) and isinstance(run_id, str) and isinstance(task_id, str):
            return cls(dag_id, run_id, task_id, index if isinstance(index, int) else -1)
        return None

    @classmethod
    def from_json(cls, content: object) -> Writer | None:
        """Read the writer that a receipt names.

        :param content: decoded; None if the receipt names no writer.
        """
        if not isinstance(content, Mapping):
            return None
        return cls(*(content[name] for name in cls.__dataclass_fields__))

    def conflicts_with(self, other: Writer | None) -> bool:
        """Whether ``other`` is a different task instance of the same DAG run, so that both files must be kept.

        :param other: the writer of the receipt that is already there; None if it is unknown.
        """
        same_run = other is not None and (other.dag_id, other.run_id) == (self.dag_id, self.run_id)
        return same_run and other != self

    def __str__(self) -> str:
        return f"task '{self.task_id}'" + (f", map index {self.map_index}" if self.map_index >= 0 else "")


def receipt_text(folder: StoragePath) -> str | None:
    """The text of a folder's ``_receipt.json``, or None if there is none.

    :param folder: of an extract or a load.
    """
    try:
        # Bytes that are not UTF-8 fail later, when the text is read as JSON.
        return (folder / RECEIPT_NAME).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
