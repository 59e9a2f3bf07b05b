"""The example DAGs that extract, each run by ``dag.test()``."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.examples.conftest import ExampleAirflow
from tests.examples.outputs import DAY, NEXT_DAY, data_set
from tests.repository import EXAMPLES


@pytest.mark.parametrize("deferrable", ["False", "True"])
def test_extract_formats(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path, deferrable: str
) -> None:
    org.bulk_polls = 2
    environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = deferrable
    file = EXAMPLES / "extract_formats.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_extract_formats@{DAY}", **environment)

    assert run["state"] == "success"
    folder = tmp_path / "output/csv/accounts/ds=2026-11-10"
    receipt, (content,) = data_set(folder)
    wanted = [row for row in org.rows("Account") if row["Industry"] is not None]
    assert receipt["records"] == len(wanted)
    assert gzip.decompress(content).decode().splitlines()[0] == '"Id","Name","Industry","Owner.Name"'
    assert run["returned"]["accounts_csv"] == {
        "receipt": f"file://{folder}/_receipt.json",
        "output_path": f"file://{folder}",
        "records": len(wanted),
        "job_id": receipt["job_id"],
        "window": None,
    }
    _, (content,) = data_set(tmp_path / "output/jsonl/contacts/ds=2026-11-10")
    names = {row["Id"]: row["Name"] for row in org.rows("Account")}
    assert [json.loads(line) for line in content.decode().splitlines()] == [
        {"Id": row["Id"], "LastName": row["LastName"], "Account.Name": names[row["AccountId"]]}
        for row in org.rows("Contact")
        if row["AccountId"] is not None
    ]
    for index, sobject in enumerate(("Lead", "Opportunity")):
        receipt, _ = data_set(tmp_path / f"output/mapped/ds=2026-11-10/small_objects/{index}")
        assert (receipt["sobject"], receipt["records"]) == (sobject, len(org.rows(sobject)))
        assert (receipt["written_by"]["task_id"], receipt["written_by"]["map_index"]) == ("small_objects", index)
    # The triggerer signs in by itself; in dag.test() it is the same process and shares the token.
    assert org.logins == 1


def test_scheduled_extract(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    org.insert("Account", [{"Name": "changed", "SystemModstamp": datetime(2026, 11, 9, 12, tzinfo=timezone.utc)}])
    org.insert("Account", [{"Name": "changed later", "SystemModstamp": datetime(2026, 11, 10, tzinfo=timezone.utc)}])
    day = ["2026-11-09T00:00:00+00:00", DAY]

    (run,) = in_airflow("run_dag", str(EXAMPLES / "scheduled_extract.py"), f"scheduled_extract@{DAY}", **environment)

    assert run["state"] == "success"
    assert run["returned"]["extract_accounts"]["window"] == day
    receipt, _ = data_set(tmp_path / "output/account/day=2026-11-09")
    assert receipt["window"] == day
    table = pq.read_table(next((tmp_path / "output/account/day=2026-11-09").glob("part-*.parquet")))
    stamps = [row["SystemModstamp"] for row in org.rows("Account")]
    assert "changed" in table.column("Name").to_pylist()
    assert table.num_rows == sum(day[0] <= stamp.isoformat() < day[1] for stamp in stamps)


def test_watermark_extract(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    accounts = org.rows("Account")

    dag_id, consumer = "salesforce_watermark_extract", "salesforce_on_changed_accounts"
    runs = (f"{dag_id}@{DAY}", f"{dag_id}@{NEXT_DAY}", f"{consumer}@{NEXT_DAY}")
    first, second, by_hand = in_airflow("run_dag", str(EXAMPLES / "watermark_extract.py"), *runs, **environment)

    assert (first["state"], second["state"], by_hand["state"]) == ("success", "success", "success")
    assert by_hand["returned"] == {"receipts": []}  # dag.test() gives a run no triggering events
    begun, continued = (run["returned"]["changed_accounts"] for run in (first, second))
    assert begun["window"][0] == "1999-01-01T00:00:00+00:00"
    assert begun["window"][1] == continued["window"][0]
    # What changed within the last commit_lag seconds is left to the next run.
    settled = [row for row in accounts if row["SystemModstamp"].isoformat() < begun["window"][1]]
    assert begun["records"] == len(settled)
    data_set(tmp_path / "output/watermark/accounts/run=20261110T000000")
    assert first["events"] == [{"uri": "salesforce://salesforce_jwt_default/Account", "extra": begun}]
    assert (continued["records"], second["events"]) == (0, [])  # nothing changed, so emit_empty=False emits nothing


def test_watermark_extract_mapped(in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg) -> None:
    (run,) = in_airflow(
        "run_dag", str(EXAMPLES / "watermark_extract.py"), f"salesforce_watermark_mapped!{DAY}", **environment
    )
    assert run["state"] == "success"
    uris = [f"salesforce://salesforce_jwt_default/{name}" for name in ("Account", "Contact") if org.rows(name)]
    assert sorted(event["uri"] for event in run["events"]) == uris


def test_sparing_extract(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    org.bulk_page_size, org.bulk_polls = 5, 2
    opportunities = org.rows("Opportunity")
    file = EXAMPLES / "sparing_extract.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_sparing_extract@{DAY}", **environment)

    assert run["state"] == "success"
    receipt, parts = data_set(tmp_path / "output/sparing/opportunities/ds=2026-11-10")
    assert (receipt["transport"], receipt["records"]) == ("bulk", len(opportunities))
    assert len(parts) == -(-len(opportunities) // 5) > 1
    receipt, (content,) = data_set(tmp_path / "output/sparing/case_statuses/ds=2026-11-10")
    assert (receipt["transport"], receipt["job_id"]) == ("rest", None)
    assert len(content.splitlines()) == len(org.rows("CaseStatus")) > 0
    assert len(org.jobs) == 1
    amounts = run["returned"]["amount_by_stage"]
    assert set(amounts) == {row["StageName"] for row in opportunities}
    assert sum(map(Decimal, amounts.values())) == sum(Decimal(str(row["Amount"] or 0)) for row in opportunities)
