"""What others reported of using the package, by its kind: pages, messages, the simulated org."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.files.storage.errors import reason_of
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.reports.extracts import task
from tests.repository import EXAMPLES, REPOSITORY


def page(name: str) -> str:
    return (REPOSITORY / "docs" / f"{name}.md").read_text("utf-8")


def test_U2_the_page_keeps_airflows_version() -> None:
    command = page("install").partition("```")[2].partition("```")[0]
    assert "apache-airflow==$AIRFLOW" in command
    assert "--constraint" in command


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "google"), ("abfs", "azure")])
def test_U2_a_missing_file_system_says_what_to_install(scheme: str, package: str) -> None:
    said = reason_of(ValueError(f"No filesystem registered for scheme {scheme}"))
    assert re.search(f"install apache-airflow-providers-.*{package}", said)
    assert package in page("install")


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_U3_no_example_needs_a_logical_date(example: Path) -> None:
    names = re.findall(r"{{\s*((?:ds|ts|logical_date|data_interval)\w*)", example.read_text("utf-8"))
    assert not [name for name in names if not name.startswith("data_interval")]


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        ({"where": "Industri = 'x'"}, "where: INVALID_FIELD: No such column 'Industri'"),
        ({"sobject": None, "fields": None, "soql": "SELECT Nmae FROM Account"}, "soql: INVALID_FIELD: No such column"),
        ({"sobject": "Task", "fields": ["Id", "What.Industry"]}, "fields: INVALID_FIELD: No such column 'Industry'"),
    ],
)
def test_U5_a_refused_query_names_the_argument_first(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, arguments: dict[str, Any], begins: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        run_to_end(task(tmp_path, **arguments), context)
    assert str(caught.value).startswith(begins)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


def test_U12_one_record_is_deleted_by_a_call(org: SimulatedOrg) -> None:
    with pytest.raises(TypeError, match="one record as text.*call it once for each record"):
        org.delete("Account", [org.rows("Account")[0]["Id"]])  # type: ignore[arg-type]


def test_U12_a_validation_rule_refuses_what_is_true(org: SimulatedOrg) -> None:
    assert "returns **True**" in page("simulated_org")
    assert "dag.test(" in page("testing_your_dags")


def test_U16_an_org_may_have_many_own_objects(org: SimulatedOrg) -> None:
    names = [f"Own{number}__c" for number in range(150)]
    for name in names:
        org.define_object(name, [Field("Key__c")])
    assert len({org.insert(name, [{"Key__c": "a"}])[0][:3] for name in names}) == 150


def test_U17_the_page_names_the_versions_of_celery_that_start() -> None:
    assert re.search(r"celery 5\.7\.0.*celery 5\.6\.3", page("executors"), re.DOTALL)
