"""A run of a load on the real Airflow, into an org of its own."""

from __future__ import annotations

import csv
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.held_answer import HeldAnswer
from tests.system.scenes import Scene

#: The path of a job itself; ids have 18 characters.
INGEST_JOB = "*/jobs/ingest/" + "?" * 18
#: How many rows, and the text of each. So much text as the second has makes two parts, and so two jobs.
SMALL, LARGE = (400, "a note"), (300, "x" * 100_000)


class LoadScene(Scene):
    """One run of the load into an org of its own, from a folder with a Parquet file."""

    task_id = "load"
    keys: list[str]
    #: Where the scene holds it back.
    second_upload: HeldAnswer

    def write(self, rows: int, notes: str) -> None:
        """Write the rows that are to be loaded."""
        self.keys = [f"{self.name}-{number}" for number in range(rows)]
        self.folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({"InvoiceKey__c": self.keys, "Notes__c": [notes] * rows})
        with (self.folder / "rows.parquet").open("wb") as file:
            pq.write_table(table, file)

    def written(self) -> list[str]:
        """The key of each row that is in the org."""
        return [row["InvoiceKey__c"] for row in self.org.rows("Invoice__c")]

    @property
    def states(self) -> list[str]:
        """Of the org's jobs, in the order in which they were made."""
        return [job["state"] for job in self.org.jobs.values()]

    def wait_until_half_done(self) -> None:
        """Until some rows of a job are saved, and others are not."""
        self.reach(lambda: any(job.get("numberRecordsProcessed") for job in self.org.jobs.values()), "rows are saved")
        assert "JobComplete" not in self.states

    def succeed_once(self) -> dict[str, Any]:
        """Wait for a run that is green: each row is in the org once, and in the results once."""
        self.airflow.wait_for_run(self.dag_id, run_id=self.run_id)
        saved = {row["InvoiceKey__c"]: row["Id"] for row in self.org.rows("Invoice__c")}
        assert len(self.org.rows("Invoice__c")) == len(self.keys)
        assert sorted(saved) == sorted(self.keys)
        summary: dict[str, Any] = self.airflow.xcom(self.dag_id, self.run_id, self.task_id)
        told = [row for row in self.results("succeeded") if saved[row["InvoiceKey__c"]] == row["sf__Id"]]
        assert [self.keys[int(row["row"]) - 1] for row in told] == [row["InvoiceKey__c"] for row in told]
        assert len(told) == summary["records"] == len(self.keys)
        return summary

    def results(self, kind: str) -> list[dict[str, str]]:
        """The rows of the results files."""
        csv.field_size_limit(2**31 - 1)
        rows: list[dict[str, str]] = []
        for file in sorted((self.folder / "results").glob(f"{kind}-*.csv")):
            with file.open(encoding="utf-8", newline="") as lines:
                rows += csv.DictReader(lines)
        return rows
