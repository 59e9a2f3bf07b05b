"""The pages of reports in a running Airflow, as somebody with a browser gets to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.stack import LocalAirflow

pytestmark = pytest.mark.browser
pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser  # noqa: E402

from tests.local_airflow.chromium import chromium_at  # noqa: E402
from tests.local_airflow.report_pages import (  # noqa: E402
    DAG_ID,
    NARROW,
    TASKS,
    WIDE,
    address,
    prepare,
    shown,
)

SAID = {
    "extract_accounts": "rows of Account extracted",
    "load_tickets": "430 of 500 rows loaded into Ticket__c, 70 not",
    "extract_misspelt": "Argument where: No such column 'Industri' on entity 'Account' (INVALID_FIELD).",
    "extract_each": "Instance 2 (Invoice) failed; the others are complete.",
}


@pytest.fixture(scope="module")
def run_id(airflow: LocalAirflow, running_org: SimulatedOrg) -> str:
    """A run whose tasks have ended, some of them red."""
    prepare(running_org)
    run_id = airflow.trigger(DAG_ID)
    airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True)
    return run_id


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_at(chromium) as running:
        yield running


def test_the_xcom_is_small_and_of_plain_json(airflow: LocalAirflow, run_id: str) -> None:
    report: dict[str, Any] = airflow.xcom(DAG_ID, run_id, "load_tickets", "salesforce_report")
    assert report["counts"]["failed"] == 70
    assert [each["code"] for each in report["errors"]] == ["DUPLICATE_VALUE", "FIELD_CUSTOM_VALIDATION_EXCEPTION"]
    assert "taken" not in str(report)
    assert airflow.xcom(DAG_ID, run_id, "extract_misspelt", "salesforce_report")["failure"]["code"] == "INVALID_FIELD"


def test_a_wrong_token_opens_no_page(airflow: LocalAirflow, run_id: str) -> None:
    own = (
        f"{airflow.url}/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/load_tickets/xcomEntries/salesforce_report"
    )
    for url in (own, f"{airflow.url}/salesforce-jwt/", address(airflow.url, run_id, "load_tickets")):
        answer = requests.get(url, headers={"Authorization": "Bearer of.bad.news"}, timeout=60)
        assert answer.status_code == 403, url
        assert "Ticket__c" not in answer.text


def test_the_link_of_a_task_leads_to_its_report(airflow: LocalAirflow, run_id: str, browser: Browser) -> None:
    with shown(browser, airflow.url) as page:
        page.goto(f"{airflow.url}/dags/{DAG_ID}/runs/{run_id}/tasks/extract_accounts/details")
        page.get_by_role("link", name="Salesforce report").click()
        page.get_by_text(SAID["extract_accounts"]).wait_for()
        page.get_by_text("Pages over time").wait_for()
        page.get_by_role("link", name="Salesforce", exact=True).click()
        page.get_by_role("heading", name="Objects and their last runs").wait_for()


def test_the_navigation_leads_to_the_overview(airflow: LocalAirflow, run_id: str, browser: Browser) -> None:
    with shown(browser, airflow.url) as page:
        page.get_by_role("button", name="Browse").click()
        link = page.get_by_text("Salesforce", exact=True)
        link.wait_for()
        with page.context.expect_page() as opened:
            link.click()
        opened.value.get_by_role("heading", name="Objects and their last runs").wait_for()
        opened.value.get_by_role("link", name="Ticket__c").first.wait_for()


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_says_what_happened_in_every_look(
    airflow: LocalAirflow, run_id: str, browser: Browser, width: int, scheme: Any
) -> None:
    complaints: list[str] = []
    with shown(browser, airflow.url, width=width, scheme=scheme) as page:
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for task_id in TASKS:
            asked.clear()
            page.goto(address(airflow.url, run_id, task_id))
            page.get_by_text(SAID[task_id]).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert [url for url in asked if not url.endswith("/favicon.ico")] == [page.url]
        page.goto(f"{airflow.url}/salesforce-jwt/")
        page.get_by_role("heading", name="Objects and their last runs").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert complaints == []
    assert background == {"light": "rgb(244, 246, 248)", "dark": "rgb(16, 21, 28)"}[scheme]
