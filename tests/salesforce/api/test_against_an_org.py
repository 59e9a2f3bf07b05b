"""The main paths over a real connection, by both transports, with what a network and an org do to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    AuthenticationError,
    BulkJobFailedError,
    ConfigurationError,
    ProtocolError,
    RequestLimitError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api import bulk_job, bulk_query, org, query
from airflow_provider_sfjwt.salesforce.wire.flow import Body
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.salesforce.api.clients import Client, settings_of
from tests.salesforce.api.rows import Rows
from tests.salesforce.wire.carriers import CARRIERS

SOQL = "SELECT Id, Name FROM Account"
TOKEN_PATH = "/services/oauth2/token"


@pytest.fixture
def running() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 25}, rest_page_size=10, bulk_page_size=10) as started:
        yield started


@pytest.fixture(params=sorted(CARRIERS))
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(running: SimulatedOrg, **fields: Any) -> Client:
        made.append(Client(CARRIERS[request.param], settings_of(running, **fields)))
        return made[-1]

    yield make
    for client in made:
        client.carrier.close()


@pytest.fixture
def client(connect: Callable[..., Client], running: SimulatedOrg) -> Client:
    return connect(running)


@pytest.fixture
def worker(running: SimulatedOrg) -> Iterator[Client]:
    made = Client(CARRIERS["worker"], settings_of(running))
    yield made
    made.carrier.close()


def all_rows(client: Client) -> list[dict[str, Any]]:
    page = client.run(query.first_page, SOQL)
    rows = list(page.records)
    while page.next_path:
        page = client.run(query.next_page, page.next_path)
        rows += page.records
    assert len(rows) == page.total_size
    return rows


def count_rows(body: Body, declared: int | None) -> Rows:
    text, buffer = bytearray(), bytearray(100)
    while size := body.readinto(memoryview(buffer)):
        text += buffer[:size]
    return Rows(text.count(b'\n"001'), bytes(text))


def all_pages(client: Client, ref: bulk_job.JobRef) -> int:
    page = client.run(bulk_query.result_page, ref, None, count_rows)
    rows: int = page.declared
    while page.next_locator:
        page = client.run(bulk_query.result_page, ref, page.next_locator, count_rows)
        rows += page.declared
    return rows


def finished_job(client: Client) -> bulk_job.Job:
    job = client.run(bulk_query.create_query_job, SOQL)
    patience: dict[str, Any] = {"poll_interval": 5, "remaining": lambda: 60.0, "jitter": lambda: 0.0}
    return client.run(bulk_job.wait_for_job, job.ref, **patience)  # type: ignore[no-any-return]


def test_rows_come_page_by_page_after_one_sign_in(client: Client, running: SimulatedOrg) -> None:
    rows = all_rows(client)
    assert sorted(row["Id"] for row in rows) == sorted(row["Id"] for row in running.rows("Account"))
    assert running.logins == 1
    assert client.session.usage.calls == client.session.usage.used == running.api_calls == 3


def test_the_version_is_the_newest_that_both_know(client: Client) -> None:
    assert client.run(lambda session: session.api_version()) == "67.0"


def test_tls_with_a_private_authority(connect: Callable[..., Client]) -> None:
    with SimulatedOrg(records={"Account": 3}, tls=True) as secure:
        assert len(all_rows(connect(secure))) == 3


def test_an_experience_cloud_site_signs_in(connect: Callable[..., Client], running: SimulatedOrg) -> None:
    assert len(all_rows(connect(running, host=f"{running.url}/customers"))) == 25


def test_a_session_that_dies_between_pages_is_renewed_once(client: Client, running: SimulatedOrg) -> None:
    page = client.run(query.first_page, SOQL)
    running.expire_sessions()
    assert len(client.run(query.next_page, page.next_path).records) == 10
    assert running.logins == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="*query*", status=503, body="<html>maintenance</html>", times=3),
        Fault(path="*query*", reset=True),
        Fault(path="*query*", cut_at=0.5),
        Fault(path="*query*", lose_answer=True),
        Fault(path="*query*", expire_session=True),
        Fault(path=TOKEN_PATH, status=503, times=3),
        Fault(path=TOKEN_PATH, reset=True),
    ],
    ids=["three 503s", "reset", "half a body", "lost answer", "dead session", "login down", "login reset"],
)
def test_a_query_survives_what_passes(client: Client, running: SimulatedOrg, fault: Fault) -> None:
    running.add_fault(fault)
    assert len(all_rows(client)) == 25


def test_what_does_not_pass_ends_in_the_last_error(client: Client, running: SimulatedOrg) -> None:
    running.add_fault(Fault(path="*query*", reset=True, times=None))
    with pytest.raises(TransportError):
        all_rows(client)
    assert client.carrier.slept == [1, 2, 4]


def test_a_login_page_is_told_as_one(client: Client, running: SimulatedOrg) -> None:
    page = "<html><title>Sign in to the network</title></html>"
    running.add_fault(Fault(path=TOKEN_PATH, status=200, body=page, headers={"Content-Type": "text/html"}, times=None))
    with pytest.raises(AuthenticationError, match="a page titled 'Sign in to the network'"):
        all_rows(client)


def test_a_user_who_is_not_approved_is_told_what_to_change(client: Client, running: SimulatedOrg) -> None:
    running.approve(False)
    with pytest.raises(AuthenticationError) as caught:
        all_rows(client)
    assert "Setup → " in caught.value.hint
    assert len(running.login_history) == 1


def test_a_used_up_allocation_is_an_error_that_waiting_mends(client: Client, running: SimulatedOrg) -> None:
    running.daily_api_requests = 0
    with pytest.raises(RequestLimitError) as caught:
        all_rows(client)
    assert caught.value.retryable


def test_an_object_is_described_and_an_unknown_one_named(client: Client) -> None:
    assert "Id" in [field["name"] for field in client.run(org.describe, "Account")["fields"]]
    with pytest.raises(ConfigurationError, match="'Accout' does not exist"):
        client.run(org.describe, "Accout")


def test_limits_and_the_orgs_clock(client: Client, running: SimulatedOrg) -> None:
    running.clock_offset = 100
    assert client.run(org.limits)["DailyApiRequests"]["Max"] == 100_000
    assert abs((client.run(org.server_time) - running.now()).total_seconds()) < 30


def test_a_job_is_waited_for(client: Client, running: SimulatedOrg) -> None:
    running.bulk_polls = 3
    job = bulk_job.completed(finished_job(client))
    assert job.records_processed == 25
    assert client.carrier.slept == [1, 1.5, 2.25]


def test_a_job_that_fails_is_told_with_its_reason(client: Client, running: SimulatedOrg) -> None:
    running.fail_next_job("InvalidBatch : timed out")
    with pytest.raises(BulkJobFailedError, match="InvalidBatch : timed out"):
        bulk_job.completed(finished_job(client))


def test_a_job_is_aborted_once(client: Client, running: SimulatedOrg) -> None:
    running.bulk_polls = 100
    job = client.run(bulk_query.create_query_job, SOQL)
    assert client.run(bulk_job.abort_job, job.ref) is True
    assert running.jobs[job.ref.id]["state"] == "Aborted"
    assert client.run(bulk_job.abort_job, job.ref) is False


def test_a_job_whose_creation_got_lost_is_not_created_twice(client: Client, running: SimulatedOrg) -> None:
    running.add_fault(Fault(method="POST", path="*jobs/query", lose_answer=True))
    with pytest.raises(TransportError) as caught:
        client.run(bulk_query.create_query_job, SOQL)
    assert caught.value.request_was_sent
    assert len(running.jobs) == 1


@pytest.mark.parametrize(
    ("soql", "named"),
    [("SELECT COUNT(Id) FROM Account", "COUNT(Id)"), ("SELECT Id, BillingAddress FROM Account", "BillingAddress")],
)
def test_soql_that_bulk_refuses_is_explained(client: Client, soql: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client.run(bulk_query.create_query_job, soql)
    assert named in caught.value.fields["soql"]


def test_an_unknown_state_is_an_error(client: Client, running: SimulatedOrg) -> None:
    running.add_fault(Fault(method="GET", path="*jobs/query/*", edit_json=lambda job: {**job, "state": "Paused"}))
    with pytest.raises(ProtocolError, match="'Paused'"):
        finished_job(client)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(path="*/results*", nth=2, cut_at=0.5),
        Fault(path="*/results*", nth=2, reset=True),
        Fault(path="*/results*", nth=2, expire_session=True),
        Fault(path="*/results*", nth=2, status=503, times=3),
        Fault(path="*/results*", nth=2, edit_body=lambda body: body[: body.rindex(b'"001')]),
    ],
    ids=["none", "half a page", "reset", "dead session", "three 503s", "a row too few"],
)
def test_every_row_of_a_result_comes_once(worker: Client, running: SimulatedOrg, fault: Fault | None) -> None:
    job = finished_job(worker)
    if fault is not None:
        running.add_fault(fault)
    assert all_pages(worker, job.ref) == job.records_processed == 25


def test_a_page_that_stays_short_is_an_error(worker: Client, running: SimulatedOrg) -> None:
    job = finished_job(worker)
    running.add_fault(Fault(path="*/results*", times=None, edit_body=lambda body: body[: body.rindex(b'"001')]))
    with pytest.raises(ProtocolError, match="brought 9 records where Salesforce declared 10, 4 times"):
        all_pages(worker, job.ref)


def test_links_lead_to_every_page(worker: Client) -> None:
    job = finished_job(worker)
    links = worker.run(bulk_query.result_links, job.ref)
    assert len(links.locators) == 3
    pages = [worker.run(bulk_query.result_page, job.ref, locator, count_rows) for locator in links.locators]
    assert sum(page.declared for page in pages) == 25


def test_nothing_that_is_logged_or_raised_holds_a_secret(
    client: Client, running: SimulatedOrg, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client.run(org.limits)
    token = client.source.alive(None)
    assert token is not None
    said = []
    for fault in (Fault(path="*limits", status=500, times=None), Fault(path="*limits", reset=True, times=None)):
        running.clear_faults()
        running.add_fault(fault)
        with pytest.raises(SalesforceError) as caught:
            client.run(org.limits)
        said.append(repr(caught.value) + str(vars(caught.value)))
    secrets = [
        token.value,
        *running.private_key.splitlines()[1:-1],
        "eyJhbGciOiJSUzI1NiI",
    ]
    shown = caplog.text + "".join(said)
    assert "-> 200 in" in caplog.text
    assert not [secret for secret in secrets if secret in shown]
