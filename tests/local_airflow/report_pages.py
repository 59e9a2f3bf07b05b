"""The pages of reports in a running Airflow: the org that they tell of, and how somebody with a browser gets to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from airflow_provider_sfjwt.tasks.addresses import report_path
from airflow_provider_sfjwt.testing import Field, SimulatedOrg

DAG_ID = "salesforce_reports"
#: The tasks of the DAG, and the pictures of their reports.
TASKS = {
    "extract_accounts": "report_extract",
    "load_tickets": "report_load",
    "extract_misspelt": "report_failed",
    "extract_each": "report_mapped",
}
OVERVIEW = "report_overview"
WIDE, NARROW = 1400, 400


def prepare(org: SimulatedOrg) -> None:
    """Give an org the object that is loaded into, with a record and a rule that make some rows of the load fail.

    :param org: that the DAG loads into.
    """
    fields = [Field("Number__c", length=20, unique=True), Field("Stage__c", length=20)]
    org.define_object("Ticket__c", fields)
    org.insert("Ticket__c", [{"Number__c": "taken"}])
    org.add_validation_rule(
        "Ticket__c", lambda row: row["Stage__c"] == "unknown", "The stage must be known.", ["Stage__c"]
    )


def add_accounts(org: SimulatedOrg, count: int) -> None:
    """More accounts, so that the runs of a task differ.

    :param org: that has them.
    :param count: how many.
    """
    draw = random.Random(count)
    org.insert("Account", [{"Name": f"Account {draw.random():.6f}"} for _ in range(count)])


def address(url: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Where the report of a task instance is.

    :param url: of Airflow.
    :param run_id: of the DAG run.
    """
    return url + report_path(DAG_ID, run_id, task_id, map_index)


@contextmanager
def shown(
    browser: Browser, url: str, *, width: int = WIDE, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """A page of Airflow's, signed in; what its console complains of fails the block.

    :param browser: that shows it.
    :param url: of Airflow.
    :param width: of the window in pixels.
    :param scheme: light or dark.
    """
    context = browser.new_context(viewport={"width": width, "height": 500}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.wait_for_url(f"{url}/**")
        page.get_by_role("link", name="Home").first.wait_for()
        yield page
    finally:
        context.close()


def picture(page: Page, file: Path) -> None:
    """Keep the whole page as a picture; where Pillow is installed, of few colours, which takes a third of the bytes.

    :param page: to keep.
    :param file: a PNG.
    """
    page.screenshot(path=file, full_page=True)
    with suppress(ImportError):
        from PIL import Image

        Image.open(file).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(file, optimize=True)
