from __future__ import annotations

import pytest

from airflow_provider_sfjwt.files.values.cells import NULL
from airflow_provider_sfjwt.load.staging.plain_form import in_plain_form
from airflow_provider_sfjwt.testing import Field
from tests.load.staging.rows import column, table_of


@pytest.mark.parametrize("kind", ["int", "long"])
def test_whole_numbers_are_sent_without_fraction_or_exponent(kind: str) -> None:
    columns = [column(Field("Text__c")), column(Field("Whole__c", "int"), type=kind)]
    cells = ["5.0", "5.", "1e2", "1.5e1", "-0.0", "+7.00", None, NULL, "5", "007", "1.5", "1e99", " 5.0", "x.e", ".0"]
    plain = ["5", "5", "100", "15", "0", "7", None, NULL, "5", "007", "1.5", "1e99", " 5.0", "x.e", "0"]
    table = in_plain_form(table_of(columns, cells, cells), columns)
    assert table.column("Whole__c").to_pylist() == plain
    assert table.column("Text__c").to_pylist() == cells
    assert in_plain_form(table.slice(0, 0), columns).num_rows == 0
