"""``make ui``: Airflow's UI and the simulated org, left running to click in."""

from __future__ import annotations

import argparse
import json
import sys
import threading

from tests.local_airflow.console import Console, end_on_signals
from tests.local_airflow.data_set import WrongDataSetError
from tests.local_airflow.demo import CONN_ID, DAG_ID, TASK_ID, Stage, scheduled_extract, started
from tests.local_airflow.processes import LocalAirflowError

_GUIDE = """
Airflow is at {url} (no sign-in needed). What to click:

  - Admin → Connections → {conn_id}: the form of a Salesforce JWT connection.
    In the list, the Test button of its row signs in to the simulated org.
  - Admin → Connections → Add Connection → Connection Type "Salesforce JWT": an empty form. To fill it in:
      Username       {login}
      Login URL      {host}
      Port           443 (Airflow 3.3.2 tests no connection without one)
      Consumer key   {consumer_key}
      Private key    the text of {key_file}
  - Dags → {dag_id} → the newest run → {task_id} → Logs and XCom: the scheduled extract and its receipt.
    Trigger it again: the run replaces its own output.

Ctrl-C ends all of it.
"""


def _guide(stage: Stage) -> str:
    connection = json.loads(stage.org.connection_json)
    return _GUIDE.format(
        url=stage.airflow.url,
        conn_id=CONN_ID,
        dag_id=DAG_ID,
        task_id=TASK_ID,
        login=connection["login"],
        host=connection["host"],
        consumer_key=connection["extra"]["consumer_key"],
        key_file=stage.org.key_file,
    )


def main() -> int:
    """Start everything, run the example once, and wait for Ctrl-C.

    :return: exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.local_airflow.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the UI on 127.0.0.1; 0: any free one (default)")
    options = parser.parse_args()
    end_on_signals()
    console = Console()
    try:
        with started(console, port=options.port) as stage:
            data = scheduled_extract(console, stage.airflow)
            console.say(f"published {data.check()} rows in {data.folder}")
            print(_guide(stage), flush=True)
            threading.Event().wait()
    except (LocalAirflowError, WrongDataSetError) as error:
        print(f"\nmake ui failed: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nEnded; everything that was started has been stopped.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
