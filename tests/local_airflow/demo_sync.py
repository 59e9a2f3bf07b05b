"""``make demo-sync``: ten objects of a simulated org in step, on a real Airflow, in three runs with changes between."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.local_airflow.console import Console, end_on_signals, table
from tests.local_airflow.demo import CONN_ID, alone
from tests.local_airflow.processes import LocalAirflowError
from tests.local_airflow.stack import LocalAirflow
from tests.repository import REPOSITORY

if TYPE_CHECKING:
    from airflow_provider_sfjwt.testing import SimulatedOrg

FOLDER = REPOSITORY / ".demo" / "sync"
DAG_ID = "demo_sync"
ROWS = {"Account": 2_500, "Contact": 500, "Opportunity": 300}
OWN = [f"Ship{number}__c" for number in range(1, 7)]


def filled(org: SimulatedOrg) -> None:
    """Six objects of the org's own, beside four that it has. :param org: the org."""
    from airflow_provider_sfjwt.testing import Field

    for name in OWN:
        org.define_object(name, [Field("Port__c", "string", length=40)])
        org.insert(name, [{"Name": f"{name} {row}", "Port__c": "Hamburg"} for row in range(40)])
    org.clock_offset += 2


def changed(org: SimulatedOrg) -> dict[str, int]:
    """Change, add and delete rows between two runs. :param org: the org. :return: how many rows, by object."""
    accounts = org.rows("Account")
    for row in accounts[:30]:
        org.update("Account", row["Id"], {"Industry": "Shipping"})
    for row in accounts[-10:]:
        org.delete("Account", row["Id"])
    org.insert("Contact", [{"LastName": f"New contact {number}"} for number in range(5)])
    for row in org.rows("Ship1__c")[:7]:
        org.update("Ship1__c", row["Id"], {"Port__c": "Rotterdam"})
    org.clock_offset += 2
    return {"Account": 40, "Contact": 5, "Ship1__c": 7}


def with_a_new_field(org: SimulatedOrg) -> dict[str, int]:
    """Add a field, and give it to a few rows. :param org: the org. :return: how many rows, by object."""
    from airflow_provider_sfjwt.testing import Field

    org.add_field("Ship2__c", Field("Captain__c", "string", length=40))
    for row in org.rows("Ship2__c")[:3]:
        org.update("Ship2__c", row["Id"], {"Captain__c": "Ada"})
    org.clock_offset += 2
    return {"Ship2__c": 3}


def run(console: Console, airflow: LocalAirflow, hour: int) -> dict[str, Any]:
    """Let the scheduler run the DAG, and read the summary.

    :param console: to say on what is done.
    :param airflow: that runs.
    :param hour: of the run's logical date.
    """
    began = time.monotonic()
    run_id = airflow.trigger(DAG_ID, logical_date=f"2026-01-05T{hour:02}:00:00Z")
    airflow.wait_for_run(DAG_ID, run_id=run_id, progress=console.say)
    result = airflow.xcom(DAG_ID, run_id, "salesforce.summary")
    path = Path(result["summary"].removeprefix("file://"))
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    shown = ("sobject", "status", "records", "sequence", "transport", "api_calls", "seconds")
    console.say(table([{name: each.get(name) for name in shown} for each in summary["outcomes"]]))
    console.say(
        f"{summary['objects']} objects, {summary['published']} receipts, {summary['records']:,} rows, "
        f"{summary['api_calls']} API calls; {summary['seconds']:.1f} s from plan to summary, "
        f"{time.monotonic() - began:.1f} s from the trigger to the end of the run"
    )
    return summary


def check(summary: dict[str, Any], expected: dict[str, int]) -> None:
    """See that a run has extracted what changed, and nothing else.

    :param summary: of the run.
    :param expected: rows by object; none of the others.
    :raises LocalAirflowError: when it has not.
    """
    found = {each["sobject"]: each["records"] for each in summary["outcomes"] if each["records"]}
    if found != expected:
        raise LocalAirflowError(f"the run extracted {found}, and {expected} had changed")


def demo(console: Console, folder: Path) -> None:
    """Run it.

    :param console: to say on what is done.
    :param folder: for all that is written.
    """
    from airflow_provider_sfjwt.testing import SimulatedOrg

    with ExitStack() as ends:
        ends.enter_context(alone(folder))
        shutil.rmtree(folder / "data", ignore_errors=True)
        with console.step("Starting a simulated Salesforce org with ten objects"):
            org = ends.enter_context(SimulatedOrg(records=ROWS, bulk_polls=1))
            filled(org)
        with console.step("Starting Airflow: API server, scheduler, DAG processor and triggerer, on a new database"):
            env = {"SFJWT_EXAMPLE_OUTPUT": (folder / "data").as_uri()}
            dags = Path(__file__).parent / "dags"
            airflow = ends.enter_context(LocalAirflow(folder / "airflow", [dags], env=env))
            airflow.add_connection(CONN_ID, org.connection_json())
            console.say(f"healthy at {airflow.url}")
        with console.step("The first run extracts all rows"):
            first = run(console, airflow, 10)
            if first["objects"] != 10 or first["records"] < sum(ROWS.values()):
                raise LocalAirflowError(
                    f"the first run extracted {first['records']} rows of {first['objects']} objects"
                )
        with console.step("Changing 37 rows, adding 5 and deleting 10; the second run extracts these alone"):
            expected = changed(org)
            check(run(console, airflow, 11), expected)
        with console.step("Adding a field to Ship2__c, and filling it in 3 rows; the third run"):
            expected = with_a_new_field(org)
            summary = run(console, airflow, 12)
            if summary["failed"] or sum(expected.values()) > summary["records"]:
                raise LocalAirflowError(f"the run extracted {summary['records']} rows, and {expected} had changed")
            receipt = next(each["receipt"] for each in summary["outcomes"] if each["sobject"] == "Ship2__c")
            columns = json.loads(Path(receipt.removeprefix("file://")).read_text(encoding="utf-8"))["columns"]
            if "Captain__c" not in [each["name"] for each in columns]:
                raise LocalAirflowError("the new field is not in the third receipt")
            console.say("the new field Captain__c is in the receipt of Ship2__c")


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo.

    :param arguments: the folder for all that is written; nothing for ``.demo/sync``.
    :return: exit status: 0 when each run extracted what had changed, and nothing else.
    """
    end_on_signals()
    console, folder = Console(), Path(arguments[0]) if arguments else FOLDER
    try:
        demo(console, folder)
    except LocalAirflowError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been stopped.", file=sys.stderr, flush=True)
        return 130
    print(f"The demo succeeded in {console.seconds:.0f} s. The chains are in {folder / 'data'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
