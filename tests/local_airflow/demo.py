"""``make demo``: the scheduled extract on a real scheduler and triggerer, against a simulated org, with proof."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.local_airflow.console import Console, end_on_signals, table
from tests.local_airflow.data_set import DataSet, WrongDataSetError
from tests.local_airflow.processes import LocalAirflowError
from tests.local_airflow.simulated_org import SimulatedOrgProcess
from tests.local_airflow.stack import LocalAirflow
from tests.repository import REPOSITORY

ROOT = REPOSITORY
DEMO = ROOT / ".demo"
DAG_ID, TASK_ID, CONN_ID = "scheduled_extract", "extract_accounts", "salesforce_jwt_default"
_COLUMNS = ["Id", "Name", "Industry", "AnnualRevenue", "SystemModstamp"]


@dataclass(frozen=True)
class Stage:
    """What is running.

    :param airflow: the whole of it.
    :param org: the simulated one.
    """

    airflow: LocalAirflow
    org: SimulatedOrgProcess


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second demo out of the same folder.

    :param folder: that both would write to.
    :raises LocalAirflowError: when there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalAirflowError(f"another make demo or make ui is running in {folder}") from None
        yield


@contextmanager
def started(console: Console, folder: Path = DEMO, port: int = 0) -> Iterator[Stage]:
    """The simulated org, Airflow and the connection between them.

    :param console: to say on what is done.
    :param folder: for all that is written.
    :param port: of Airflow's API server; 0: any free one.
    """
    with ExitStack() as ends:
        ends.enter_context(alone(folder))
        # The org begins anew each time, and with it its data set.
        shutil.rmtree(folder / "data", ignore_errors=True)
        with console.step("Starting the simulated Salesforce org"):
            org = ends.enter_context(SimulatedOrgProcess(folder / "org"))
            console.say(org.announcement)
        with console.step("Starting Airflow: API server, scheduler, DAG processor and triggerer, on a new database"):
            env = {"SFJWT_EXAMPLE_OUTPUT": (folder / "data").as_uri()}
            airflow = LocalAirflow(folder / "airflow", [ROOT / "example_dags"], port=port, env=env)
            ends.enter_context(airflow)
            console.say(f"healthy at {airflow.url}; logs in {_short(airflow.home.logs)}")
        with console.step(f"Defining the connection {CONN_ID}"):
            airflow.add_connection(CONN_ID, org.connection_json)
            console.say("a JWT bearer connection: username, consumer key and private key; no password")
        yield Stage(airflow, org)
        console.say("stopping what was started")


def scheduled_extract(console: Console, airflow: LocalAirflow) -> DataSet:
    """Let the scheduler run the example, and find what it published.

    :param console: to say on what is done.
    :param airflow: that runs.
    :raises LocalAirflowError: when the run fails.
    """
    with console.step(f"Unpausing {DAG_ID}; waiting for its scheduled run"):
        airflow.unpause(DAG_ID)
        run = airflow.wait_for_run(DAG_ID, progress=console.say)
        console.say(f"{run['dag_run_id']} {run['state']}")
    summary = airflow.xcom(DAG_ID, run["dag_run_id"], TASK_ID)
    data = DataSet.of_receipt(summary["receipt"])
    if data.receipt["job_id"] != summary["job_id"]:
        raise WrongDataSetError(f"{summary['receipt']} is of another job than the run: {summary['job_id']}")
    return data


def show(console: Console, data: DataSet) -> None:
    """Print the receipt and the first rows, and prove that they are complete.

    :param console: to print on.
    :param data: what was published.
    :raises WrongDataSetError: when it is not what the receipt says.
    """
    with console.step(f"The receipt, {_short(Path(data.folder.path))}/_receipt.json"):
        console.say(json.dumps(_shortened(data.receipt), indent=2, ensure_ascii=False))
    with console.step("The first rows"):
        console.say(table(data.first_rows(5, _COLUMNS)))
    with console.step("Checking that the extract is complete"):
        data.check()
        written, pages, job = data.counts()
        console.say(f"rows written {written} = rows of the job {job} = sum of the {len(data.parts)} pages {pages}")
        if not written:
            raise WrongDataSetError("there is not a single row")
        console.say("each file has the SHA-256 that the receipt names, and there is no other file")


def _shortened(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt without the bulk of its two long lists."""
    shown = dict(receipt)
    for name in ("parts", "columns"):
        entries = receipt[name]
        shown[name] = [*entries[:2], *([f"… and {len(entries) - 2} more"] if len(entries) > 2 else [])]
    return shown


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """Run the demo.

    :return: exit status: 0 when the run succeeded and its data set is proved complete.
    """
    end_on_signals()
    console = Console()
    try:
        with started(console) as stage:
            show(console, scheduled_extract(console, stage.airflow))
    except (LocalAirflowError, WrongDataSetError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been stopped.", file=sys.stderr, flush=True)
        return 130
    print(f"The demo succeeded in {console.seconds:.0f} s. 'make ui' leaves it all running to click in.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
