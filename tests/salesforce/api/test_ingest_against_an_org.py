"""Loads over a real connection, with what a network and an org do to them: no row lost, none there twice."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, TransportError
from airflow_provider_sfjwt.salesforce.api import bulk_ingest, bulk_job, collections, ingest_run
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import RESULT_SETS, IngestOrder
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.row_errors import is_retriable, parse_row_error
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.salesforce.api.clients import Client, settings_of
from tests.salesforce.api.ingest_answers import read_all
from tests.salesforce.wire.carriers import CARRIERS

ORDER = IngestOrder("Account", "insert")


@pytest.fixture
def running() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 0}) as started:
        yield started


@pytest.fixture
def worker(running: SimulatedOrg) -> Iterator[Client]:
    made = Client(CARRIERS["worker"], settings_of(running))
    yield made
    made.carrier.close()


@pytest.fixture
def triggerer(running: SimulatedOrg) -> Iterator[Client]:
    made = Client(CARRIERS["triggerer"], settings_of(running))
    yield made
    made.carrier.close()


def source(*names: str, header: str = "Name") -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO("".join(f"{line}\n" for line in (header, *names)).encode())


def names(running: SimulatedOrg) -> list[str]:
    return sorted(row["Name"] for row in running.rows("Account") if not row["IsDeleted"])


def fill(client: Client, *rows: str, order: IngestOrder = ORDER) -> JobRef:
    return client.run(bulk_ingest.fill_job, order, source(*rows)).ref  # type: ignore[no-any-return]


def run_jobs(client: Client, refs: list[JobRef], parallel_jobs: int = 2) -> list[bulk_job.Job]:
    options: dict[str, Any] = {"parallel_jobs": parallel_jobs, "poll_interval": 5.0, "remaining": lambda: 60.0}
    return client.run(ingest_run.run_jobs, refs, **options)  # type: ignore[no-any-return]


def results(client: Client, ref: JobRef, name: str) -> list[dict[str, str]]:
    content = client.run(bulk_ingest.result_set, ref, name, read_all)
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_jobs_are_filled_in_the_worker_and_run_from_the_triggerer(
    worker: Client, triggerer: Client, running: SimulatedOrg
) -> None:
    running.bulk_polls = 3
    refs = [fill(worker, f"a{number}", f"b{number}") for number in range(5)]
    assert names(running) == []
    jobs = run_jobs(triggerer, refs)
    assert [(job.ref, job.state, job.records_processed) for job in jobs] == [(ref, "JobComplete", 2) for ref in refs]
    assert names(running) == sorted(f"{letter}{number}" for letter in "ab" for number in range(5))
    for number, ref in enumerate(refs):
        saved, *others = (results(worker, ref, name) for name in RESULT_SETS)
        assert sorted(row["Name"] for row in saved) == [f"a{number}", f"b{number}"]
        assert others == [[], []]


LOST_ON_THE_WAY = {
    "create lost": Fault(method="POST", path="*/jobs/ingest", lose_answer=True),
    "create reset": Fault(method="POST", path="*/jobs/ingest", reset=True),
    "put lost": Fault(method="PUT", path="*/batches", lose_answer=True),
    "put reset": Fault(method="PUT", path="*/batches", reset=True),
    "put away": Fault(method="PUT", path="*/batches", status=503, body="<html>away</html>"),
    "put failed": Fault(method="PUT", path="*/batches", status=500),
    "put with a dead session": Fault(method="PUT", path="*/batches", expire_session=True),
    "patch lost": Fault(method="PATCH", path="*/jobs/ingest/*", lose_answer=True),
    "patch reset": Fault(method="PATCH", path="*/jobs/ingest/*", reset=True),
    "patch away": Fault(method="PATCH", path="*/jobs/ingest/*", status=503),
    "patch failed": Fault(method="PATCH", path="*/jobs/ingest/*", status=500),
    "patch with a dead session": Fault(method="PATCH", path="*/jobs/ingest/*", expire_session=True),
    "poll lost": Fault(method="GET", path="*/jobs/ingest/*", lose_answer=True),
    "polls away": Fault(method="GET", path="*/jobs/ingest/*", status=503, times=3),
    "results cut": Fault(method="GET", path="*/successfulResults/", cut_at=0.5),
    "results lost": Fault(method="GET", path="*/successfulResults/", lose_answer=True),
}


@pytest.mark.parametrize("second_upload", ["refused", "taken"])
@pytest.mark.parametrize("fault", LOST_ON_THE_WAY)
def test_every_row_arrives_once_whatever_gets_lost(
    worker: Client, running: SimulatedOrg, fault: str, second_upload: str
) -> None:
    running.refuse_second_upload = second_upload == "refused"
    running.add_fault(LOST_ON_THE_WAY[fault])
    refs = [fill(worker, "a", "b"), fill(worker, "c")]
    run_jobs(worker, refs)
    told = [row["Name"] for ref in refs for row in results(worker, ref, "successfulResults")]
    assert sorted(told) == names(running) == ["a", "b", "c"]
    states = Counter(running.jobs[each]["state"] for each in running.jobs)
    assert states["JobComplete"] == 2
    assert set(states) <= {"JobComplete", "Aborted", "Open"}


def test_an_upload_that_says_it_is_unclear_leaves_nothing_behind_but_its_job(
    worker: Client, running: SimulatedOrg
) -> None:
    job = worker.run(bulk_ingest.create_ingest_job, ORDER)
    running.add_fault(Fault(method="PUT", path="*/batches", lose_answer=True))
    with pytest.raises(TransportError) as caught:
        worker.run(bulk_ingest.upload, job.ref, source("a"))
    assert caught.value.request_was_sent
    assert worker.run(bulk_ingest.retire_job, job.ref).state == "Aborted"
    assert names(running) == []
    assert worker.run(bulk_ingest.close_job, job.ref).state == "Aborted"


@pytest.mark.parametrize("state", ["Open", "UploadComplete"])
def test_a_load_is_aborted_once(worker: Client, running: SimulatedOrg, state: str) -> None:
    running.bulk_polls = 100
    ref = fill(worker, "a")
    if state != "Open":
        worker.run(bulk_ingest.close_job, ref)
    assert worker.run(bulk_job.abort_job, ref) is True
    assert worker.run(bulk_job.abort_job, ref) is False
    assert worker.run(bulk_ingest.retire_job, ref).state == "Aborted"


def test_a_load_that_has_ended_stays_as_it_is(worker: Client) -> None:
    ref = fill(worker, "a")
    run_jobs(worker, [ref])
    assert worker.run(bulk_ingest.retire_job, ref).state == "JobComplete"
    assert worker.run(bulk_ingest.close_job, ref).state == "JobComplete"
    assert worker.run(bulk_ingest.retire_job, JobRef("7505e0000000zzzAAA", "67.0", "ingest")) is None


def test_rows_that_are_refused_say_why(worker: Client, running: SimulatedOrg) -> None:
    running.add_validation_rule("Account", lambda record: record["Name"] == "bad", "No: not this one", fields=("Name",))
    running.lock_records("Account", {"Name": "held"}, times=1)
    ref = fill(worker, "good", "bad", "held")
    (job,) = run_jobs(worker, [ref])
    assert job.state == "JobComplete"
    errors = {row["Name"]: parse_row_error(row["sf__Error"]) for row in results(worker, ref, "failedResults")}
    assert sorted(errors) == ["bad", "held"]
    assert errors["bad"] == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No: not this one", ("Name",))
    assert [name for name, error in errors.items() if is_retriable(error)] == ["held"]
    assert names(running) == ["good"]


def test_hard_delete_without_its_permission_is_explained(worker: Client) -> None:
    with pytest.raises(ConfigurationError, match="Bulk API Hard Delete"):
        worker.run(bulk_ingest.create_ingest_job, IngestOrder("Account", "hardDelete"))


def test_collections_do_the_same(worker: Client, triggerer: Client, running: SimulatedOrg) -> None:
    write = collections.write_collection
    made = worker.run(write, "insert", "Account", [{"Name": "a"}, {"Name": ""}, {"Name": "c"}])
    assert [(each.success, each.created) for each in made] == [(True, True), (False, None), (True, True)]
    assert made[1].errors[0].code == "REQUIRED_FIELD_MISSING"
    changed = triggerer.run(write, "update", "Account", [{"Id": made[0].id, "Name": "A"}])
    assert (changed[0].id, changed[0].created) == (made[0].id, False)
    assert names(running) == ["A", "c"]
    gone = worker.run(write, "delete", "Account", [{"Id": made[0].id}, {"Id": made[0].id}], all_or_none=True)
    assert [each.success for each in gone].count(True) == 0
    assert worker.run(write, "delete", "Account", [{"Id": made[0].id}])[0].success
    assert names(running) == ["c"]


def test_collections_whose_answer_got_lost_are_not_written_twice(worker: Client, running: SimulatedOrg) -> None:
    running.add_fault(Fault(method="POST", path="*/composite/sobjects", lose_answer=True))
    with pytest.raises(TransportError) as caught:
        worker.run(collections.write_collection, "insert", "Account", [{"Name": "a"}])
    assert caught.value.request_was_sent
    assert names(running) == ["a"]
