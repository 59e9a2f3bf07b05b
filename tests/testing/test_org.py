from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.testing.settings import Settings


def test_connection_json_has_what_a_client_needs():
    with SimulatedOrg(records={}, sandbox=True) as org:
        connection = json.loads(org.connection_json(api_version="66.0"))
    assert connection["conn_type"] == "salesforce_jwt"
    assert (connection["login"], connection["host"]) == (org.username, org.url)
    assert connection["extra"]["consumer_key"] == org.consumer_key
    assert connection["extra"]["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert connection["extra"]["audience"] == "https://test.salesforce.com"
    assert connection["extra"]["api_version"] == "66.0"


def test_an_org_at_a_free_port_is_never_taken_for_an_earlier_one():
    with SimulatedOrg(records={}) as one:
        first, port = one.consumer_key, int(one.url.rpartition(":")[2])
    with SimulatedOrg(records={}, port=port) as other:
        second = other.consumer_key
    with SimulatedOrg(records={}, port=port) as again:
        assert len({first, second, again.consumer_key}) == 2
        assert again.consumer_key == second


def test_records_outlive_an_org_on_a_file(tmp_path):
    database = str(tmp_path / "org.sqlite")
    with SimulatedOrg(database=database, records={"Lead": 3}) as org:
        org.insert("Lead", [{"LastName": "x", "Company": "y", "Status": "Open"}])
    with SimulatedOrg(database=database, records={"Lead": 3}) as org:
        assert [row["LastName"] for row in org.rows("Lead")][-1] == "x"
        assert len(org.rows("Lead")) == 4
        assert len(org.rows("User")) == 1


def test_close_ends_the_database():
    with SimulatedOrg(records={}) as org:
        assert "SimulatedOrg" in repr(org) and org.url in repr(org)
    with pytest.raises(sqlite3.ProgrammingError):
        org.rows("Account")


def test_many_own_objects_have_key_prefixes_of_their_own(org):
    names = [f"Own{number}__c" for number in range(250)]
    prefixes = [org.define_object(name, []).key_prefix for name in names]
    assert len({*prefixes, "a00"}) == 251
    assert {len(prefix) for prefix in prefixes} == {3}
    ids = [org.insert(name, [{"Name": name}])[0] for name in names]
    assert {len(record) for record in ids} == {18}
    assert [record[:3] for record in ids] == prefixes


@pytest.mark.parametrize("several", [["0015e0000000001AAA"], ("a", "b"), None])
def test_one_record_is_changed_at_a_time(org, several):
    for change in (lambda: org.delete("Account", several), lambda: org.update("Account", several, {"Name": "x"})):
        with pytest.raises(TypeError, match="one record"):
            change()


def test_an_unknown_record_is_named(org):
    with pytest.raises(KeyError, match="Account has no record '0015e00000zzzzz'"):
        org.delete("Account", "0015e00000zzzzz")


def test_settings_are_attributes_of_the_org(org):
    assert (org.bulk_polls, SimulatedOrg.bulk_polls, org.login_rate) == (1, 1, None)
    org.bulk_polls, org.clock_offset = 7, 3600
    assert org.bulk_polls == 7
    assert org.now() > datetime.now(timezone.utc) + timedelta(minutes=59)
    with SimulatedOrg(records={}) as other:
        assert other.bulk_polls == 1


def test_every_setting_is_an_attribute_of_the_org(org):
    assert [name for name in vars(Settings()) if not hasattr(SimulatedOrg, name)] == []
