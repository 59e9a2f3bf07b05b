"""A Spark job over the parts of a receipt finds the org's rows. It is collected in ``make soak`` alone: see conftest.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.repository import REPOSITORY

FORMATS = ("parquet", "csv", "jsonl")
FIELDS = [
    "Id", "Name", "Description", "AnnualRevenue", "NumberOfEmployees", "Opens__c", "SystemModstamp", "Owner.Name",
]  # fmt: skip


def spark(folders: dict[str, str]) -> dict[str, Any]:
    """What the job makes of data sets. :param folders: by their formats."""
    python = os.environ.get("SFJWT_SPARK")
    if python is None or shutil.which("java") is None:
        pytest.skip("missing: a Python with pyspark and fsspec (SFJWT_SPARK), and Java 17")
    done = subprocess.run(
        [python, "-m", "tests.examples.reading_with_spark", *(f"{name}={folder}" for name, folder in folders.items())],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYSPARK_PYTHON": python, "TZ": "UTC",
             "SPARK_LOCAL_IP": "127.0.0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(record: dict[str, Any]) -> list[str | None]:
    """A record of the org as the job prints it."""
    moment: datetime = record["SystemModstamp"].astimezone(timezone.utc).replace(tzinfo=None)
    revenue = record["AnnualRevenue"]
    return [
        record["Id"],
        record["Name"],
        record["Description"],
        None if revenue is None else f"{Decimal(str(revenue)):.18f}",
        "Integration User",
        str(moment),
    ]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_spark_job_over_a_receipts_parts_finds_the_orgs_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    with SimulatedOrg(records={"Account": 2000}, bulk_page_size=700, bulk_polls=0) as org:
        org.add_field("Account", Field("Opens__c", "time"))
        org.insert("Account", [{"Name": "NA", "Description": 'two\r\nlines, "q" \\', "Opens__c": "10:30:00.500Z"}])
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        for name in FORMATS:
            folder = tmp_path / name
            SalesforceJwtHook().extract(
                sobject="Account", fields=FIELDS, output_path=f"file://{folder}", file_format=name
            )
            # What a broken attempt leaves, which the receipt does not list.
            part = min(folder.glob("part-*"))
            part.with_name(f"part-00099-7505e00000ZZZZZAAA{part.suffix}").write_bytes(part.read_bytes())
        records = sorted(org.rows("Account"), key=lambda record: str(record["Id"]))

    found = spark({name: f"file://{tmp_path / name}" for name in FORMATS})

    revenue = sum(Decimal(str(record["AnnualRevenue"])) for record in records if record["AnnualRevenue"] is not None)
    employees = sum(int(record["NumberOfEmployees"]) for record in records if record["NumberOfEmployees"] is not None)
    for name in FORMATS:
        assert found[name]["sums"] == ["2001", "2001", f"{revenue:.4f}", str(employees)]
        assert found[name]["rows"] == [row(record) for record in records]
    said.append(
        f"Spark, over the parts of receipts: {len(records):,} rows in each of {', '.join(FORMATS)}, equal to the org's"
    )
