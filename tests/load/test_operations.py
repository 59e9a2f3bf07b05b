from __future__ import annotations

import pytest

from airflow_provider_sfjwt.load.operations import OPERATIONS, operation_named
from airflow_provider_sfjwt.salesforce.api import collections


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, name) for name in ("insert", "update", "upsert", "delete", "hardDelete")),
        ("harddelete", "hardDelete"),
        ("hard_delete", "hardDelete"),
    ],
)
def test_an_operation_is_found_by_its_name_and_its_aliases(name: str, found: str) -> None:
    assert operation_named(name) is OPERATIONS[found]


@pytest.mark.parametrize("name", ["", "merge", "INSERT", "Delete", "undelete"])
def test_no_other_name_is_an_operation(name: str) -> None:
    assert operation_named(name) is None


def test_what_goes_over_rest_is_what_sobject_collections_offer() -> None:
    assert {name for name, each in OPERATIONS.items() if each.rest != "never"} == set(collections.OPERATIONS)


def test_only_what_may_be_sent_twice_goes_over_rest_unasked() -> None:
    unasked = [each for each in OPERATIONS.values() if each.rest == "few"]
    assert [each.name for each in unasked] == ["update", "upsert"]
    assert all(each.repeatable for each in unasked)


def test_records_are_found_by_their_id_or_the_external_id_or_are_new() -> None:
    keys = {name: each.key("Key__c") for name, each in OPERATIONS.items()}
    assert keys == {"insert": None, "update": "Id", "upsert": "Key__c", "delete": "Id", "hardDelete": "Id"}
