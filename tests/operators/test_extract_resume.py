"""A try that breaks off leaves its finished pages, and the next one fetches only what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.extract_task import FIELDS, RESULTS, WAYS, extract, published, receipt_of, rows_of, with_changes
from tests.operators.extract_troubles import full_disk

pytestmark = pytest.mark.usefixtures("no_waiting")


def broken_at_page(number: int, org: SimulatedOrg, context: dict[str, Any], path: Path, **arguments: Any) -> str:
    """A try that fails at one of the four pages, for a reason that passes."""
    org.add_fault(Fault(method="GET", path=RESULTS, nth=number, times=None, status=503))
    with pytest.raises(ApiError) as caught:
        run_to_end(extract(path, parallel_pages=1, **arguments), context)
    assert caught.value.retryable
    org.clear_faults()
    [job_id] = org.jobs
    return job_id


def pages_fetched(org: SimulatedOrg) -> int:
    return sum("/results" in request.path for request in org.requests)


@WAYS
def test_a_retry_fetches_only_the_missing_pages(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    job_id = broken_at_page(3, org, context, tmp_path, deferrable=deferrable)
    assert published(tmp_path) == [
        f"_page-00000-{job_id}.json", f"_page-00001-{job_id}.json",
        f"part-00000-{job_id}.csv", f"part-00001-{job_id}.csv",
    ]  # fmt: skip
    before = pages_fetched(org)
    result = run_to_end(extract(tmp_path, deferrable=deferrable, parallel_pages=1), context)
    assert pages_fetched(org) == before + 2
    assert result["job_id"] == job_id
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]
    assert published(tmp_path) == ["_receipt.json", *(f"part-0000{page}-{job_id}.csv" for page in range(4))]
    assert receipt_of(tmp_path)["api_calls"] == calls_made(org)  # those of both tries
    assert len(org.jobs) == 1


@pytest.mark.parametrize(
    ("second", "same_job"),
    [((2, 2), True), ((1, 1), True), ((1, 2), False)],
    ids=["retry", "resumed", "run made again"],
)
def test_a_run_that_was_deleted_and_made_again_begins_a_job_of_its_own(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, second: tuple[int, int], same_job: bool
) -> None:
    """Where state is kept in Variables, it outlives its run."""

    def attempt(try_number: int, moment: int) -> dict[str, Any]:
        made = f"{moment:08x}-0000-7000-8000-000000000000"
        names = {"dag_id": "dag", "run_id": "run", "task_id": "extract", "map_index": -1, "xcom_push": lambda **_: None}
        return {**context, "ti": SimpleNamespace(**names, id=made, try_number=try_number, max_tries=1)}

    job_id = broken_at_page(3, org, attempt(1, 1), tmp_path, deferrable=False)
    result = run_to_end(extract(tmp_path, deferrable=False), attempt(*second))
    assert (result["job_id"] == job_id) is same_job
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


def test_a_broken_page_among_several_at_once_is_the_only_one_fetched_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    locators = set()

    def spoil_one(headers: dict[str, str]) -> dict[str, str]:
        locators.add(headers["Sforce-Locator"])
        return headers

    org.add_fault(Fault(method="GET", path=RESULTS, nth=2, times=1, reset=True))
    org.add_fault(Fault(method="GET", path=RESULTS, times=None, edit_headers=spoil_one))
    run_to_end(extract(tmp_path), context)
    assert len(locators) == 4
    assert pages_fetched(org) == 5
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


def calls_made(org: SimulatedOrg) -> int:
    """What Salesforce counts: everything but the list of versions, refused calls included."""
    return sum(request.path.startswith("/services/data/v") for request in org.requests)


DAMAGES = {
    "a part that was cut": lambda path, job_id: (path / f"part-00000-{job_id}.csv").write_text("x"),
    "a part that is gone": lambda path, job_id: (path / f"part-00000-{job_id}.csv").unlink(),
    "a manifest that is half written": lambda path, job_id: (path / f"_page-00000-{job_id}.json").write_text('{"page"'),
    "a manifest of another release": lambda path, job_id: (path / f"_page-00000-{job_id}.json").write_text("{}"),
    "a manifest of another page": lambda path, job_id: _edit(path / f"_page-00000-{job_id}.json", locator="elsewhere"),
    "a manifest of other columns": lambda path, job_id: _edit(
        path / f"_page-00000-{job_id}.json", columns=[{"name": "Id", "type": "int"}]
    ),
}


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_trusted_is_fetched_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    job_id = broken_at_page(3, org, context, tmp_path)
    DAMAGES[damage](tmp_path, job_id)
    before = pages_fetched(org)
    run_to_end(extract(tmp_path, parallel_pages=1), context)
    assert pages_fetched(org) == before + 3
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


def test_a_retry_in_another_format_takes_the_job_and_not_the_files(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    job_id = broken_at_page(3, org, context, tmp_path)
    run_to_end(extract(tmp_path, file_format="jsonl", compression="gzip"), context)
    assert published(tmp_path) == ["_receipt.json", *(f"part-0000{page}-{job_id}.jsonl.gz" for page in range(4))]


def test_without_a_retry_to_come_nothing_is_left(org: SimulatedOrg, tmp_path: Path) -> None:
    org.add_fault(Fault(method="GET", path=RESULTS, nth=3, times=None, status=503))
    with pytest.raises(ApiError):
        SalesforceJwtHook().extract(
            sobject="Account", fields=FIELDS, output_path=f"file://{tmp_path}", parallel_pages=1
        )
    assert published(tmp_path) == []


def test_a_full_disk_keeps_what_is_whole(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    full_disk(org, tmp_path)
    with pytest.raises(SalesforceError, match=r"\(output_path\) failed: No space left on device") as caught:
        run_to_end(extract(tmp_path, parallel_pages=1), context)
    assert caught.value.retryable
    assert "_receipt.json" not in published(tmp_path)
    before = pages_fetched(org)
    run_to_end(extract(tmp_path, parallel_pages=1), context)
    assert pages_fetched(org) == before + 2
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


@WAYS
@pytest.mark.parametrize("fate", ["Failed", "Aborted", "gone"])
def test_a_job_that_was_picked_up_and_is_lost_is_replaced_once(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool, fate: str
) -> None:
    job_id = broken_at_page(3, org, context, tmp_path)
    lost = {"status": 404, "body": b'[{"errorCode":"NOT_FOUND","message":""}]'}
    what: dict[str, Any] = lost if fate == "gone" else {"edit_json": with_changes(state=fate, errorMessage="")}
    org.add_fault(Fault(method="GET", path=f"*/{job_id}", nth=2, times=None, **what))
    result = run_to_end(extract(tmp_path, deferrable=deferrable), context)
    assert len(org.jobs) == 2
    assert result["job_id"] != job_id
    assert receipt_of(tmp_path)["api_calls"] == calls_made(org)
    assert published(tmp_path) == ["_receipt.json", *(f"part-0000{page}-{result['job_id']}.csv" for page in range(4))]


def test_a_retry_after_the_timeout_still_takes_thewith_changes(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    job_id = broken_at_page(3, org, context, tmp_path, timeout=3600)
    context["task_state_store"].values["salesforce_bulk_job"]["created_at"] -= 7200
    assert run_to_end(extract(tmp_path, timeout=3600), context)["job_id"] == job_id


def test_a_session_that_dies_under_four_pages_is_renewed_once(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.add_fault(Fault(method="GET", path=RESULTS, times=4, delay=0.2))
    org.add_fault(Fault(method="GET", path=RESULTS, nth=1, expire_session=True))
    run_to_end(extract(tmp_path), context)
    assert org.logins == 2
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


def test_the_job_is_linked(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    operator = extract(tmp_path)
    result = run_to_end(operator, context)
    _, link = operator.operator_extra_links
    assert link.get_link(operator, ti_key=None) == (
        f"{org.url}/lightning/setup/AsyncApiJobStatus/page?address=%2F{result['job_id']}"
    )
    assert link.get_link(extract(tmp_path), ti_key=None) == ""


def test_a_job_that_took_a_lost_ones_place_is_remembered_though_it_fails(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    lost = broken_at_page(3, org, context, tmp_path)
    not_found = b'[{"errorCode":"NOT_FOUND","message":""}]'
    org.add_fault(Fault(method="GET", path=f"*/{lost}", nth=2, times=None, status=404, body=not_found))
    org.add_fault(Fault(method="GET", path=RESULTS, nth=2, times=None, status=503))
    with pytest.raises(ApiError):
        run_to_end(extract(tmp_path, parallel_pages=1), context)
    org.clear_faults()
    _, second = org.jobs
    assert run_to_end(extract(tmp_path, parallel_pages=1), context)["job_id"] == second
    assert len(org.jobs) == 2
