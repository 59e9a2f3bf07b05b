"""The example of one big object over many workers, run by ``dag.test()``."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.examples.conftest import ExampleAirflow
from tests.examples.outputs import DAY, data_set
from tests.repository import EXAMPLES

FILE = EXAMPLES / "big_object.py"


def test_the_shares_of_a_big_object_make_one_data_set_though_one_is_retried(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    org.bulk_page_size, org.bulk_polls = 5, 2
    # One page at all attempts of its request, so that its share fails, and Airflow retries it alone.
    org.add_fault(Fault(method="GET", path="*/results*", nth=2, times=5, status=503))
    environment["AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY"] = "0.001"
    environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "True"
    (run,) = in_airflow("run_dag", str(FILE), f"salesforce_big_object!{DAY}", **environment)

    assert run["state"] == "success"
    receipt, parts = data_set(tmp_path / "output/big/opportunities/run=20261110T000000")
    rows = org.rows("Opportunity")
    assert (receipt["records"], len(parts)) == (len(rows), -(-len(rows) // 5))
    assert receipt["api_calls"] == sum(request.path.startswith("/services/data/v") for request in org.requests)
    assert receipt["written_by"]["task_id"] == "opportunities"
    assert len(org.jobs) == 1
    assert sum("/results" in request.path for request in org.requests) == len(parts) + 5
    returned = run["returned"]["opportunities.commit"]
    assert returned["records"] == len(rows)
    assert run["events"] == [{"uri": "salesforce://salesforce_jwt_default/Opportunity", "extra": returned}]


def test_the_ranges_of_a_first_load_make_one_data_set(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    org.bulk_page_size = 4
    (run,) = in_airflow("run_dag", str(FILE), "salesforce_first_load!2030-01-01T00:00:00+00:00", **environment)

    assert run["state"] == "success"
    receipt, _ = data_set(tmp_path / "output/big/contacts/run=20300101T000000")
    assert [len(jobs) for jobs in (receipt["jobs"], org.jobs)] == [3, 3]
    assert sum(job["records"] for job in receipt["jobs"]) == receipt["records"] == len(org.rows("Contact"))
