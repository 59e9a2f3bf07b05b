"""The events that OpenLineage's own provider wrote into a file while a DAG ran."""

from __future__ import annotations

import json
from typing import Any

from tests.lineage.conftest import Run
from tests.lineage.graph import lines_of

ORG = "salesforce://127.0.0.1"


def names(data_sets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in data_sets]


def test_extract_and_load_are_one_graph(run: Run) -> None:
    graph = list(lines_of(run.of("extract") + run.of("load")))
    print("\n".join(graph))
    files = f"file:{run.lake}/accounts"
    assert graph == [
        "moving.extract",
        f"  reads   {ORG}/Account",
        f"  writes  {files} (25 rows)",
        f"            AnnualRevenue <- {ORG}/Account.AnnualRevenue",
        f"            Id <- {ORG}/Account.Id",
        f"            Name <- {ORG}/Account.Name",
        "moving.load",
        f"  reads   {files}",
        f"  writes  {ORG}/Contact (25 rows)",
        f"            LastName <- {files}.Name",
    ]


def test_every_event_of_a_task_has_the_same_direction(run: Run) -> None:
    account = [(ORG, "Account")]
    for task, folder in (
        ("extract", "accounts"), ("deferred", "ids"), ("watermark", "changes"), ("refused", "refused")
    ):  # fmt: skip
        for event in run.of(task):
            assert (names(event["inputs"]), names(event["outputs"])) == (account, [("file", f"{run.lake}/{folder}")])
    for event in run.of("load"):
        assert names(event["inputs"]) == [("file", f"{run.lake}/accounts")]
        assert names(event["outputs"]) == [(ORG, "Contact")]
    for event in run.of("query"):
        assert (names(event["inputs"]), names(event["outputs"])) == (account, [])


def test_a_deferred_task_begins_twice_and_completes_once(run: Run) -> None:
    kinds = [event["eventType"] for event in run.of("deferred")]
    assert kinds == ["START", "START", "COMPLETE"]
    assert [event["eventType"] for event in run.of("extract")] == ["START", "COMPLETE"]


def test_each_instance_of_a_mapped_task_has_its_own_data_sets(run: Run) -> None:
    found = [(names(event["inputs"]), names(event["outputs"])) for event in run.of("mapped", "COMPLETE")]
    assert sorted(found) == [
        ([(ORG, name)], [("file", f"{run.lake}/mapped/{name}")]) for name in ("Account", "Contact")
    ]


def test_a_failed_task_says_what_it_was_about(run: Run) -> None:
    (event,) = run.of("refused", "FAIL")
    assert event["job"]["facets"]["sql"]["query"] == "SELECT Id FROM Account WHERE Nowhere = 1"
    assert "Nowhere" in event["run"]["facets"]["errorMessage"]["message"]


def test_a_complete_extract_has_its_schema_query_job_and_counts(run: Run) -> None:
    (event,) = run.of("extract", "COMPLETE")
    (source,), (target,) = event["inputs"], event["outputs"]
    assert [(each["name"], each["type"]) for each in source["facets"]["schema"]["fields"]] == [
        ("Id", "id"), ("Name", "string"), ("AnnualRevenue", "currency")
    ]  # fmt: skip
    assert [(each["name"], each["type"]) for each in target["facets"]["schema"]["fields"]] == [
        ("Id", "string"), ("Name", "string"), ("AnnualRevenue", "decimal128(38, 18)")
    ]  # fmt: skip
    assert source["facets"]["salesforce_org"]["orgId"] == run.org_id
    assert source["facets"]["symlinks"]["identifiers"] == [
        {"namespace": "salesforce://salesforce_jwt_default", "name": "Account", "type": "AIRFLOW_ASSET"}
    ]
    sql = event["job"]["facets"]["sql"]
    assert (sql["dialect"], sql["query"]) == ("soql", "SELECT Id, Name, AnnualRevenue FROM Account")
    query = event["run"]["facets"]["externalQuery"]
    assert query["externalQueryId"].startswith("750")
    assert query["source"] == "https://127.0.0.1"
    written = target["outputFacets"]["outputStatistics"]
    assert (written["rowCount"], written["fileCount"]) == (25, 1)
    assert written["size"] == sum(part.stat().st_size for part in (run.lake / "accounts").glob("part-*"))
    (made_of,) = target["facets"]["columnLineage"]["fields"]["Name"]["inputFields"]
    assert made_of["transformations"][0]["subtype"] == "IDENTITY"


def test_the_hook_in_a_task_reports_what_it_reads_and_writes(run: Run) -> None:
    (event,) = run.of("by_hook", "COMPLETE")
    # dag.test() runs all tasks in one process, so that they share a collector: what one reads may be there twice.
    assert set(names(event["inputs"])) == {(ORG, "Contact"), (ORG, "Account")}
    assert names(event["outputs"]) == [(ORG, "Lead"), ("file", f"{run.lake}/by_hook")]
    assert {each["facets"]["salesforce_org"]["orgId"] for each in event["inputs"]} == {run.org_id}


def test_a_sync_reads_its_objects_and_writes_the_folders_of_their_receipts(run: Run) -> None:
    (event,) = run.of("step.small", "COMPLETE")
    # `dag.test()` runs all tasks in one process, and what hooks of earlier ones reported is still there.
    assert (ORG, "Account") in names(event["inputs"])
    written = [name for namespace, name in names(event["outputs"]) if namespace == "file"]
    assert sum(name.startswith(f"{run.lake}/step/Account/w=00000001_") for name in written) == 1


def test_lineage_that_fails_fails_no_task(run: Run) -> None:
    (event,) = run.of("broken", "COMPLETE")
    assert set(names(event["inputs"])) <= {(ORG, "Account"), (ORG, "Contact")}  # what hooks have reported
    complaints = [line for line in run.output.splitlines() if "OpenLineage method failed" in line]
    assert complaints
    assert all("no lineage today" in line for line in complaints)


def test_no_event_holds_a_secret(run: Run) -> None:
    text = json.dumps(run.events)
    assert [secret for secret in run.secrets if secret in text] == []
