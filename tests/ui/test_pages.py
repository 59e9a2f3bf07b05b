"""What the pages show, and what they never do with what somebody else wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_sfjwt.tasks.report.task_report import Failure, Part, RowErrors, SetupJob
from tests.ui.airflow_database import Pages
from tests.ui.reports import HOST, JOB, extract, load

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "main", "nav", "a", "br", "section", "span", "h1", "h2", "dl", "dt", "dd",
    "div", "b", "svg", "rect", "code", "pre", "p", "details", "summary", "ul", "li", "header", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class Seen(HTMLParser):
    """The elements, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self._is_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        self._is_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.words += f" {data}"


def seen(site: Pages, path: str = "/report/mine/r1/task/-1") -> Seen:
    """A page, which is allowed to load nothing."""
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = Seen(answer.text)
    assert page.elements <= KNOWN
    assert not {name for name in page.attributes if name.startswith("on") or name in ("style", "src", "srcset")}
    return page


def plain(text: str) -> str:
    return " ".join(text.split())


def test_an_extract(site: Pages) -> None:
    site.run("mine", "r1", extract())
    page = seen(site)
    words = plain(page.words)
    for each in (
        "Complete 12,345 rows of Account extracted", "Nothing.", "12.5 s".replace("12.5", "12"), "2.5 MB", "in 2 parts",
        "88,000", "of 100,000 in 24 h", "5 min 00 s", "SELECT Id, Name FROM Account", "2026-11-20 07:05:00 UTC",
        "10,000 rows · 2.0 MB · 4.00 s", "s3://lake/accounts", "The same as in the receipt before.",
    ):  # fmt: skip
        assert each in words, each
    assert f"https://{HOST}/lightning/setup/AsyncApiJobStatus/page?address=%2F{JOB}" in page.links


def test_a_load_with_losses_says_what_to_do(site: Pages) -> None:
    site.run("mine", "r1", load())
    words = plain(seen(site).words)
    for each in (
        "Failed 980 of 1,000 rows loaded into Contact, 20 not", "Correct the rows.", "980 succeeded 98.0 %", "15 failed 1.5 %",
        "5 unprocessed 0.5 %", "12 rows DUPLICATE_VALUE fields: Key__c", "another record has", "3 rows MADE_UP_CODE",
        "Salesforce refused these rows.",
    ):  # fmt: skip
        assert each in words, each


def test_losses_that_the_task_allows_are_said(site: Pages) -> None:
    site.run("mine", "r1", load(failure=None))
    assert "Loaded with losses 980 of 1,000 rows loaded into Contact, 20 not" in plain(seen(site).words)


def test_a_failure_that_is_retried(site: Pages) -> None:
    failure = Failure("unknown_host", "localhost is not known", "Check the Login URL.", "", will_retry=True)
    site.run("mine", "r1", extract(failure=failure, rows=None, parts=()))
    words = plain(seen(site).words)
    assert "Will be retried Account was not extracted; nothing was published" in words
    assert "Airflow starts the next attempt by itself. Check the Login URL." in words


def test_a_page_of_setup_is_named(site: Pages) -> None:
    failure = Failure("invalid_grant", "the user is not allowed", "Add a permission set.", "App Manager")
    site.run("mine", "r1", extract(failure=failure, host="", api_calls_left=None))
    assert "Salesforce Setup → App Manager" in plain(seen(site).words)


def test_columns_that_changed(site: Pages) -> None:
    site.run("mine", "r1", extract(drift={"added": ("New__c",), "removed": ("Old__c",), "retyped": ()}))
    words = plain(seen(site).words)
    assert "Columns changed 12,345 rows of Account extracted" in words
    assert "(1 added, 1 removed)" in words
    assert "Added: New__c Removed: Old__c" in words


@pytest.mark.parametrize(
    ("kind", "changed", "headline"),
    [
        ("query", {}, "The query returned 12,345 rows"),
        ("freeze", {}, "12,345 rows of the SQL query written to files"),
        (
            "merge",
            {"counts": {"inserted": 3, "updated": 1}, "paths": {"table": "public.a"}},
            "12,345 rows merged into public.a",
        ),
        ("merge", {"counts": {}, "paths": {}}, "merged before: nothing changed"),
        ("extract", {"rows": 0}, "No row of Account changed in the window"),
        ("load", {"counts": {"read": 7, "sent": 0, "succeeded": 0}, "rows": 0}, "7 rows for Account checked"),
        ("load", {"counts": {"read": 7, "sent": 7, "succeeded": 7}, "rows": 7}, "All 7 rows loaded into Account"),
        ("load", {"counts": {}, "rows": 0}, "No row to load into Account"),
        ("other", {}, "12,345 rows of Account extracted"),
    ],
)
def test_other_kinds(site: Pages, kind: str, changed: dict[str, Any], headline: str) -> None:
    site.run("mine", "r1", extract(kind=kind, **changed))
    assert headline in plain(seen(site).words)


@pytest.mark.parametrize(
    ("kind", "changed", "headline"),
    [
        ("query", {}, "The query returned nothing"),
        ("merge", {"paths": {"table": "t"}}, "t is as it was before: nothing was merged"),
        ("load", {"jobs": ()}, "Nothing was sent to Account"),
        ("load", {}, "The load into Account did not end"),
    ],
)
def test_other_kinds_that_failed(site: Pages, kind: str, changed: dict[str, Any], headline: str) -> None:
    site.run("mine", "r1", extract(kind=kind, failure=Failure("X", "cause", "remedy"), **changed))
    assert headline in plain(seen(site).words)


def test_hostile_text_stays_text(site: Pages) -> None:
    many = HOSTILE * 40
    content = load(
        sobject=HOSTILE, soql=many, host=HOSTILE, conn_id=HOSTILE, operation=HOSTILE, ended_at=HOSTILE,
        window=(HOSTILE, HOSTILE), transport=HOSTILE, columns=(HOSTILE,), drift={HOSTILE: (HOSTILE,)},
        counts={HOSTILE: 3, "succeeded": 1}, errors=(RowErrors(HOSTILE, 3, (HOSTILE,)),),
        parts=(Part(HOSTILE, 1, 1, 0.0, 1.0),), paths={HOSTILE: many}, jobs=(SetupJob(HOSTILE, HOSTILE),),
        failure=Failure(HOSTILE, many, many, HOSTILE),
    )  # fmt: skip
    site.run("mine", "r1", content)
    page = seen(site)
    assert "script" not in page.elements
    assert "49" not in page.words
    assert "<script>alert(1)</script>" in page.words
    assert seen(site, "/").links


def test_hostile_names_of_tasks_and_runs_stay_text(site: Pages) -> None:
    site.run("mine", HOSTILE.replace("/", ""), extract(), task_id="a<b>&c")
    answer = seen(site, "/")
    assert "a<b>&c" in answer.words
    (link,) = {each for each in answer.links if "/report/" in each}
    assert seen(site, link.removeprefix("/salesforce-jwt"))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/x", "javascript:alert(1)", "https://evil.example/x", f"https://{HOST}@evil.example/", f"https://{HOST}.evil.example",
        f"https://evil.example\\@{HOST}/", "//evil.example", "https://[", "",
    ],
)  # fmt: skip
def test_a_link_that_leads_elsewhere_is_text(site: Pages, url: str) -> None:
    site.run("mine", "r1", extract(jobs=(SetupJob(JOB, url),)))
    page = seen(site)
    assert not [link for link in page.links if not link.startswith("/")]
    assert JOB in page.words


@pytest.mark.parametrize("content", ["text", 3, [], {}, {"version": 0}, {"version": 99}, {"rows": 1}])
def test_an_xcom_that_is_not_a_report_is_said_to_be_none(site: Pages, content: Any) -> None:
    site.run("mine", "r1", content)
    words = seen(site).words
    assert "There is nothing to show for this task instance" in words
    assert "is not a report" in words or "of version" in words
    assert seen(site, "/")


@pytest.mark.parametrize(("state", "said"), [("running", "It reports when it ends"), ("failed", "left no report")])
def test_a_task_without_a_report(site: Pages, state: str, said: str) -> None:
    site.run("mine", "r1", None, state=state)
    assert said in plain(seen(site).words)


def test_every_value_of_a_report_may_be_missing(site: Pages) -> None:
    site.run("mine", "r1", {"version": 1})
    assert "Complete" in seen(site).words


def test_a_mapped_task(site: Pages) -> None:
    contents = [extract(sobject=name) for name in ("Account", "Contact", "Lead")]
    contents[1] = extract(sobject="Contact", failure=Failure("X", "the field is wrong", "Correct it."), rows=None)
    site.run("mine", "r1", *contents, None, mapped=True)
    page = seen(site, "/report/mine/r1/task/-1")
    words = plain(page.words)
    assert "1 of 4 instances failed; 24,690 rows by the others" in words
    assert "Instance 1 (Contact) failed" in words
    assert "The field is wrong (X)." in words
    assert "/salesforce-jwt/report/mine/r1/task/2" in page.links
    one = seen(site, "/report/mine/r1/task/2")
    assert "rows of Lead extracted" in one.words
    assert "/salesforce-jwt/report/mine/r1/task/-1" in one.links


def test_the_tab_of_a_task_that_is_not_mapped(site: Pages) -> None:
    site.run("mine", "r1", extract())
    assert "rows of Account extracted" in seen(site, "/report/mine/r1/task/%7BMAP_INDEX%7D").words


def test_the_runs_of_a_task_side_by_side(site: Pages) -> None:
    for number in range(35):
        site.run("mine", f"r{number}", extract(rows=1_000 * number, api_calls=number))
    page = seen(site, "/report/mine/r30/task/-1")
    words = plain(page.words)
    assert "The last 30 runs of this task" in words
    assert "Rows 30,000" in words and "highest 34,000" in words
    assert "API calls 30" in words and "Lag of the window 5 min 00 s" in words
    assert "/salesforce-jwt/report/mine/r34/task/-1" in page.links
    assert "/salesforce-jwt/report/mine/r4/task/-1" not in page.links


def test_the_overview(site: Pages) -> None:
    site.run("mine", "r1", extract())
    site.run("mine", "r2", extract(rows=7, ended_at="2026-11-21T07:05:00+00:00", api_calls_left=70_000))
    site.run("also_mine", "r1", load())
    page = seen(site, "/")
    words = plain(page.words)
    assert f"{HOST} 1 failed, 1 complete · 70,000 of 100,000 API calls left" in words
    assert words.index("Contact") < words.index("Account")
    assert "12,345" not in words
    assert "20 of 1,000 rows were not loaded" in words
    assert "/salesforce-jwt/report/mine/r2/task/-1" in page.links


def test_an_overview_of_nothing(site: Pages) -> None:
    assert "has left a report yet" in seen(site, "/").words


def test_every_link_is_below_airflows_path(site_below_a_path: Pages) -> None:
    site = site_below_a_path
    site.run("mine", "r1", extract(), load(), mapped=True)
    site.run("mine", "r2", extract(), task_id="other")
    site.run("mine", "r3", extract(), task_id="other")
    for path in ("/", "/report/mine/r1/task/-1", "/report/mine/r1/task/0", "/report/mine/r3/other/-1"):
        links = [link for link in seen(site, path).links if not link.startswith("https://")]
        assert links
        assert not [link for link in links if not link.startswith("/air/")]


def test_a_refusal_is_a_page_too(site: Pages) -> None:
    answer = site.get("/nothing")
    assert re.search(r"default-src 'none'", answer.headers["content-security-policy"])
    assert "There is no such page." in answer.text
