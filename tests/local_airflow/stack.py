"""A whole Airflow: scheduler, DAG processor, triggerer and API server, started and ended together."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.local_airflow.airflow_home import AirflowHome
from tests.local_airflow.processes import ChildProcess, LocalAirflowError, free_port, poll_until, stop_all, tail
from tests.local_airflow.rest_api import RestApi

#: By the names that Airflow's health report gives them. Logs are read from the disk that all of them share.
COMPONENTS = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag_processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_ENDED = ("success", "failed")

Run = dict[str, Any]


class RunFailedError(LocalAirflowError):
    """A DAG run failed; the message has the end of the log of each failed task."""


class LocalAirflow:
    """An Airflow on this machine, for as long as the ``with`` block lasts.

    Its metadata database is new, so that no run, trigger or heartbeat of an earlier time is in the way.

    :param home: folder for everything that it writes.
    :param dags: folders of DAG files.
    :param port: of the API server; 0: any free one.
    :param env: further variables for all of its processes, which win.
    :param components: further processes by their names, each with the arguments of ``airflow`` that start it. Each has a
        temporary folder of its own, as on a machine of its own.
    :param start_timeout: seconds in which all components must have come up.
    :param upgrade: whether to keep the home's database, which another version may have made, and bring it up to this one.
    """

    def __init__(
        self,
        home: Path,
        dags: Sequence[Path],
        *,
        port: int = 0,
        env: Mapping[str, str] | None = None,
        components: Mapping[str, Sequence[str]] | None = None,
        start_timeout: float = 300,
        upgrade: bool = False,
    ) -> None:
        self._upgrade = upgrade
        self._further: Mapping[str, Sequence[str]] = components or {}
        self._components = {**COMPONENTS, **self._further}
        self.home = AirflowHome(home, dags, port or free_port(), env or {})
        self.url = self.home.url
        self._api = RestApi(self.url)
        self._start_timeout = start_timeout
        self._children: list[ChildProcess] = []

    def __enter__(self) -> LocalAirflow:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until all of it reports to be healthy.

        :raises LocalAirflowError: with the end of the log of what did not come up.
        """
        if self._upgrade:
            self.home.cli("db", "migrate")
        else:
            self.home.reset()
        try:
            self._children = [self._started(name) for name in self._components]
            if not poll_until(self._healthy, self._start_timeout, interval=0.5):
                raise LocalAirflowError(f"Airflow did not come up in {self._start_timeout:.0f} s. {self._complaints()}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process that was started, and theirs."""
        children, self._children = self._children, []
        # The API server last: the triggerer tries for seconds to reach one that is gone.
        stop_all(children[1:])
        stop_all(children[:1])

    def restart(self, name: str) -> None:
        """End a component, and start it again.

        :param name: which of them.
        """
        child = self.child(name)
        stop_all([child])
        self._children[self._children.index(child)] = self._started(name)

    def start_another(self, name: str) -> str:
        """Start a component once more.

        :param name: which of them.
        :return: its own name.
        """
        self._children.append(self._started(f"{name} 2"))
        return f"{name} 2"

    def child(self, name: str) -> ChildProcess:
        """The process of a component.

        :param name: which of them, or as :meth:`start_another` named it.
        """
        [found] = [child for child in self._children if child.name == name]
        return found

    def kill(self, name: str) -> None:
        """End a component with everything that it has started, without a word, as when its machine is lost.

        :param name: which of them; :meth:`begin` starts another one.
        """
        child = self.child(name)
        self._children.remove(child)
        child.kill()

    def begin(self, name: str) -> None:
        """Start a component that was killed.

        :param name: which of them.
        """
        self._children.append(self._started(name))

    @property
    def pids(self) -> list[int]:
        """Of the components."""
        return [child.pid for child in self._children]

    def cli(self, *arguments: str) -> str:
        """Run a command of Airflow in this home.

        :param arguments: of ``airflow``.
        :return: what it printed.
        """
        return self.home.cli(*arguments)

    def api(self, method: str, path: str, json: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Call the REST API, see :meth:`RestApi.request`."""
        return self._api.request(method, path, json, params)

    def add_connection(self, conn_id: str, connection: str) -> None:
        """Define a connection in the metadata database, in place of one of that id.

        :param conn_id: its id.
        :param connection: JSON, as ``AIRFLOW_CONN_…`` takes it.
        """
        fields: dict[str, Any] = json_module.loads(connection)
        extra = fields.pop("extra", None)
        body = {
            "connection_id": conn_id,
            **fields,
            "extra": extra if isinstance(extra, str) or extra is None else json_module.dumps(extra),
        }
        if self._api.found(f"connections/{conn_id}"):
            self.api("DELETE", f"connections/{conn_id}")
        self.api("POST", "connections", body)

    def wait_for_dag(self, dag_id: str, seconds: float = 120) -> None:
        """Wait until the DAG processor has read a DAG.

        :param dag_id: its id.
        :param seconds: to wait.
        :raises LocalAirflowError: when it did not; with the errors of DAG files that are broken.
        """

        def parsed() -> bool:
            self._check_children()
            return self._api.found(f"dags/{dag_id}") is not None

        if not poll_until(parsed, seconds, interval=0.5):
            broken = self.api("GET", "importErrors")["import_errors"]
            why = "\n".join(f"{each['filename']}: {each['stack_trace']}" for each in broken) or self._complaints()
            raise LocalAirflowError(f"the DAG processor did not find {dag_id} in {seconds:.0f} s.\n{why}")

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG, as soon as it is known.

        :param dag_id: its id.
        """
        self.wait_for_dag(dag_id)
        self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a run by hand.

        :param dag_id: its id.
        :param conf: of the run.
        :param logical_date: ISO 8601, or None.
        :return: the run's id.
        """
        self.unpause(dag_id)
        body = {"logical_date": logical_date, "conf": dict(conf or {})}
        return str(self.api("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[Run]:
        """Every run of a DAG.

        :param dag_id: its id.
        """
        found: list[Run] = self.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
        return found

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        """
        found: list[dict[str, Any]] = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return found

    def wait_for_run(
        self,
        dag_id: str,
        *,
        run_id: str | None = None,
        run_type: str = "scheduled",
        seconds: float = 300,
        progress: Callable[[str], None] | None = None,
        may_fail: bool = False,
    ) -> Run:
        """Wait until a run has ended.

        :param dag_id: the DAG's id.
        :param run_id: the run's id; None: the first of ``run_type``.
        :param run_type: ``scheduled``, ``manual``…; without ``run_id``.
        :param seconds: to wait.
        :param progress: gets a line for each change of state.
        :param may_fail: return a failed run instead of raising.
        :return: the run.
        :raises RunFailedError: when it failed, with the end of the logs.
        :raises LocalAirflowError: when it did not end in time.
        """
        said: list[str] = []

        def ended() -> bool:
            self._check_children()
            run = self._run(dag_id, run_id, run_type)
            states = self._states(dag_id, run)
            if states and states not in said[-1:]:
                said.append(states)
                if progress:
                    progress(states)
            return run is not None and run["state"] in _ENDED

        in_time = poll_until(ended, seconds, interval=0.5)
        run = self._run(dag_id, run_id, run_type)
        if run is None:
            raise LocalAirflowError(f"the scheduler made no {run_type} run of {dag_id}. {self._complaints()}")
        if not in_time:
            raise LocalAirflowError(
                f"{run['dag_run_id']} did not end in {seconds:.0f} s.\n{self.log_tails(dag_id, run)}"
            )
        if run["state"] == "failed" and not may_fail:
            raise RunFailedError(f"{run['dag_run_id']} failed.\n{self.log_tails(dag_id, run)}")
        return run

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, state: str, seconds: float = 90) -> None:
        """Wait until a task has come to a state.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        :param task_id: the task's id.
        :param state: e.g. ``deferred``.
        :param seconds: to wait.
        :raises LocalAirflowError: when it did not, or ended otherwise.
        """
        seen = ""

        def there() -> bool:
            nonlocal seen
            self._check_children()
            seen = next((str(t["state"]) for t in self.tasks(dag_id, run_id) if t["task_id"] == task_id), "")
            return seen == state or seen in _ENDED

        poll_until(there, seconds, interval=0.2)
        if seen != state:
            raise LocalAirflowError(f"{task_id} of {run_id} is {seen or 'not there'}, not {state}")

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """The log of a task as text, one event a line.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        :param task_id: the task's id.
        :param try_number: which try.
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.api("GET", path, params={"full_content": "true"})["content"]
        return "\n".join(_as_line(each) for each in content)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task returned, decoded.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        :param task_id: the task's id.
        :param key: of the XCom.
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api("GET", path, params={"stringify": "false", "deserialize": "false"})["value"]

    def log_tails(self, dag_id: str, run: Run, lines: int = 25) -> str:
        """The ends of the logs of the tasks that did not succeed.

        :param dag_id: the DAG's id.
        :param run: the run.
        :param lines: of each log.
        """
        parts = []
        for task in self.tasks(dag_id, run["dag_run_id"]):
            if task["state"] != "success":
                text = ""
                if task["try_number"]:
                    text = self.task_log(dag_id, run["dag_run_id"], task["task_id"], task["try_number"])
                shown = "\n".join(text.splitlines()[-lines:]) or "(no log)"
                parts.append(f"--- {task['task_id']} is {task['state']}; the end of its log:\n{shown}")
        return "\n".join(parts)

    def _started(self, name: str) -> ChildProcess:
        log = self.home.logs / "components" / f"{name}.log"
        env = self.home.env
        if name in self._further:
            folder = self.home.folder / "tmp" / name
            folder.mkdir(parents=True, exist_ok=True)
            env = env | {"TMPDIR": str(folder)}
        return ChildProcess(name, self.home.command(*self._components[name.split()[0]]), env=env, log=log)

    def _run(self, dag_id: str, run_id: str | None, run_type: str) -> Run | None:
        return next(
            (
                run
                for run in self.runs(dag_id)
                if run["dag_run_id"] == run_id or (not run_id and run["run_type"] == run_type)
            ),
            None,
        )

    def _states(self, dag_id: str, run: Run | None) -> str:
        if run is None:
            return ""
        tasks = self.tasks(dag_id, run["dag_run_id"])
        return ", ".join(f"{task['task_id']} {task['state'] or 'waits'}" for task in tasks)

    def _check_children(self) -> None:
        for child in self._children:
            child.check()

    def _healthy(self) -> bool:
        self._check_children()
        return self._api.answers() and not self._unhealthy()

    def _unhealthy(self) -> list[str]:
        """Components that have not yet reported; the database is new, so that no report is an old one."""
        late = []
        health = self._api.health()
        for name in COMPONENTS:
            if name == "api-server":
                continue
            report = health.get(name) or {}
            if report.get("status") != "healthy":
                late.append(name)
        return late

    def _complaints(self) -> str:
        """The end of every component's log."""
        return "\n".join(f"The last lines of {child.log}:\n{tail(child.log)}" for child in self._children)


def _as_line(event: Any) -> str:
    """A structured log event as a line: its message, and an exception's type and text where there is one."""
    if not isinstance(event, dict):
        return str(event)
    parts = [str(event.get("timestamp") or ""), str(event.get("level") or ""), str(event.get("event") or "")]
    for detail in event.get("error_detail") or []:
        parts.append(f"{detail.get('exc_type')}: {detail.get('exc_value')}")
    return " ".join(part for part in parts if part)
