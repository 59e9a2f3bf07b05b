"""Things, which have a field of most types and a parent each, and the task that loads them."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.load_task import LoadInParts


def define_things(org: SimulatedOrg) -> None:
    """Make the objects ``Thing__c`` and ``Box__c``."""
    org.define_object("Box__c", [Field("BoxKey__c", length=40, external_id=True, unique=True)])
    org.define_object(
        "Thing__c",
        [
            Field("Key__c", length=40, external_id=True, unique=True),
            Field("Text__c", "textarea", length=32_000),
            Field("Amount__c", "currency", precision=18, scale=2),
            Field("Flag__c", "boolean", nillable=False),
            Field("Day__c", "date"),
            Field("Moment__c", "datetime"),
            Field("Hour__c", "time"),
            Field("Whole__c", "int"),
            Field("Box__c", "reference", reference_to=("Box__c",), relationship_name="Box__r"),
            Field("Keeper__c", "reference", reference_to=("User",), relationship_name="Keeper__r"),
            Field("Who__c", "reference", reference_to=("Lead", "Contact"), relationship_name="Who__r"),
        ],
    )


def load(source: Any, operation: str = "insert", **arguments: Any) -> dict[str, Any]:
    """Load into ``Thing__c``, or another ``sobject``, to the end; return what the task returns."""
    wanted = {"poll_interval": 0.001, "transport": "bulk", "deferrable": False, **arguments}
    if operation == "upsert":
        wanted.setdefault("external_id_field", "Key__c")
    wanted.setdefault("sobject", "Thing__c")
    operator = LoadInParts(task_id="load", operation=operation, source=source, **wanted)
    result: dict[str, Any] = run_to_end(operator, {"task_state_store": StateStore()})
    return result
