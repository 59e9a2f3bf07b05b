"""Who may see which page: Airflow's own permissions, for the DAG that the address names."""

from __future__ import annotations

import pytest

from tests.ui.airflow_database import Pages
from tests.ui.reports import extract

PATHS = ["/", "/report/mine/r1/task/-1", "/report/mine/r1/task/0", "/report/hers/r1/task/-1", "/report/~/r1/task/-1"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "Bearer somebody", "Basic reader"])
def test_nobody_unknown_sees_a_page(site: Pages, path: str, token: str) -> None:
    site.run("mine", "r1", extract())
    answer = site.get(path, headers={"Authorization": token})
    assert answer.status_code == (403 if "somebody" in token else 401)
    assert "Account" not in answer.text
    assert ("not signed in" in answer.text) == (answer.status_code == 401)


def test_a_dag_that_somebody_may_not_read_is_not_shown(site: Pages) -> None:
    site.run("hers", "r1", extract())
    answer = site.get("/report/hers/r1/task/-1")
    assert answer.status_code == 403
    assert "You may not read" in answer.text
    assert "Account" not in answer.text


@pytest.mark.parametrize("query", ["?dag_id=mine", "?dag_id=~", "?dag_id="])
def test_the_address_alone_says_which_dag(site: Pages, query: str) -> None:
    site.run("hers", "r1", extract())
    assert site.get(f"/report/hers/r1/task/-1{query}").status_code == 403
    assert site.doorkeeper.asked == ["hers"]


def test_the_dag_of_the_tilde_is_no_dag(site: Pages) -> None:
    site.run("hers", "r1", extract())
    assert site.get("/report/~/r1/task/-1").status_code == 404


def test_the_overview_has_the_dags_that_the_reader_may_read(site: Pages) -> None:
    site.run("mine", "r1", extract())
    site.run("hers", "r1", extract(sobject="Secret__c"))
    answer = site.get("/")
    assert answer.status_code == 200
    assert "Account" in answer.text
    assert "Secret__c" not in answer.text
    assert "hers" not in answer.text


def test_who_may_read_no_dag_has_no_overview(site: Pages) -> None:
    site.doorkeeper.readable = set()
    assert site.get("/").status_code == 403


@pytest.mark.parametrize(
    "path", ["/nothing", "/report/mine", "/report/mine/r1/task/x", "/report/mine/r1/other/-1", "/docs"]
)
def test_what_is_not_there_is_404(site: Pages, path: str) -> None:
    site.run("mine", "r1", extract())
    assert site.get(path).status_code == 404
