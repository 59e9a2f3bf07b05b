"""A run of a sync's group on the real Airflow, from an org of its own."""

from __future__ import annotations

from collections import Counter

from upath import UPath

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.data_set import DataSet
from tests.local_airflow.stack import LocalAirflow
from tests.system.scenes import Scene

#: Rows by object. Those of the first are left to a job, the others are read over REST.
ROWS = {"Account": 600, "Contact": 50, "Lead": 40}
#: The queries of one object over REST.
QUERY_OF = "*/quer*FROM*{}*"


class SyncScene(Scene):
    """One run of a sync. Its group's ``small`` is the task that is looked at."""

    task_id = "sync.small"

    def queries(self) -> Counter[str]:
        """How often the rows of each object were asked for over REST."""
        asked = [each.query for each in self.org.requests if "/quer" in each.path and each.method == "GET"]
        return Counter(name for name in ROWS for query in asked if f"FROM+{name}" in query.replace("%20", "+"))

    def has_begun(self, sobject: str) -> bool:
        """Whether the turn of an object has come. A query that hangs is seen when it has been answered."""
        return any(each.path.endswith(f"/{sobject}/describe") for each in self.org.requests)

    def published_objects(self) -> set[str]:
        """The objects whose state names a receipt."""
        return {name for name in ROWS if (self.folder / name / "_state.json").exists()}

    def written(self) -> list[str]:
        """The id of each row in the windows of all objects."""
        receipts = [path for name in ROWS for path in (self.folder / name).glob("w=*/_receipt.json")]
        return [row["Id"] for path in receipts for row in DataSet.in_folder(path.parent).rows()]

    def succeed_once(self) -> None:
        """Wait for a run that is green: each row of the org is in one window, and the lease has ended."""
        self.airflow.wait_for_run(self.dag_id, run_id=self.run_id)
        assert sorted(self.written()) == sorted(row["Id"] for name in ROWS for row in self.org.rows(name))
        assert self.published_objects() == set(ROWS)
        assert not (self.folder / "_lease.json").exists()


def filled_org() -> SimulatedOrg:
    """An org with the rows, whose clock is past their last change."""
    return SimulatedOrg(records=ROWS, bulk_page_size=100, bulk_polls=1)


def sync_scene(airflow: LocalAirflow, name: str, org: SimulatedOrg, output: UPath) -> SyncScene:
    """The scene of that name.

    :param airflow: that runs.
    :param name: of the Dag, the connection and the root.
    :param org: with the rows.
    :param output: folder of the roots.
    """
    org.clock_offset = 2  # windows end at whole seconds
    return SyncScene(airflow, name, name, org, output / name)
