"""Each row of the table of hooks, run with both providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.migrating.hooks import ROWS, Row, run
from tests.migrating.table import TABLE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.of)
def test_both_hooks_give_the_same(org: SimulatedOrg, row: Row, tmp_path: Path) -> None:
    from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

    org.delete("Account", org.rows("Account")[3]["Id"])
    org.insert("Account", [{"Name": 'Zürich, "HQ"', "NumberOfEmployees": None}, {"Name": "b", "NumberOfEmployees": 3}])

    official = run(row.official, SalesforceHook(), row.soql, tmp_path / "official")
    here = run(row.here, SalesforceJwtHook(), row.soql, tmp_path / "here")

    assert here == official
    assert here
    TABLE.add(f"SalesforceHook.{row.of}", row.here, row.differs)
