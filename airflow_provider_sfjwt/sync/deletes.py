"""What was deleted from an object, found before the rows of its window are asked for.

``recycle_bin``: the rows of the window include those in the recycle bin. ``replicated`` asks Salesforce besides, every
``deletes_every`` seconds, which ids were deleted, purged ones included. ``ids`` compares the chain's ids with the org's
as often. Where Salesforce no longer knows what was deleted, ids are compared in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_sfjwt.exceptions import ApiError, counted
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.data_sets.receipt import DELETION_COLUMNS, column_entry
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api import replication
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.sync.chain import oldest_first
from airflow_provider_sfjwt.sync.known_ids import KnownIds
from airflow_provider_sfjwt.sync.turn import Turn

log = logging.getLogger(__name__)

#: How long Salesforce remembers what was deleted, less an hour: its clock goes on while it is asked.
#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
_REMEMBERED = timedelta(days=15) - timedelta(hours=1)
_NO_LONGER_KNOWN, _TOO_MANY = "INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"


@dataclass(frozen=True)
class Deletions:
    """What is known of deleted rows.

    :param include_deleted: whether the rows of the window include those in the recycle bin.
    :param entry: of the receipt's ``deletes``; None where deletions are not looked for.
    """

    include_deleted: bool
    entry: Mapping[str, Any] | None


@dataclass(frozen=True)
class _Found:
    """Records that were deleted.

    :param source: ``recycle_bin``, ``replicated`` or ``ids``; None where the object shows no deletions.
    :param covered: up to when they are all known; None for up to the last look.
    :param gap: whether Salesforce did not know them all any more.
    :param parts: the files that list them.
    """

    source: str | None
    covered: datetime | None = None
    gap: bool = False
    parts: tuple[OutputFile, ...] = ()

    def entry(self) -> dict[str, Any]:
        """What the receipt says of them."""
        return {
            "source": self.source,
            "covered_until": self.covered.isoformat() if self.covered else None,
            "gap": self.gap,
            "records": sum(part.records for part in self.parts),
            "columns": [column_entry(column) for column in DELETION_COLUMNS] if self.parts else [],
            "parts": [asdict(part) for part in self.parts],
        }


def before_rows(org: ConnectedOrg, turn: Turn) -> Deletions:
    """Find what was deleted, before the rows are asked for.

    :param org: where the object is.
    :param turn: the object's turn.
    """
    if turn.spec.deletes is None or turn.cursor_field is None:  # a whole table replaces what was there before
        return Deletions(False, None)
    in_bin = turn.described.field("IsDeleted") is not None
    return Deletions(in_bin, _Search(org, turn, "recycle_bin" if in_bin else None).found().entry())


@dataclass(frozen=True)
class _Search:
    """Looks for what was deleted from an object since the last look.

    :param org: where the object is.
    :param turn: the object's turn.
    :param in_rows: ``recycle_bin`` where the rows show deletions, else None.
    """

    org: ConnectedOrg
    turn: Turn
    in_rows: str | None

    def found(self) -> _Found:
        """Look, where it is time to."""
        state, spec = self.turn.state, self.turn.spec
        known_until = state.deletes_reached or state.reached
        if state.sequence == 0:  # nothing was extracted yet that could have been deleted since
            return _Found(self.in_rows, covered=self.turn.end)
        if known_until is None or state.reached is None:
            return self._compared(gap=True)
        now, start = self.org.run(org_api.server_time), datetime.fromisoformat(known_until)
        if now - start > _REMEMBERED:
            log.warning(
                "%s was last looked at for deletions at %s, and Salesforce remembers them for 15 days: all ids are "
                "compared",
                self.turn.sobject,
                known_until,
            )
            return self._compared(gap=True)
        if spec.deletes == "recycle_bin":
            return _Found(self.in_rows, covered=self.turn.end if self.in_rows else None)
        if now - start < timedelta(seconds=spec.deletes_every):
            return _Found(self.in_rows)
        return self._compared() if spec.deletes == "ids" else self._replicated(start, now)

    def _replicated(self, start: datetime, now: datetime) -> _Found:
        """What Salesforce says was deleted; where it does not say, what is no longer there."""
        if not self.turn.described.description.get("replicateable"):
            return self._compared()
        if now - start < replication.SHORTEST_SPAN:
            return _Found(self.in_rows)
        deleted: dict[str, datetime] = {}
        covered, span = start, now - start
        while covered < now - replication.SHORTEST_SPAN:
            end = min(covered + span, now)
            try:
                answer = self.org.run(replication.deleted_records, self.turn.sobject, covered, end)
            except ApiError as error:
                if error.has_code(_TOO_MANY) and span >= 2 * replication.SHORTEST_SPAN:
                    span /= 2
                    continue
                if error.has_code(_NO_LONGER_KNOWN, _TOO_MANY):
                    return self._gap(str(error))
                raise
            if answer.available > covered:
                return self._gap(f"what was deleted is known since {answer.available.isoformat()}")
            deleted.update(answer.deleted)
            if answer.covered <= covered:  # a transaction still runs that began before
                break
            covered = answer.covered
        return self._listed("replicated", deleted.items(), covered)

    def _gap(self, reason: str) -> _Found:
        log.warning(
            "Salesforce does not know all that was deleted from %s since %s: %s. All ids are compared",
            self.turn.sobject,
            self.turn.state.deletes_reached or self.turn.state.reached,
            reason,
        )
        return self._compared(gap=True)

    def _compared(self, *, gap: bool = False) -> _Found:
        """The rows of the chain whose ids the org no longer has."""
        with TemporaryDirectory(prefix="sfjwt-ids-") as name, closing(self._known(Path(name))) as known:
            # A deletion that is committed late may be stamped before this.
            covered = self.org.run(org_api.server_time) - timedelta(seconds=self.turn.spec.commit_lag)
            for table in self._alive(Path(name)).tables(["Id"]):
                known.take_out(table["Id"].to_pylist())
            return self._listed("ids", known.left(), covered, gap=gap)

    def _known(self, folder: Path) -> KnownIds:
        known = KnownIds(folder, self.turn.cursor_field or "SystemModstamp")
        for data_set in oldest_first(self.turn.root, self.turn.state):
            known.apply(data_set)
        return known

    def _alive(self, folder: Path) -> PublishedDataSet:
        """The ids that the org has now, in a folder of the worker."""
        spec = self.turn.spec
        output_path = f"file://{folder}/alive"
        asked = ExtractSpec(
            output_path=output_path,
            sobject=self.turn.sobject,
            fields=["Id"],
            where=self._where(),
            include_deleted=self.in_rows is not None,
            file_format="parquet",
            parallel_pages=spec.parallel_pages,
            transport="rest" if self.turn.state.only_rest else self.turn.asked.transport,
            min_api_calls_left=spec.min_api_calls_left,
            poll_interval=spec.poll_interval,
            timeout=spec.timeout,
        )
        Extraction(self.org, asked, described=self.turn.described, rest_limits=spec.rest_limits).run()
        return PublishedDataSet(output_path)

    def _where(self) -> str | None:
        """Which rows are there. A plain query leaves archived activities out, so deleted rows are left out by name."""
        conditions = [f"({self.turn.asked.where})"] if self.turn.asked.where else []
        if self.in_rows is not None:
            conditions.append("IsDeleted = false")
        return " AND ".join(conditions) or None

    def _listed(
        self, source: str, deleted: Iterable[tuple[str, datetime | None]], covered: datetime, *, gap: bool = False
    ) -> _Found:
        """Write the ids into a file of the data set, where there are any."""
        rows = iter(deleted)
        first = next(rows, None)
        if first is None:
            return _Found(source, covered, gap)
        spec = self.turn.spec
        file_format = OutputFormat(spec.file_format, spec.compression)
        part = DataSetFolder(self.turn.path).write_deletions(chain([first], rows), file_format, spec.written_by)
        log.info("%s: %s deleted (%s)", self.turn.sobject, counted(part.records, "record"), source)
        return _Found(source, covered, gap, (part,))
