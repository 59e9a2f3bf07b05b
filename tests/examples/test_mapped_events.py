"""Events of a mapped task, as Airflow stores them: one for each object that was published, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.examples.conftest import ExampleAirflow

DAG_FILE = Path(__file__).parent / "dags" / "mapped_objects.py"
OBJECTS = [f"Thing{number}__c" for number in range(40)]
BROKEN = "Thing17__c"


def test_U1_of_forty_objects_one_fails_and_the_others_have_an_event_each(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg
) -> None:
    for number, name in enumerate(OBJECTS):
        if name != BROKEN:
            org.define_object(name, [])
            org.insert(name, [{"Name": f"row {row}"} for row in range(number % 3)])

    environment |= {"SFJWT_TEST_OBJECTS": " ".join(OBJECTS), "AIRFLOW__CORE__DAGS_FOLDER": str(DAG_FILE.parent)}
    (run,) = in_airflow("run_dag", str(DAG_FILE), "mapped_objects!2026-11-10T00:00:00+00:00", **environment)

    assert run["state"] == "failed"
    published = {event["uri"]: event["extra"] for event in run["events"]}
    assert len(run["events"]) == len(published)
    assert sorted(published) == sorted(
        f"salesforce://salesforce_jwt_default/{name}" for name in OBJECTS if name != BROKEN
    )
    for uri, extra in published.items():
        receipt = json.loads(Path(urlsplit(extra["receipt"]).path).read_text(encoding="utf-8"))
        assert uri.endswith(f"/{receipt['sobject']}")
        assert (receipt["records"], receipt["window"]) == (extra["records"], extra["window"])
