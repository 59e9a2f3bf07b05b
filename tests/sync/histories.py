"""Random histories of an org while it is synced: what happens to its rows and fields, when, and what a chain must hold."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.sync.state import ObjectState
from airflow_provider_sfjwt.tables import merge
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.sync.applied import applied, in_org
from tests.sync.syncs import Syncs, task
from tests.tables.databases import SQLite

LAG = 2
CHANGES = ("insert", "insert", "update", "update", "update", "delete", "undelete", "purge", "merge", "recalculate")
#: A field whose value changes without a stamp.
FORMULA = "Formula__c"
DRIFTS = ("add", "add checkbox", "hide", "show", "drop")
FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503, "times": 6},
    "reset": {"reset": True},
    "cut": {"cut_at": 0.5},
    "session": {"expire_session": True},
    "refusal": {"status": 400, "body": '[{"errorCode":"API_ERROR","message":"as said"}]'},
    "no cursor": {"status": 400, "body": '[{"errorCode":"INVALID_QUERY_LOCATOR","message":"as said"}]', "times": 9},
}


@dataclass
class History:
    """An org, a sync of it, and what was done to both.

    :param org: empty.
    :param root: of the sync.
    :param random: decides everything.
    :param objects: how many.
    :param deletes: how deletions are found.
    """

    org: SimulatedOrg
    root: Path
    random: Random
    objects: int
    deletes: str
    names: list[str] = field(default_factory=list)
    #: Ids that changed while a run went on: what the run has of them is not known.
    during: set[str] = field(default_factory=set)
    #: When records were purged, by id.
    purged: dict[str, datetime] = field(default_factory=dict)
    hidden: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    #: Of the last run's windows.
    end: datetime = datetime(1999, 1, 1, tzinfo=timezone.utc)
    running: bool = False
    runs: int = 0

    def __post_init__(self) -> None:
        self.syncs = Syncs(self.org, self.root)
        self.org.clock_offset = -580
        self.end = self.org.now() - timedelta(minutes=5)
        for number in range(self.objects):
            name = f"Thing{number}__c"
            fields = [
                Field("Text__c"),
                Field("Number__c", "double", precision=18, scale=2),
                Field("Flag__c", "boolean"),
                Field(FORMULA, "double", precision=18, scale=2, calculated=True, createable=False),
            ]
            master = Field("MasterRecordId", "reference", reference_to=(name,), relationship_name="MasterRecord")
            self.org.define_object(name, [*fields, master], replicateable=self.random.random() < 0.8)
            self.names.append(name)
            self.hidden[name] = []
            for _ in range(self.random.randint(0, 6)):
                self.change(name, "insert")

    # -- what happens to the org ---------------------------------------------------------------------------------------

    def change(self, name: str, kind: str) -> None:
        """Change a random row of an object, where there is one that can be changed so."""
        rows = self.org.rows(name)
        alive = [row for row in rows if not row["IsDeleted"]]
        dead = [row for row in rows if row["IsDeleted"]]
        if kind == "insert":
            values = self._values(name)
            (made,) = self.org.insert(name, [values | {"SystemModstamp": self._stamp(None)}])
            self.during.add(made)
        elif kind == "update" and alive:
            row = self.random.choice(alive)
            self._note(row)
            self.org.update(name, row["Id"], self._values(name) | {"SystemModstamp": self._stamp(row)})
        elif kind == "delete" and alive:
            row = self.random.choice(alive)
            self._note(row)
            self.org.delete(name, row["Id"], when=self._stamp(row))
        elif kind == "undelete" and dead:
            row = self.random.choice(dead)
            self._note(row)
            self.org.undelete(name, row["Id"])
        elif kind == "purge" and dead and self.deletes != "recycle_bin":
            row = self.random.choice(dead)
            self._note(row)
            self.purged[row["Id"]] = max(self.org.now(), row["SystemModstamp"])
            self.org.purge(name, row["Id"])
        elif kind == "recalculate" and alive and FORMULA in self._fields(name):
            row = self.random.choice(alive)
            self._note(row)
            self.org.recalculate(name, row["Id"], {FORMULA: self.random.choice((None, 1.25, 2, 3))})
        elif kind == "merge" and len(alive) > 1:
            winner, loser = self.random.sample(alive, 2)
            self._note(winner, loser)
            self.org.merge(name, winner["Id"], [loser["Id"]])
        else:
            return
        self.seen[kind] += 1

    def drift(self, name: str, kind: str) -> None:
        """Change a field of an object."""
        shown = [each for each in self._fields(name) if each.endswith("__c")]
        if kind.startswith("add"):
            added = f"New{self.seen['add'] + self.seen['add checkbox']}__c"
            self.org.add_field(name, Field(added, "boolean" if kind == "add checkbox" else "string"))
            for row in self.org.rows(name)[::2]:  # rows that were extracted before get values, and no stamp shows it
                stamps = {each: row[each] for each in ("SystemModstamp", "LastModifiedDate")}
                self.org.update(name, row["Id"], stamps | {added: True if kind == "add checkbox" else "quiet"})
        elif kind == "show" and self.hidden[name]:
            self.org.show_field(name, self.hidden[name].pop())
        elif kind == "hide" and len(shown) > 1:
            self.hidden[name].append(self.random.choice(shown))
            self.org.hide_field(name, self.hidden[name][-1])
        elif kind == "drop" and len(shown) > 1:
            self.org.drop_field(name, self.random.choice(shown))
        else:
            return
        self.seen[kind] += 1

    def _fields(self, name: str) -> list[str]:
        return [each.name for each in self.org._schema.get(name).columns]

    def _values(self, name: str) -> dict[str, Any]:
        made = {"Text__c": f"t{self.random.randint(0, 99)}", "Number__c": self.random.randint(0, 999) / 4}
        made |= {"Flag__c": self.random.random() < 0.5}
        shown = set(self._fields(name))
        return {each: value for each, value in made.items() if each in shown and self.random.random() < 0.8}

    def _stamp(self, row: dict[str, Any] | None) -> datetime:
        """A whole second since the last run's end, so that stamps tie, and commits come late; no row goes back."""
        now = self.org.now().replace(microsecond=0)
        # While a run goes on, commits are late by less than the lag that it allows for.
        first = now - timedelta(seconds=LAG - 1) if self.running else self.end
        stamp = first + timedelta(seconds=self.random.randint(0, max(0, int((now - first).total_seconds()))))
        self.seen["late commit"] += stamp < now
        return max(stamp, row["SystemModstamp"]) if row else stamp

    def _note(self, *rows: dict[str, Any]) -> None:
        self.during.update(str(row["Id"]) for row in rows)

    # -- runs ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let the org change, sync it with what goes wrong, and see that the chain holds what there is."""
        self.runs += 1
        for _ in range(self.random.randint(0, 3 * self.objects)):
            self.change(self.random.choice(self.names), self.random.choice(CHANGES))
        if self.random.random() < 0.4:
            self.drift(self.random.choice(self.names), self.random.choice(DRIFTS))
        self.org.clock_offset += LAG + 1 + self.random.randint(0, 5)
        self.during.clear()
        self._meanwhile()
        of, self.running = task(f"run {self.runs}"), True
        if self.random.random() < 0.25:
            self._killed(of)
        if self.random.random() < 0.5:
            kind = self.random.choice(list(FAULTS))
            nth = self.random.randint(1, 3 * self.objects)
            self.org.add_fault(Fault(path="*/services/data/v*", nth=nth, **FAULTS[kind]))
            self.seen[f"fault {kind}"] += 1
        try:
            report = self._sync(of)
        except SalesforceError:
            self.seen["retry"] += 1
            self.org.clear_faults()
            report = self._sync(of)
        self.org.clear_faults()
        self.end, self.running = datetime.fromisoformat(report.end), False
        for name in self.names:
            self._check(name)
        if self.random.random() < 0.2:
            self._lose_state()

    def settle(self) -> None:
        """One run more, long after the last change: the chain holds all there is, purged rows included."""
        self.org.clock_offset = 170
        self.during.clear()
        self._sync(task("last"))
        for name in self.names:
            self._check(name)
        self._merge(self.random.choice(self.names))

    def _merge(self, name: str) -> None:
        """A table holds the same once the chain was merged into it, part of it twice."""
        database = SQLite("warehouse", self.root.parent / "warehouse.sqlite")
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = database.connection_json()
        receipts = [each.receipt for each in read_sync(f"file://{self.root}", name)]
        cut = self.random.randint(1, len(receipts))
        for some in (receipts[:cut], receipts[:cut], receipts):
            merge(some, sql_conn_id="warehouse", table="things")
        shown = [each for each in ("Id", "Text__c", "Number__c", FORMULA) if each in self._fields(name)]
        found = {row[0]: tuple(map(_plain, row)) for row in database.rows("things", shown)}
        expected = {
            record: tuple(_plain(row.get(each)) for each in shown) for record, row in in_org(self.org, name).items()
        }
        assert {record: row for record, row in found.items() if record not in self._unknown(name)} == expected
        self.seen["merged"] += 1

    def _sync(self, of: Any) -> Any:
        asked: dict[str, Any] = {"deletes": self.deletes, "deletes_every": 1, "commit_lag": LAG, "rest_rows": 5}
        asked |= {"refresh_formulas": 1}
        return self.syncs.run(self.names, of=of, **asked)

    def _meanwhile(self) -> None:
        """Let rows change while the run goes on: when the org has made its n-th answer."""

        def happen(answer: Any) -> Any:
            self.change(self.random.choice(self.names), self.random.choice(CHANGES))
            self.seen["during"] += 1
            return answer

        for _ in range(self.random.randint(0, 2)):
            nth = self.random.randint(1, 2 * self.objects)
            self.org.add_fault(Fault(method="GET", path="*/query*", nth=nth, edit_json=happen))

    def _killed(self, of: Any) -> None:
        """A worker of its own that dies at some moment, or a little too late."""
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, self.random.uniform(0.02, 0.15 * self.objects))
            with suppress(BaseException):
                self._sync(of)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        self.seen["killed"] += os.WIFSIGNALED(status)

    def _lose_state(self) -> None:
        """The worker died between a receipt and the state: the state is that of the run before."""
        name = self.random.choice(self.names)
        chain = self.syncs.chain(name)
        if len(chain) > 1:
            (self.root / name / "_state.json").unlink()
            self.seen["state lost"] += 1

    def _unknown(self, name: str) -> set[str]:
        """The ids of which the chain cannot say yet what they are: they changed during the run, or were just purged."""
        reached = ObjectState.from_json(self.syncs.state(name)).deletes_reached
        covered = datetime.fromisoformat(reached) if reached else None
        return self.during | {each for each, at in self.purged.items() if covered is None or at >= covered}

    def _check(self, name: str) -> None:
        shown = set(self._fields(name))
        found, expected = applied(self.root, name), in_org(self.org, name)
        for record in (found.keys() | expected.keys()) - self._unknown(name):
            assert record in found, f"{name} {record} is in the org and not in the chain"
            assert record in expected, f"{name} {record} is in the chain and not in the org"
            mine = {each: value for each, value in found[record].items() if each in shown}
            assert mine == expected[record], f"{name} {record}"


def _plain(value: Any) -> Any:
    """A value as any database gives it."""
    with suppress(TypeError, ValueError):
        return float(value)
    return value
