"""What a load is asked to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.exceptions import ConfigurationError, RecordsFailedError
from airflow_provider_sfjwt.load.reading.source_argument import fault_of_source

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.receipts import Writer
    from airflow_provider_sfjwt.load.reading.source_argument import Source as Source

#: Operations by the names that Bulk API 2.0 knows, and by those of other clients.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/create_job.htm
OPERATIONS = {
    "insert": "insert",
    "update": "update",
    "upsert": "upsert",
    "delete": "delete",
    "hardDelete": "hardDelete",
    "harddelete": "hardDelete",
    "hard_delete": "hardDelete",
}
NULL_POLICIES = ("ignore", "clear")
TRANSPORTS = ("auto", "bulk", "rest")
#: Rows that sObject Collections are used for at most: Salesforce's own advice takes Bulk API 2.0 above that.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet
MOST_OVER_REST = 2000


def _mapping(value: Any) -> str | None:
    """Fields by the names of columns."""
    if not isinstance(value, Mapping):
        return f"must map columns to fields, as in {{'e-mail': 'Email'}}, and is a {type(value).__name__}"
    for column, name in value.items():
        if fault := arguments.text(column):
            return f"has a column whose name {fault}"
        if name is not None and (fault := arguments.text(name)):
            return f"gives column {column} a field whose name {fault}; None leaves the column out"
    return None


#: What each argument must be, whatever the others are.
_KINDS: dict[str, arguments.Check] = {
    "sobject": arguments.name,
    "operation": arguments.text,
    "source": fault_of_source,
    "external_id_field": arguments.optional(arguments.name),
    "column_mapping": arguments.optional(_mapping),
    "null_policy": arguments.text,
    "max_failed_records": arguments.whole_number(0),
    "max_failed_ratio": arguments.optional(arguments.number(0, 1)),
    "results_path": arguments.optional(arguments.folder),
    "parallel_jobs": arguments.whole_number(1),
    "row_retries": arguments.whole_number(0),
    "group_by": arguments.optional(arguments.name),
    "transport": arguments.text,
    "assignment_rule_id": arguments.optional(arguments.name),
    "file_format": arguments.optional(arguments.text),
    "dry_run": arguments.flag,
    "poll_interval": arguments.seconds,
    "timeout": arguments.seconds,
    "part_bytes": arguments.whole_number(1000, 100_000_000),  # a job takes 100 MB of CSV
}


@dataclass(frozen=True)
class LoadOrder:
    """What is to be loaded, and where to. The fields are those of ``SalesforceJwtHook.load``.

    :param written_by: the task instance that loads, or None where there is none.
    """

    sobject: str
    operation: str
    source: Source
    external_id_field: str | None = None
    column_mapping: Mapping[str, str | None] | None = None
    null_policy: str = "ignore"
    max_failed_records: int = 0
    max_failed_ratio: float | None = None
    results_path: str | None = None
    parallel_jobs: int = 4
    row_retries: int = 2
    group_by: str | None = None
    transport: str = "auto"
    assignment_rule_id: str | None = None
    file_format: str | None = None
    dry_run: bool = False
    poll_interval: float = 30
    timeout: float = 43_200
    written_by: Writer | None = None
    part_bytes: int = 24 * 2**20

    @property
    def bulk_operation(self) -> str:
        """The operation as Bulk API 2.0 names it."""
        return OPERATIONS.get(self.operation, self.operation)

    @property
    def repeatable(self) -> bool:
        """Whether sending a row twice leaves the org as sending it once does."""
        return self.bulk_operation != "insert"

    def check(self) -> None:
        """See that the order makes sense, before anything is done.

        :raises ConfigurationError: with everything that is wrong, by the names of the arguments.
        """
        faults = arguments.faults_of(self, _KINDS)
        for name, fault in {**self._faults_of_operation(faults), **self._faults_of_choices()}.items():
            faults.setdefault(name, fault)
        if faults:
            raise ConfigurationError(faults, subject="the task")

    def _faults_of_operation(self, known: Mapping[str, str]) -> dict[str, str]:
        """What does not go with the operation, where it is a text at all."""
        if "operation" in known:
            return {}
        if self.operation not in OPERATIONS:
            return {"operation": f"'{self.operation}' is none of insert, update, upsert, delete, hardDelete"}
        if self.bulk_operation == "upsert" and self.external_id_field is None:
            return {"external_id_field": "is missing; upsert matches rows by it, e.g. Ext__c"}
        if self.bulk_operation != "upsert" and self.external_id_field is not None:
            return {"external_id_field": f"goes with upsert alone, and the operation is {self.operation}"}
        if self.transport == "rest" and self.bulk_operation == "hardDelete":
            return {"transport": "'rest' has no hardDelete; take 'bulk'"}
        return {}

    def _faults_of_choices(self) -> dict[str, str]:
        faults: dict[str, str] = {}
        if self.null_policy not in NULL_POLICIES:
            faults["null_policy"] = f"'{self.null_policy}' is neither 'ignore' (leave the field as it is) nor 'clear'"
        if self.transport not in TRANSPORTS:
            faults["transport"] = f"'{self.transport}' is none of {', '.join(TRANSPORTS)}"
        return faults

    def tolerates(self, lost: int, rows: int) -> bool:
        """Whether so many rows may come to nothing.

        :param lost: rows that Salesforce rejected or did not process.
        :param rows: rows in all.
        """
        by_ratio = 0 if self.max_failed_ratio is None else self.max_failed_ratio * rows
        return lost <= max(self.max_failed_records, by_ratio)

    def fingerprint(self) -> str:
        """Changes with whatever decides what a row of the source does in the org."""
        asked = [self.sobject, self.bulk_operation, self.external_id_field, self.assignment_rule_id]
        return sha256(json.dumps(asked).encode()).hexdigest()[:16]


def unknown_insert(order: LoadOrder, rows: int) -> RecordsFailedError:
    """The error for an insert over REST that an earlier try had begun.

    :param order: the load.
    :param rows: how many rows it has.
    """
    return RecordsFailedError(
        "an earlier try began to insert these rows over REST, which leaves no job to look up, so it cannot be told "
        "which of them were saved. Nothing was sent now. Compare the org with the source, then trigger a new run with "
        "what is missing; over transport='bulk' a load can be picked up.",
        job={},
        failed=rows,
        processed=rows,
        results_path=order.results_path,
    )


def begun_over_bulk(job_id: str) -> ConfigurationError:
    """The error for an insert over REST that an earlier try had begun over Bulk API 2.0.

    :param job_id: a job of that try.
    """
    return ConfigurationError(
        {
            "transport": f"an earlier try began to insert these rows over Bulk API 2.0, in job {job_id}, and over REST "
            "they would be inserted once more. Nothing was sent now. Give transport='bulk' again and clear the task: "
            "it sends only what was not accepted"
        },
        subject="the task",
    )
