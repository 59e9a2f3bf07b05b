"""A run of a task on the real Airflow, against an org of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import psutil
from upath import UPath

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.data_set import DataSet
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.system.survival import Outcome, SurvivalTable

ROWS, PAGE = 600, 100
#: The path of a job itself; ids have 18 characters.
JOB = "*/jobs/query/" + "?" * 18
RESULTS = "*/jobs/query/*/results?locator=*"
#: States of a job that uses what the org has few of.
UNFINISHED = ("Open", "UploadComplete", "InProgress")
#: More polls than any test lasts.
FOREVER = 10**6


def eventually(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Wait for what must come to hold."""
    assert poll_until(condition, seconds, interval=0.2), f"{what}: not within {seconds:.0f} s"


@dataclass
class Scene:
    """One run of the extract against an org of its own, so that whatever the org has seen is of this run.

    :param name: of the connection, and of the folder of the data set.
    :param dag_id: which of the two DAGs.
    :param org: whose only accounts are the run's.
    :param folder: of the data set.
    """

    #: Of the task that is killed, marked or cleared.
    task_id: ClassVar[str] = "extract"

    airflow: LocalAirflow
    name: str
    dag_id: str
    org: SimulatedOrg
    folder: UPath
    run_id: str = field(default="")

    def begin(self) -> None:
        """Start the run."""
        self.airflow.add_connection(self.name, self.org.connection_json())
        self.run_id = self.airflow.trigger(self.dag_id, conf={"conn_id": self.name})

    @property
    def task(self) -> dict[str, Any]:
        """The task instance as the REST API shows it."""
        [task] = [each for each in self.airflow.tasks(self.dag_id, self.run_id) if each["task_id"] == self.task_id]
        return task

    @property
    def job(self) -> dict[str, Any]:
        """The only job that was ever made in the org."""
        [job] = self.org.jobs.values()
        return job

    def looks(self, job_id: str | None = None) -> int:
        """How often somebody asked how a job is getting on."""
        name = f"/jobs/query/{job_id or self.job['id']}"
        return sum(each.method == "GET" and each.path.endswith(name) for each in self.org.requests)

    def reach(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what must come to hold before the task has failed."""

        def reached() -> bool:
            if condition():
                return True
            assert self.task["state"] != "failed", self.airflow.log_tails(self.dag_id, {"dag_run_id": self.run_id})
            return False

        eventually(reached, f"{self.name}: {what}")

    def wait_until_deferred(self) -> None:
        """Until the triggerer waits for the job; a trigger that never ran would have nothing to end."""
        self.airflow.wait_for_task(self.dag_id, self.run_id, self.task_id, "deferred", seconds=180)
        self.reach(lambda: self.looks() > 0, "the trigger looks at the job")

    def wait_until_running(self, try_number: int = 1) -> None:
        """Until a worker waits for the job."""
        self.reach(
            lambda: (self.task["state"], self.task["try_number"]) == ("running", try_number), f"try {try_number} runs"
        )
        looks = self.looks() if self.org.jobs else 0
        self.reach(lambda: bool(self.org.jobs) and self.looks() > looks, "the worker looks at the job")

    def wait_until_aborted(self, seconds: float = 180) -> None:
        """Until the job is aborted."""
        eventually(lambda: self.job["state"] == "Aborted", f"{self.name}: the job is aborted", seconds)

    def mark_failed(self) -> None:
        """As a user does in the UI."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{self.task_id}"
        self.airflow.api("PATCH", path, {"new_state": "failed"})

    def clear(self) -> None:
        """As a user does in the UI."""
        order = {"dag_run_id": self.run_id, "task_ids": [self.task_id], "dry_run": False, "only_failed": False}
        cleared = self.airflow.api("POST", f"dags/{self.dag_id}/clearTaskInstances", order)
        assert cleared["total_entries"] == 1

    def kill_worker(self) -> None:
        """``kill -9`` of the process that runs the task, which must be one of this Airflow's."""
        process = psutil.Process(self.task["pid"])
        assert {each.pid for each in process.parents()} & set(self.airflow.pids)
        process.kill()
        process.wait(30)

    @property
    def triggerer(self) -> int | None:
        """Which triggerer has the trigger, if any."""
        trigger = self.task["trigger"] or {}
        number: int | None = trigger.get("triggerer_id")
        return number

    def hand_over(self, triggerer: int) -> None:
        """What a triggerer does with the triggers of one that was not heard of for 30 s, and that still runs them."""
        order = "UPDATE trigger SET triggerer_id = :triggerer WHERE id = :id"
        self.airflow.home.change_database(order, triggerer=triggerer, id=self.task["trigger"]["id"])

    def trigger_logs(self) -> str:
        """What the triggers of the task said, in whatever triggerer."""
        folder = self.airflow.home.logs / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        return "".join(each.read_text(encoding="utf-8") for each in folder.rglob("*.trigger.*"))

    def link(self) -> str | None:
        """The link to the job, as the UI gets it."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{self.task_id}/links"
        shown: dict[str, str | None] = self.airflow.api("GET", path)["extra_links"]
        return shown["Salesforce job"]

    def page_of(self, job_id: str) -> str:
        """The address of a job's page under Setup → Bulk Data Load Jobs."""
        return f"{self.org.url}/lightning/setup/AsyncApiJobStatus/page?address={quote('/' + job_id, safe='')}"

    def succeed(self) -> DataSet:
        """Wait for a run that is green, and hold its data set against the org's rows."""
        self.airflow.wait_for_run(self.dag_id, run_id=self.run_id)
        summary = self.airflow.xcom(self.dag_id, self.run_id, self.task_id)
        assert summary["receipt"].endswith(f"/{self.name}/_receipt.json")
        data = DataSet.in_folder(self.folder)
        # Nothing but the receipt and its parts is left either.
        assert data.check() == ROWS
        assert len(data.parts) == ROWS // PAGE
        assert data.rows() == [{"Id": row["Id"], "Name": row["Name"]} for row in self.org.rows("Account")]
        return data

    def written(self) -> list[str]:
        """The key of each row that the run has brought where it belongs."""
        return [row["Id"] for row in DataSet.in_folder(self.folder).rows()] if self.published else []

    @property
    def published(self) -> bool:
        """Whether there is a receipt."""
        return (self.folder / "_receipt.json").exists()

    def outcome(self) -> Outcome:
        """What has become of the run, its rows and its jobs."""
        run = self.airflow.api("GET", f"dags/{self.dag_id}/dagRuns/{self.run_id}")
        keys = self.written()
        left = [job for job in self.org.jobs.values() if job["state"] in UNFINISHED]
        kind = self.task_id.partition(".")[0]
        event = self.name.replace("_", " ").removesuffix(f" {kind}")
        return Outcome(
            event=f"{kind}: {event}",
            state=run["state"],
            rows=len(keys),
            twice=len(keys) - len(set(keys)),
            jobs=len(self.org.jobs),
            left=len(left),
        )

    def fail(self) -> None:
        """Wait for a run that is red."""
        run = self.airflow.wait_for_run(self.dag_id, run_id=self.run_id, may_fail=True)
        assert run["state"] == "failed"

    def leave(self) -> None:
        """Let the run not go on behind the tests."""
        if not self.run_id:
            return
        run = self.airflow.api("GET", f"dags/{self.dag_id}/dagRuns/{self.run_id}")
        if run["state"] not in ("success", "failed"):
            self.airflow.api("PATCH", f"dags/{self.dag_id}/dagRuns/{self.run_id}", {"state": "failed"})


S = TypeVar("S", bound=Scene)


class _InTurn(dict[str, S]):
    """Scenes of which each begins when a test asks for it."""

    def __getitem__(self, name: str) -> S:
        scene = super().__getitem__(name)
        if not scene.run_id:
            scene.begin()
        return scene


def begun(scenes: dict[str, S], ends: ExitStack, survival: SurvivalTable) -> dict[str, S]:
    """Begin all runs at once: while one is looked at, the others come to where they wait.

    On Airflow 3.2 they begin in turn: several that start together lock its API server out of a database of SQLite.

    :param scenes: by their names.
    :param ends: where their ends are noted.
    :param survival: gets the outcome of each at its end.
    """
    together = not version("apache-airflow-core").startswith("3.2.")
    for scene in scenes.values():
        ends.callback(scene.leave)
        ends.callback(survival.note, scene)
        if together:
            scene.begin()
    return scenes if together else _InTurn(scenes)
