"""The receipt of an extract: what was read, the proof that it is complete, and its files.

``_receipt.json`` is written last and is the commit point: without one, nothing in the folder may be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.storage.receipts import (
    RECEIPT_NAME,
    OutputFile,
    Writer,
    kind_of_receipt,
    receipt_text,
)
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

RECEIPT_VERSION = 2
#: The kind of a receipt whose rows are new values of formula fields.
FORMULAS = "formulas"
#: What this package reads. Version 1 lacks the keys from ``org_id`` on.
READABLE_VERSIONS = (1, 2)
#: The file has these keys only where they have a value.
_ONLY_WHERE_GIVEN = ("written_by", "cursor_field", "condition_sha256", "backfilled", "formulas", "sql", "jobs")
#: Marks a field of :class:`Receipt` that the file does not have.
_NOT_IN_FILE = {"in_file": False}


#: What a file of deleted records holds: the id, and the moment up to which the record's states are void.
DELETION_COLUMNS = (Column("Id", "id"), Column("DeletedDate", "datetime"))


@dataclass(frozen=True)
class Counts:
    """The three counts that must agree for an extract to be complete.

    :param written: rows in the parts.
    :param pages: the sum of what Salesforce declared for each page (``Sforce-NumberOfRecords``).
    :param job: the job's own figure (``numberRecordsProcessed``); over REST that of the query (``totalSize``).
    """

    written: int
    pages: int
    job: int | None


@dataclass(frozen=True)
class Backfill:
    """Rows that were extracted before and come again, with fields that are new.

    :param fields: the new fields.
    :param condition: in SOQL, of the rows that have values of them.
    """

    fields: tuple[str, ...]
    condition: str


@dataclass(frozen=True)
class ChainLink:
    """What ties a receipt to the one before it, where every window begins at the end of the last one.

    :param sequence: place in the chain, from 1.
    :param previous: the ``receipt`` before it, as a path relative to the folder that the chain is in, and the
        ``sha256`` of its text in hex; None for the first one.
    :param cursor_field: the date-time field that the windows follow, or None where each data set holds all rows.
    :param condition_sha256: of what decides which rows and columns the chain has.
    :param deletes: what is known of deleted rows up to the window's end, as :attr:`Receipt.deletes`.
    :param drift: how the columns differ from those of the receipt before it; None for the first one.
    :param backfill: which rows before the window come again; None for no rows.
    """

    sequence: int
    previous: Mapping[str, str] | None
    cursor_field: str | None
    condition_sha256: str
    deletes: Mapping[str, Any] | None = None
    drift: Mapping[str, list[str]] | None = None
    backfill: Backfill | None = None

    def in_receipt(self) -> dict[str, Any]:
        """The fields of the receipt that say it."""
        content = self.to_json()
        backfill = content.pop("backfill")
        return {**content, "backfilled": tuple(backfill["fields"]) if backfill else None}

    def to_json(self) -> dict[str, Any]:
        """The link as JSON, for who carries it to another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ChainLink:
        """Read what :meth:`to_json` wrote.

        :param content: decoded.
        """
        backfill = content.get("backfill")
        given = Backfill(tuple(backfill["fields"]), backfill["condition"]) if backfill else None
        return cls(**{**content, "backfill": given})


@dataclass(frozen=True)
class Receipt:
    """Proof of an extract. The fields are those of ``_receipt.json``, version 2; of version 1, the later ones are null.

    :param sobject: the object, or None if the SOQL does not show it.
    :param soql: the query that ran; None for the rows of a SQL query.
    :param window: start and end in ISO 8601 of the rows' cursor field, or None for all rows.
    :param job_id: the Bulk API 2.0 job, or None for an extract over REST.
    :param api_version: that the query ran in; None for the rows of a SQL query.
    :param records: rows in the data set.
    :param counts: the three counts that agree.
    :param parts: the files, in the order of the result.
    :param columns: name, Salesforce type and Arrow type of each column, in order.
    :param drift: columns that were added, removed or retyped since the receipt that this one replaces; None if there
        was no receipt.
    :param file_format: ``parquet``, ``csv`` or ``jsonl``.
    :param api_calls: requests that counted against the org's allocation.
    :param seconds: from the start of the task (or of its resumption) to the receipt.
    :param package_version: of this package.
    :param transport: ``bulk`` or ``rest``; ``sql`` for the rows of a SQL query.
    :param written_by: the task instance that wrote it; None outside a task, and then the file lacks the key.
    :param org_id: the org's 18-character id; null if Salesforce did not say.
    :param host: of the org.
    :param numbers: how fractional numbers were kept: ``decimal``, ``float64`` or ``described``.
    :param rounded: how many numbers of a column were rounded half-even after the 18th decimal place, by its name.
    :param widened: columns that hold doubles, because a number did not fit the type that was asked for.
    :param kind: ``full`` for all rows, ``changes`` for those of a window, ``formulas`` for new values of formula
        fields: its rows have ``Id`` and these columns alone, and change nothing else in the rows that a reader has.
    :param sequence: place in a chain of receipts; null outside one.
    :param previous: the receipt before it in the chain; null outside one.
    :param deletes: where deletions come from; null if they are not extracted apart.
    :param schema_sha256: of the names and types of the columns.
    :param cursor_field: of a chain: the field that its windows follow; None outside one, and then the file lacks the
        key.
    :param condition_sha256: of a chain: of what decides which rows and columns it has; None outside one, and then the
        file lacks the key.
    :param backfilled: of a chain: new fields, for which rows before the window are among the rows as well; None where
        there are none, and then the file lacks the key.
    :param formulas: the columns whose values may change while ``SystemModstamp`` stays: formula fields and fields of
        parents. None for the rows of a SQL query and before 0.2.0, and then the file lacks the key.
    :param sql: of a SQL query: its text as ``query``, its connection as ``conn_id``, and ``sha256`` of both and of the
        parameters. None for an extract, and then the file lacks the key.
    :param jobs: where the rows are those of several Bulk API 2.0 jobs: ``id``, ``soql`` and ``records`` of each, and
        ``job_id`` is null. None for one job, and then the file lacks the key.
    :param output_path: the folder. The file does not name it, so that both can be moved together.
    """

    sobject: str | None
    soql: str | None
    window: tuple[str, str] | None
    job_id: str | None
    api_version: str | None
    records: int
    counts: Counts
    parts: tuple[OutputFile, ...]
    columns: tuple[Mapping[str, str], ...]
    drift: Mapping[str, list[str]] | None
    file_format: str
    api_calls: int
    seconds: float
    package_version: str
    transport: str = "bulk"
    written_by: Writer | None = None
    org_id: str | None = None
    host: str | None = None
    numbers: str | None = None
    rounded: Mapping[str, int] | None = None
    widened: tuple[str, ...] | None = None
    kind: str | None = None
    sequence: int | None = None
    previous: Mapping[str, str] | None = None
    deletes: Mapping[str, Any] | None = None
    schema_sha256: str | None = None
    cursor_field: str | None = None
    condition_sha256: str | None = None
    backfilled: tuple[str, ...] | None = None
    formulas: tuple[str, ...] | None = None
    sql: Mapping[str, str] | None = None
    jobs: tuple[Mapping[str, Any], ...] | None = None
    output_path: str = field(default="", metadata=_NOT_IN_FILE)
    receipt_version: int = field(default=RECEIPT_VERSION)

    @classmethod
    def of_sql_rows(
        cls,
        parts: Sequence[OutputFile],
        columns: Sequence[Mapping[str, str]],
        seconds: float,
        written_by: Writer | None,
        *,
        sobject: str | None = None,
        sql: Mapping[str, str] | None = None,
        folder: str = "",
        replaced: Receipt | None = None,
    ) -> Receipt:
        """The receipt of rows that did not come from Salesforce: Parquet files, all rows at once.

        :param parts: the files.
        :param columns: as the receipt lists them.
        :param seconds: how long it took.
        :param written_by: the task instance; None outside a task.
        :param sobject: the object that the rows are about.
        :param sql: the query, as in the field of that name.
        :param folder: of the data set.
        :param replaced: the receipt that this one replaces.
        """
        records = sum(part.records for part in parts)
        return cls(
            sobject=sobject,
            soql=None,
            window=None,
            job_id=None,
            api_version=None,
            records=records,
            counts=Counts(written=records, pages=records, job=None),
            parts=tuple(parts),
            columns=tuple(columns),
            drift=drift_between(replaced, tuple(columns)),
            file_format="parquet",
            api_calls=0,
            seconds=round(seconds, 3),
            package_version=__version__,
            transport="sql",
            written_by=written_by,
            kind="full",
            schema_sha256=schema_hash(columns),
            sql=sql,
            output_path=folder,
        )

    def to_json(self) -> str:
        """The text of ``_receipt.json``."""
        content = asdict(self)
        names = ["receipt_version", *self._names_in_file()]
        lacking = {name for name in _ONLY_WHERE_GIVEN if content[name] is None}
        return json.dumps({name: content[name] for name in names if name not in lacking}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, output_path: str) -> Receipt:
        """Read a receipt.

        :param text: of ``_receipt.json``.
        :param output_path: the folder that it is in.
        :raises ProtocolError: if it is not the receipt of an extract, or of a version that this package cannot read.
        """
        if kind_of_receipt(text) == "load":
            raise ProtocolError(
                f"{output_path} is the results folder of a load: its {RECEIPT_NAME} is the load's report, not the "
                "receipt of an extract"
            )
        try:
            content = decode_json(text)
            version = content["receipt_version"]
            if version not in READABLE_VERSIONS:
                raise ProtocolError(
                    f"{output_path} holds a receipt of version {version}, which is newer than this package. Upgrade "
                    "airflow-provider-sfjwt"
                )
            # A newer release may write more keys in the same version; it may not leave out any that is known here.
            known = {name: content[name] for name in cls._names_in_file() if name in content}
            return cls(
                **{
                    **known,
                    "window": tuple(content["window"]) if content["window"] else None,
                    "counts": Counts(**content["counts"]),
                    "parts": tuple(OutputFile(**part) for part in content["parts"]),
                    "columns": tuple(content["columns"]),
                    "written_by": Writer.from_json(content.get("written_by")),
                    "backfilled": tuple(content["backfilled"]) if content.get("backfilled") else None,
                    "formulas": tuple(content["formulas"]) if content.get("formulas") is not None else None,
                    "jobs": tuple(content["jobs"]) if content.get("jobs") else None,
                    "widened": tuple(content["widened"]) if content.get("widened") is not None else None,
                    "receipt_version": version,
                },
                output_path=output_path,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"{output_path}/{RECEIPT_NAME} is not a receipt: {error}") from None

    @classmethod
    def _names_in_file(cls) -> list[str]:
        return [each.name for each in fields(cls) if each.metadata.get("in_file", True)]

    @property
    def only_formulas(self) -> bool:
        """Whether its rows have ``Id`` and formula fields alone."""
        return self.kind == FORMULAS

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The Bulk API 2.0 jobs whose rows these are."""
        return tuple(job["id"] for job in self.jobs or ()) or ((self.job_id,) if self.job_id else ())

    @property
    def deleted_parts(self) -> tuple[OutputFile, ...]:
        """The files that list deleted records, with :data:`DELETION_COLUMNS`; they are not among ``parts``."""
        return tuple(OutputFile(**part) for part in (self.deletes or {}).get("parts", ()))

    @property
    def files(self) -> tuple[OutputFile, ...]:
        """All files that the receipt lists."""
        return (*self.parts, *self.deleted_parts)

    def summary(self) -> dict[str, Any]:
        """The XCom of an operator: small, and enough to find the rest."""
        return {
            "receipt": f"{self.output_path.rstrip('/')}/{RECEIPT_NAME}",
            "output_path": self.output_path,
            "records": self.records,
            "job_id": self.job_id,
            "window": list(self.window) if self.window else None,
        }


def column_entry(column: Column) -> dict[str, str]:
    """A column as the receipt lists it.

    :param column: the column.
    """
    return {"name": column.name, "salesforce_type": column.type, "arrow_type": column.arrow_type}


def schema_hash(columns: Iterable[Mapping[str, str]]) -> str:
    """A SHA-256 in hex of the names and types of columns, in their order.

    :param columns: as the receipt lists them.
    """
    return sha256(json.dumps([dict(column) for column in columns], sort_keys=True).encode()).hexdigest()


def drift_between(before: Receipt | None, columns: tuple[Mapping[str, str], ...]) -> dict[str, list[str]] | None:
    """How the columns changed.

    :param before: the receipt that is replaced, or None.
    :param columns: the new columns.
    :return: the names that were ``added``, ``removed`` and ``retyped``; None without an earlier receipt.
    """
    if before is None:
        return None
    old = {each["name"]: each for each in before.columns}
    new = {each["name"]: each for each in columns}
    return {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "retyped": [name for name in new if name in old and dict(new[name]) != dict(old[name])],
    }


def read_receipt(folder: StoragePath) -> Receipt | None:
    """Read the receipt of a folder.

    :param folder: the data set's folder.
    :return: None if there is no receipt, so that nothing in the folder may be read.
    :raises ProtocolError: if it is not the receipt of an extract.
    """
    text = receipt_text(folder)
    return None if text is None else Receipt.from_json(text, str(folder))
