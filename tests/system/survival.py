"""What runs survive: a table of events and executors. ``python -m tests.system.survival FOLDER`` prints what tests noted."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

#: Names the folder for what is noted; nothing is kept without it.
FOLDER = "SFJWT_SURVIVAL"


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    :param event: what happened to it.
    :param state: of the run.
    :param rows: that it brought where they belong, in the end.
    :param twice: how many of them are there once more.
    :param jobs: that it made in the org.
    :param left: how many of them still run.
    """

    event: str
    state: str
    rows: int
    twice: int
    jobs: int
    left: int

    def __str__(self) -> str:
        rows = f"{self.rows} rows {f'{self.twice} TWICE' if self.twice else 'once'}" if self.rows else "no rows"
        return f"{self.state}, {rows}, {self.jobs} {'job' if self.jobs == 1 else 'jobs'}, {self.left} left"


class _Survivor(Protocol):
    @property
    def run_id(self) -> str: ...

    def outcome(self) -> Outcome: ...


@dataclass
class SurvivalTable:
    """The outcomes of one executor.

    :param executor: its name.
    """

    executor: str
    outcomes: list[Outcome] = field(default_factory=list)

    def note(self, scene: _Survivor) -> None:
        """Take a run down, if it has begun.

        :param scene: the run.
        """
        if scene.run_id:
            self.outcomes.append(scene.outcome())

    def keep(self) -> None:
        """Write the table down where the environment says so."""
        folder = os.environ.get(FOLDER)
        if folder and self.outcomes:
            name = f"{self.executor}, Airflow {version('apache-airflow-core')}"
            Path(folder).mkdir(parents=True, exist_ok=True)
            lines = [asdict(each) for each in self.outcomes]
            (Path(folder) / f"{name}.json").write_text(json.dumps(lines, indent=1), encoding="utf-8")


def table(folder: Path) -> str:
    """All that was noted, as a table in Markdown: a row an event, a column an executor.

    :param folder: where it was noted.
    """
    columns = {
        path.stem: {line["event"]: str(Outcome(**line)) for line in json.loads(path.read_text(encoding="utf-8"))}
        for path in sorted(folder.glob("*.json"))
    }
    events = sorted({event for column in columns.values() for event in column})
    rows = [["event", *columns], ["---"] * (len(columns) + 1)]
    rows += [[event, *(column.get(event, "") for column in columns.values())] for event in events]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
