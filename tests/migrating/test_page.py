"""``docs/migrating.md`` has every class, method and parameter of the official provider and of the two transfers."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
from typing import Any

import pytest

from tests.migrating.hooks import ROWS
from tests.repository import REPOSITORY

PAGE = (REPOSITORY / "docs/migrating.md").read_text(encoding="utf-8")
CLASSES = {
    "SalesforceHook": "airflow.providers.salesforce.hooks.salesforce",
    "SalesforceBulkOperator": "airflow.providers.salesforce.operators.bulk",
    "SalesforceApexRestOperator": "airflow.providers.salesforce.operators.salesforce_apex_rest",
    "SalesforceToS3Operator": "airflow.providers.amazon.aws.transfers.salesforce_to_s3",
}
TO_GCS = "airflow.providers.google.cloud.transfers.salesforce_to_gcs"
_OF_GCS = f"""import inspect; from {TO_GCS} import SalesforceToGcsOperator as task
print('names:', *inspect.signature(task.__init__).parameters)"""


def official(name: str) -> Any:
    module = pytest.importorskip(CLASSES[name], reason="missing: the official provider")
    return getattr(module, name)


def section(name: str) -> str:
    """The part of the page below the heading that names a class."""
    start = PAGE.index(f"`{name}`", PAGE.index("\n## "))
    heading = PAGE.rindex("\n## ", 0, start)
    end = PAGE.find("\n## ", start)
    return PAGE[heading : end if end > 0 else len(PAGE)]


@pytest.mark.parametrize("name", CLASSES)
def test_every_parameter_has_a_row(name: str) -> None:
    parameters = [
        each for each in inspect.signature(official(name).__init__).parameters if each not in ("self", "kwargs")
    ]
    assert [each for each in parameters if f"`{each}`" not in section(name)] == []


def test_every_parameter_of_the_transfer_to_gcs_has_a_row() -> None:
    python = os.environ.get("SFJWT_LOADERS")
    if python is None:
        pytest.skip("missing: a Python with the providers of Salesforce and Google (SFJWT_LOADERS)")
    printed = subprocess.run([python, "-c", _OF_GCS], capture_output=True, text=True, check=True).stdout
    names = set(printed.partition("names: ")[2].split()) - {"self", "kwargs"}
    assert len(names) > 10
    assert [each for each in names if f"`{each}`" not in section("SalesforceToGcsOperator")] == []


def test_every_method_of_the_hook_and_its_parameters_have_a_row() -> None:
    hook = official("SalesforceHook")
    members = {name: each for name, each in vars(hook).items() if not name.startswith("_")}
    part = section("SalesforceHook")
    methods = [name for name, each in members.items() if callable(getattr(each, "__func__", each)) or name == "conn"]
    missing = [name for name in methods if name not in part]
    for name in set(methods) - {"conn"}:
        parameters = set(inspect.signature(getattr(hook, name)).parameters) - {"self", "cls"}
        missing += [each for each in parameters if not re.search(rf"\b{each}\b", part)]
    assert missing == []


def test_every_bulk_operation_is_named() -> None:
    operations = official("SalesforceBulkOperator").available_operations
    assert [each for each in operations if each not in section("SalesforceBulkOperator")] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.of)
def test_every_row_that_is_run_is_on_the_page(row: Any) -> None:
    # One line of the page has both, and what differs.
    assert f"| `{row.official}` | `{row.here}` | {row.differs} |" in PAGE


def test_the_version_that_is_compared_is_the_one_installed() -> None:
    module = pytest.importorskip("airflow.providers.salesforce", reason="missing: the official provider")
    # For Python 3.10 there is the patch release before.
    assert f"`apache-airflow-providers-salesforce` {module.__version__.rpartition('.')[0]}." in PAGE
